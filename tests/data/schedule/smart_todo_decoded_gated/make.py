"""Write a file that a blocked source must leave alone."""

from pathlib import Path


def write(folder: Path) -> None:
    (folder / "Spans_ToDo_dataset.tsv").write_text("UniqueID\tto_do_summary\n1\tcall Ann\n")
