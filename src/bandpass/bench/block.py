"""Cells made in blocks that can be stopped anywhere: one table grows by each cell."""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from bandpass.bench.grid import Cell, Key
from bandpass.bench.results import KEYS, Row, as_table, read_results, write_results
from bandpass.data.atomic import alone
from bandpass.runs.jobs import Listener, Work, apart, here
from bandpass.runs.run import RunError


@dataclass(frozen=True)
class Block:
    """How much of a grid is made at once, and where it goes.

    Attributes:
        results: The table; what it holds already is not made again.
        jobs: Processes of one thread each; 1 for none but this one.
        limit: Minutes after which no further cell begins; those that have begun end.
    """

    results: Path
    jobs: int = 1
    limit: float = 100.0

    def __post_init__(self) -> None:
        """Refuse a block in which nothing could be done."""
        for name in ("jobs", "limit"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be over 0, got {getattr(self, name)}")


@dataclass
class Ending:
    """How a block went.

    Attributes:
        done: Cells that it made.
        failed: Why others failed.
        left: Cells that are still to be made, failed ones aside.
        interrupted: Whether Ctrl-C ended it.
    """

    done: list[Cell] = field(default_factory=list)
    failed: list[tuple[Cell, str]] = field(default_factory=list)
    left: list[Cell] = field(default_factory=list)
    interrupted: bool = False


def run(
    cells: Sequence[Cell],
    work: Work[Cell, list[Row]],
    block: Block,
    listener: Listener[Cell, list[Row]],
) -> Ending:
    """Make the cells that the table lacks, and write it whole after each.

    A cell that fails is noted and the others go on. Killed at any moment, the next call makes what
    is not in the table.

    Args:
        cells: See `plan`.
        work: Makes the rows of one; picklable if there are several jobs.
        block: How much at once, and where it goes.
        listener: Who is told; failures too are told as they happen.

    Raises:
        RunError: If another process is writing the table, or it holds the same arms at other
            settings, or a cell meets what every other would meet too.
    """
    table, ending = block.results, Ending()

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is writing {table}: wait for it or choose another table")

    table.parent.mkdir(parents=True, exist_ok=True)
    with alone(table.with_name(f".{table.name}.lock"), busy):
        rows = known(cells, table)
        kept = as_table(rows)

        def done(cell: Cell, found: list[Row]) -> None:
            nonlocal kept
            kept = pa.concat_tables([kept, as_table(found)])
            write_results(table, kept)
            shutil.rmtree(cell.path, ignore_errors=True)
            ending.done.append(cell)
            listener.done(cell, found)

        def failed(cell: Cell, why: str) -> None:
            ending.failed.append((cell, why))
            listener.failed(cell, why)

        todo = missing(cells, rows)
        begun, told = _until(todo, block.limit), Listener(listener.log, done, failed)
        try:
            if block.jobs == 1:
                ending.interrupted = not here(begun, work, told)
            else:
                ending.interrupted = not apart(begun, work, told, block.jobs)
        except KeyboardInterrupt:
            ending.interrupted = True
    over = {cell.key for cell in [*ending.done, *(cell for cell, _ in ending.failed)]}
    ending.left = [cell for cell in todo if cell.key not in over]
    return ending


def known(cells: Sequence[Cell], table: Path) -> list[Row]:
    """Read the rows that a table holds already, with the budgets that the cells have now.

    Raises:
        RunError: If it holds an arm of these cells at other settings: what is compared must not
            mix them.
    """
    rows = read_results(table) if table.exists() else []
    recipes = {cell.key[:3]: cell.key[3] for cell in cells}
    wanted = {(*cell.key[:5], budget): cell.steps for cell in cells for budget in cell.budgets}
    mend = "choose another table, or delete these rows"
    for key, budgets in {(key_of(row), str(row["budgets"])) for row in rows}:
        recipe = recipes.get(key[:3], key[3])
        if recipe != key[3]:
            raise RunError(
                f"{table} holds {key[2]} on {key[0]} by recipe {key[3]}, which is {recipe} now: "
                f"{mend}"
            )
        for budget in budgets.split("+"):
            steps = wanted.get((*key[:5], budget), key[5])
            if steps != key[5]:
                raise RunError(
                    f"{table} holds {key[2]} on {key[0]}, seed {key[4]}, with {key[5]} steps for "
                    f"budget {budget}, which are {steps} now: {mend}"
                )
    now = {cell.key: "+".join(cell.budgets) for cell in cells}
    return [row | {"budgets": now.get(key_of(row), row["budgets"])} for row in rows]


def missing(cells: Sequence[Cell], rows: Sequence[Row]) -> list[Cell]:
    """The cells that have no rows yet."""
    there = {key_of(row) for row in rows}
    return [cell for cell in cells if cell.key not in there]


def key_of(row: Row) -> Key:
    """What tells a row of the table from those of other cells."""
    return cast(Key, tuple(row[name] for name in KEYS))


def _until(cells: Sequence[Cell], minutes: float) -> Iterator[Cell]:
    """The cells, until so much time has gone by."""
    end = time.monotonic() + 60 * minutes
    for cell in cells:
        if time.monotonic() >= end:
            return
        yield cell
