"""The commands that hand windows to other tools, and take them back."""

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


def take_in(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Plain or gzip.")],
    store: Annotated[Path, typer.Option("--store", help="The store to write.")],
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store that is there.")
    ] = False,
) -> None:
    """Write a schedule store of windows in JSON lines, such as `bandpass export` writes."""
    from bandpass.cli.progress import preparing
    from bandpass.cli.schedule import notes, summary
    from bandpass.data.schedule.imported import import_jsonl

    with preparing(console) as told:
        made = import_jsonl(files, store, overwrite=overwrite, progress=told)
    console.print(summary(made))
    for line in notes(made):
        say(line)
