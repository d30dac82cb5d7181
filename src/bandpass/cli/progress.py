"""What a person sees while something runs, and the short tables afterwards."""

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bandpass.data import ClipStore, Store
from bandpass.report.findings import findings, targets_verdict
from bandpass.report.tables import read_run
from bandpass.runs.tasks import Row
from bandpass.training.log import RunLog

SHOWN = (
    ("rare slice, logistic", "average_precision", "rare AP"),
    ("rare slice, few-shot logistic", "average_precision", "few-shot AP"),
    ("regime", "macro_f1", "regime F1"),
    ("next-state readout", "r2", "next-state R2"),
    ("future readout", "r2", "future R2"),
    ("normal retention", "normal_readout_r2", "normal R2"),
    ("geometry", "effective_rank", "rank"),
)

MARKS = {"yes": "\N{CHECK MARK}", "no": "\N{BALLOT X}", "open": "\N{ALMOST EQUAL TO}"}
NOTES = 8
"""Notes of a store that are printed; the manifest has them all."""


class Training:
    """Live progress of training: bar with ETA, rate, loss, and slot shares beside natural ones.

    Args:
        console: Where to draw; without a terminal a line is printed now and then instead.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
        )
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._task: tuple[str, Any] | None = None
        self._warned = ""
        self._printed = 0.0

    def __enter__(self) -> "Training":
        """Start drawing if there is a terminal to draw on."""
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop drawing."""
        self._live.stop()

    def stage(self, name: str) -> None:
        """Say what happens next, in place of the training before it."""
        self._live.update(Text())
        self.console.print(f"[bold]{name}[/]")

    def log(self, name: str, row: dict[str, Any], log: RunLog) -> None:
        """Show a logged step; a collapse warning stays on screen."""
        warning = row["warning"] or ""
        what = re.sub(r"[\d.]+", "", warning)  # its numbers change with every row
        if what not in ("", self._warned):
            self.console.print(f"[bold yellow]warning, step {row['step']}:[/] {warning}")
        self._warned = what
        total = round(row["step"] / row["fraction"])
        line = (
            f"loss {row['loss']:.3f}  prediction {row['prediction']:.3f}  rank {row['rank']:.1f}  "
            f"{row['windows_per_s']:.0f} windows/s"
        )
        if self.console.is_terminal:
            if self._task is None or self._task[0] != name:
                if self._task is not None:
                    self._bar.remove_task(self._task[1])
                self._task = (name, self._bar.add_task(name, total=total))
            self._bar.update(self._task[1], completed=row["step"])
            self._live.update(Group(self._bar, Text(line), slot_table(log)))
        elif time.monotonic() - self._printed > 10 or row["step"] == total:
            self._printed = time.monotonic()
            left = row["seconds"] * (1 / row["fraction"] - 1)
            self.console.print(
                f"{name} {row['step']}/{total}  {line}  ETA {left:.0f} s",
                highlight=False,
                soft_wrap=True,
            )
        if row["step"] == total:
            self.console.print(slot_table(log))


def slot_table(log: RunLog) -> Table:
    """Natural share of every class of windows beside its share of the slots so far."""
    table = Table("class", "natural", "slots", box=None)
    for (kind, name), natural in log.natural.items():
        if natural and kind != "label":
            table.add_row(f"{kind} {name}", f"{natural:.3f}", f"{log.share(kind, name):.3f}")
    return table


def comparison(found: dict[str, list[Row]]) -> Table:
    """Tasks against encoders, the value with half the width of its 95% interval.

    Args:
        found: Evaluation rows by run; controls are shown once, from the first run. Encoders are
            shown mean+std pooled where the task has that; the report has every pooling.
    """
    cells: dict[tuple[str, str], dict[str, Row]] = {}
    columns: dict[str, None] = {}
    for place, (run, rows) in enumerate(found.items()):
        for row in rows:
            if row["encoder"] == "pretrained" or not place:
                column = run if row["encoder"] == "pretrained" else str(row["encoder"])
                columns[column] = None
                key = str(row["task"]), str(row["metric"])
                cells.setdefault(key, {})[column] = row  # mean+std comes after mean
    order = sorted(columns, key=lambda column: column not in found)
    table = Table("", *order)
    for task, metric, title in SHOWN:
        shown = cells.get((task, metric), {})
        table.add_row(title, *(_cell(shown.get(column)) for column in order))
    return table


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    value, low, high = (cast(float, row[name]) for name in ("value", "low", "high"))
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f} ±{(high - low) / 2:.2f}"


@contextmanager
def preparing(console: Console) -> Iterator[Callable[[str, int], None]]:
    """Show series and rows as they are written."""
    started = time.monotonic()
    with console.status("reading") as status:

        def show(name: str, rows: int) -> None:
            rate = rows / max(time.monotonic() - started, 1e-9)
            status.update(f"{rows:,} rows, {rate:,.0f} rows/s, last {name}")

        yield show


@contextmanager
def counting(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with ETA."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def counting_parts(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar with ETA for each named part of the work, one under the other."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(part, total=total)
            bar.update(tasks[part], completed=done, total=total)

        yield show


def verdict_lines(run: Path) -> Group:
    """What the tables of `bandpass enrich` say, a line each."""
    tables = read_run(run)
    return Group(
        *(
            Text.assemble((f"{MARKS[each.outcome]} {each.label}. ", "bold"), each.sentence)
            for each in findings(tables.enrichment, tables.shares) + targets_verdict(tables.targets)
        )
    )


def quarantine_table(rows: list[dict[str, Any]]) -> Table:
    """Windows that are held back, a line each."""
    decided = any(row["decision"] for row in rows)
    table = Table("window", "series", "start", "reason", "z", "visits", "loudest channel", box=None)
    if decided:
        table.add_column("decision")
    for row in rows:
        z = "-" if math.isnan(row["z"]) else f"{row['z']:.1f}"
        cells = [row["id"], row["series"], row["start"], row["reason"], z, row["visits"]]
        cells += [row["channel"], row["decision"]] if decided else [row["channel"]]
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def store_summary(store: Store | ClipStore) -> Table:
    """What was prepared: counts, splits and everything the manifest notes."""
    table = Table(title=f"store {store.path}", show_header=False, title_justify="left")
    table.add_row("rows", f"{store.rows:,}")
    table.add_row("series", f"{store.series.num_rows} of {store.entities.num_rows} entities")
    if isinstance(store, ClipStore):
        height, width, colours = store.shape
        table.add_row("frames", f"{height} x {width} x {colours}, {store.fps:g} a second")
    else:
        table.add_row("channels", Text(", ".join(store.channels)))
    segments = store.segments.to_pylist()
    for split in sorted({segment["split"] for segment in segments}):
        rows = sum(s["stop"] - s["start"] for s in segments if s["split"] == split)
        table.add_row(split, f"{rows:,} rows")
    notes = [str(note) for note in store.manifest["notes"]]
    for note in notes[:NOTES]:
        table.add_row("note", Text(note))
    if len(notes) > NOTES:
        table.add_row("", f"{len(notes) - NOTES} more notes in {store.path / 'manifest.json'}")
    return table
