"""`bandpass prepare schedule`: many datasets at once, with progress, and a table of them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bandpass.cli.commands import console, say
from bandpass.data.schedule.parts import DAMAGED
from bandpass.data.schedule.prepare import READING, Options, Seen, prepare_schedule
from bandpass.data.schedule.prepare import Progress as Told
from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import SCHEDULE_SOURCES, find
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.series import DataError
from bandpass.data.sources._options import flag

ALL = "all"
EVERY = 10.0
"""Seconds from line to line where there is no terminal to draw on."""

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
    with progress(console) as told:
        made = prepare_schedule(raw, store, _chosen(datasets), options, told)
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


@contextmanager
def progress(console: Console) -> Iterator[Told]:
    """Draw a bar with rate and ETA for each stage; without a terminal print a line now and then."""
    if not console.is_terminal:
        yield _Telling(console, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    columns += (TextColumn("{task.fields[what]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield _Telling(console, bar)


class _Telling:
    """Shows how far the preparation is."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console, self._bar = console, bar
        self._first: Seen | None = None
        self._started = self._printed = 0.0
        self._task = TaskID(0)

    def __call__(self, seen: Seen) -> None:
        if seen.note:
            self._console.print(Text(seen.note), soft_wrap=True)
        if self._first is None or self._first.stage != seen.stage:
            self._begin(seen)
        what, left = self._rates(seen)
        if self._bar is not None:
            self._bar.update(self._task, completed=seen.done, total=seen.total, what=what)
        elif time.monotonic() - self._printed > EVERY:
            self._printed = time.monotonic()
            share = seen.done / max(seen.total, 1)
            line = f"{seen.stage} {share:.0%}  {what}  ETA {left}"
            self._console.print(Text(line), soft_wrap=True)

    def _begin(self, seen: Seen) -> None:
        self._first = seen
        self._started = self._printed = time.monotonic()
        if self._bar is not None:
            # What was there before does not count for the rate.
            self._task = self._bar.add_task(seen.stage, completed=seen.done, what="")

    def _rates(self, seen: Seen) -> tuple[str, str]:
        """Counts with their rates, and how long it will take."""
        assert self._first is not None
        seconds = max(time.monotonic() - self._started, 1e-9)
        done = seen.done - self._first.done
        left = f"{(seen.total - seen.done) * seconds / done:.0f} s" if done else "?"
        if seen.stage != READING:
            return f"{seen.done:,} windows, {done / seconds:,.0f}/s", left
        rate = (seen.records - self._first.records) / seconds
        return f"{seen.files:,} files, {seen.records:,} records, {rate:,.0f}/s", left
