"""The command that hands windows to other tools."""

from pathlib import Path
from typing import Annotated

import typer

from bandpass.cli.commands import console, say


def export(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A prepared store of schedules.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(help="How to split, e.g. schedule.split=honest schedule.split_seed=3."),
    ] = None,
) -> None:
    """Write both sides of a split of a schedule store as JSON lines: train and val.jsonl.gz."""
    from bandpass import runs
    from bandpass.cli.progress import counting
    from bandpass.data import open_store

    with counting(console, "windows") as progress:
        written = runs.export_windows(open_store(store), out, changes or [], progress)
    for file, windows in written.items():
        say(f"{file}: {windows} windows")
