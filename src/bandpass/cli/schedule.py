"""`bandpass prepare schedule`: many datasets at once, with progress, and a table of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from bandpass.cli.commands import console, say
from bandpass.cli.stages import Stages, stages
from bandpass.data.schedule.parts import DAMAGED
from bandpass.data.schedule.prepare import READING, Options, Seen, prepare_schedule
from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import SCHEDULE_SOURCES, find
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.series import DataError
from bandpass.data.sources._options import flag

ALL = "all"
WIDTH = 132
"""Of the table where there is no terminal to fit into."""


def prepare(
    raw: Path | None,
    store: Path,
    datasets: Sequence[str],
    pairs: dict[str, str],
    options: Options,
) -> None:
    """Read the datasets that are named and print what became of each.

    Args:
        raw: The folder with a folder for each dataset.
        store: The store to write.
        datasets: Names, or several with commas between; ``all`` if there are none.
        pairs: Options by name, as text.
        options: The others.
    """
    if raw is None:
        raise typer.BadParameter("schedule reads raw files: say where with --raw DIR")
    keep = pairs.pop("keep_damaged", "false")
    if pairs:
        raise DataError(f"schedule has no option {next(iter(pairs))!r}: it takes keep_damaged")
    options = replace(options, keep_damaged=flag("keep_damaged", keep))
    with stages(console) as shown:
        made = prepare_schedule(
            raw, store, _chosen(datasets), options, lambda seen: show(shown, seen)
        )
    wide = console if console.is_terminal else Console(width=WIDTH)
    wide.print(summary(made))
    for line in notes(made):
        say(line)


def _chosen(datasets: Sequence[str]) -> list[ScheduleSource] | None:
    """The sources of these names in their own order, None for all."""
    words = {word.strip() for names in datasets for word in names.split(",") if word.strip()}
    if datasets and not words:
        raise typer.BadParameter(
            f"--dataset {','.join(datasets)!r} names none: leave it out for all, or take names "
            "from `bandpass sources`"
        )
    if not words or words == {ALL}:
        return None
    if ALL in words:
        raise DataError(f"--dataset {ALL} takes no other name beside it")
    asked = {find(word).name for word in words}
    return [source for name, source in SCHEDULE_SOURCES.items() if name in asked]


def summary(store: ScheduleStore) -> Table:
    """A line a dataset: what was read and what became of it."""
    table = Table("dataset", title=f"store {store.path}", title_justify="left", box=None)
    for column in ("files", "records", "duplicates", "malformed", "record windows", "actor days"):
        table.add_column(column, justify="right")
    table.add_column("first day")
    table.add_column("last day")
    for entry in store.manifest["datasets"]:
        numbers = [
            sum(file["files"] for file in entry["files"]),
            entry["records"],
            entry["duplicates"],
            sum(entry["malformed"].values()),
            *entry["windows"].values(),
        ]
        days = [day or "-" for day in entry["days"]]
        table.add_row(entry["name"], *(f"{number:,}" for number in numbers), *days)
    return table


def notes(store: ScheduleStore) -> Iterator[str]:
    """What a person should know of datasets: why one is empty, and what could not be read."""
    yield from store.manifest.get("notes", ())  # of all datasets, in an imported store
    for entry in store.manifest["datasets"]:
        if entry["note"]:
            yield f"{entry['name']}: {entry['note']}"
        if entry["malformed"]:
            yield f"{entry['name']}: left out: {', '.join(_reasons(entry))}"
        if DAMAGED in entry["malformed"]:
            yield f"{entry['name']}: what came before the damage in a damaged file was kept"


def _reasons(entry: dict[str, Any]) -> Iterator[str]:
    """How often each, and where first if that is among the samples."""
    first: dict[str, str] = {}
    for place, why in entry["malformed_samples"]:
        first.setdefault(why, place)
    for why, count in entry["malformed"].items():
        yield f"{count:,} {why}" + (f" (first {first[why]})" if why in first else "")


def show(shown: Stages, seen: Seen) -> None:
    """Show how far the preparation is."""
    shown.note(seen.note)
    counts = {"windows": seen.done}
    if seen.stage == READING:
        counts = {"files": seen.files, "records": seen.records}
    shown.show(seen.stage, seen.done, seen.total, counts)
