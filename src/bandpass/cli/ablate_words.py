"""What `bandpass ablate` says: before, of every cell, and of the verdicts."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from bandpass.cli.commands import console, say
from bandpass.cli.many import duration

if TYPE_CHECKING:
    from bandpass.bench.ablation import Seeds, Subject
    from bandpass.bench.arms import Arm
    from bandpass.bench.block import Ending
    from bandpass.bench.cost import Price
    from bandpass.bench.grid import Cell
    from bandpass.bench.results import Row

MOST_SPOKEN = 8
"""Arms whose verdicts a terminal has room for; the page has all."""


def dry(subjects: "Sequence[Subject]", arms: "Sequence[Arm]", seeds: "Seeds", table: Path) -> None:
    """Say what would be run, before any store or price is there."""
    from bandpass.bench.grid import budgets_of

    shown = names_table("benchmark", "arm", "seeds", "cells at most, by budgets")
    total = 0
    for subject in subjects:
        for arm in arms:
            of, budgets = seeds.of(subject.benchmark), budgets_of(arm)
            count = len(of) * len(budgets)
            row = (subject.benchmark.name, arm.name, len(of), f"{count}: {', '.join(budgets)}")
            shown.add_row(*(Text(str(cell)) for cell in row))
            total += count
    console.print(shown)
    for subject in subjects:
        there = "is there" if subject.store.exists() else "would be prepared"
        steps = subject.base.train.steps
        of = ", ".join(map(str, seeds.of(subject.benchmark)))
        say(
            f"{subject.benchmark.name}: {steps} uniform steps; seeds {of}; "
            f"store {subject.store} {there}"
        )
    say(f"at most {total} cells into {table}; budgets with equal steps are one cell")


def extent(cells: "Sequence[Cell]", todo: "Sequence[Cell]", pace: float, jobs: int) -> str:
    """How much there is to do, and about how long it takes."""
    text = f"{len(cells)} cells, {len(cells) - len(todo)} of them in the table"
    if not todo:
        return f"{text}: nothing is left to run"
    seconds = sum(cell.seconds for cell in todo) / min(jobs, len(todo))
    if math.isnan(pace):
        return (
            f"{text}, {len(todo)} to run: {duration(seconds)} of training, and what measuring takes"
        )
    return f"{text}, {len(todo)} to run: about {duration(pace * seconds)}"


def at(cell: "Cell", row: dict[str, Any]) -> tuple[str, float, str]:
    """How far a cell is."""
    line = f"{cell}: step {row['step']}, loss {row['prediction']:.4g}"
    return str(cell), cell.seconds * row["fraction"], line


def done(cell: "Cell", found: "Sequence[Row]") -> tuple[str, str]:
    """What a cell came to, in the three primary metrics."""
    values = {(row["task"], row["metric"]): row["value"] for row in found}
    shown = []
    for role in ("rare", "normal", "corrupt"):
        metric = getattr(cell.benchmark, role)
        if (metric.task, metric.metric) in values:
            shown.append(f"{role} {values[metric.task, metric.metric]:.3f}")
    return str(cell), f"{cell}: {', '.join(shown)}"


def tell(
    subjects: "Sequence[Subject]",
    arms: "Sequence[Arm]",
    prices: "Mapping[str, Mapping[str, Price]]",
    files: tuple[Path, Path],
    ending: "Ending",
) -> None:
    """Say the verdicts, and write the page."""
    from bandpass.bench import telling
    from bandpass.bench.results import read_results
    from bandpass.report import ablation

    table, page = files
    if not table.exists():
        return
    rows = read_results(table)
    spoken = [arm.name for arm in arms if arm.group == "role" or len(arms) <= MOST_SPOKEN]
    for subject in subjects:
        for line in telling.lines(rows, subject.benchmark, spoken):
            say(line)
    benchmarks = [subject.benchmark for subject in subjects]
    for line in telling.together(rows, benchmarks, spoken):
        say(line)
    if len(spoken) < len(arms):
        say(f"{len(arms) - len(spoken)} more arms are on the page")
    verdicts = {each.name: telling.told(rows, each) for each in benchmarks}
    about = telling.about(ending)
    ablation.write(rows, benchmarks, prices, verdicts, page, about)
    say(f"table: {table}; report: {page}")


def names_table(*heads: str) -> Table:
    """A table in which names are whole, and only the last column is broken into lines."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in heads[:-1]:
        table.add_column(head, no_wrap=True)
    table.add_column(heads[-1])
    return table
