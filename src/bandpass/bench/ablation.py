"""What an ablation consists of: subjects, arms, seeds; their stores, prices and rows."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bandpass.bench.arms import ARMS, DEFAULT, Arm, find_arm
from bandpass.bench.block import key_of
from bandpass.bench.cells import run_cell
from bandpass.bench.declared import BENCHMARKS, Benchmark, find, of_store, store_of
from bandpass.bench.grid import Cell
from bandpass.bench.measures import Measure
from bandpass.bench.results import Row
from bandpass.data import AnyStore, DataError, StoreError, open_store
from bandpass.recipes import RECIPES, Recipe, RecipeError, override
from bandpass.recipes import find as find_recipe
from bandpass.runs.enrich import USUAL
from bandpass.runs.jobs import OnRow
from bandpass.runs.run import RunError

SHORTER = 4
"""A quick look takes this part of the steps."""

QUICK_SEEDS = 3


@dataclass(frozen=True)
class Subject:
    """What arms are compared on.

    Attributes:
        benchmark: The declaration.
        base: Recipe under all arms; its steps are those of uniform.
        store: Where the store lies, or will.
    """

    benchmark: Benchmark
    base: Recipe
    store: Path


@dataclass(frozen=True)
class Seeds:
    """Which of the declared seeds are run.

    Attributes:
        screening: Those for looking and choosing, in place of those that count.
        count: Only so many; all if None.
    """

    screening: bool = False
    count: int | None = None

    def of(self, benchmark: Benchmark) -> tuple[int, ...]:
        """The seeds of every arm.

        Raises:
            RunError: If more are asked for than are declared.
        """
        declared = benchmark.screen if self.screening else benchmark.seeds
        kind = "screening seeds" if self.screening else "seeds"
        if self.count is None:
            return declared
        if self.count > len(declared):
            raise RunError(
                f"--seeds {self.count}: {benchmark.name} declares {len(declared)} {kind}, "
                f"{', '.join(map(str, declared))}: ask for at most {len(declared)}"
            )
        return declared[: self.count]


def subjects(
    names: Sequence[str], out: Path, changes: Sequence[str] = (), *, quick: bool = False
) -> list[Subject]:
    """Find what arms are compared on; nothing is read but the manifests of given stores.

    Args:
        names: Of declared benchmarks, or paths of stores.
        out: The stores of declared benchmarks are in ``out/stores``.
        changes: Of the recipe under all arms.
        quick: Take a quarter of the steps.

    Raises:
        DataError: If one is neither a benchmark nor a store; names the nearest benchmark.
        RunError: If two would have the same name in the table.
        RecipeError: If the changes do not fit.
    """
    found = [_subject(name, out, changes) for name in dict.fromkeys(names)]
    seen: set[str] = set()
    for each in found:
        if each.benchmark.name in seen:
            raise RunError(
                f"two subjects are called {each.benchmark.name}: the table tells them apart by "
                "name, so rename one store or run it by itself"
            )
        seen.add(each.benchmark.name)
    return [_shortened(each) for each in found] if quick else found


def arms_of(names: Sequence[str], *, every: bool = False) -> list[Arm]:
    """Return arms by name, uniform first; roles and controls if none is named.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if not names:
        names = tuple(ARMS) if every else DEFAULT
    return [find_arm(name) for name in dict.fromkeys(("uniform", *names))]


def prepared(subject: Subject, raw: Path | None) -> AnyStore:
    """Open the store of a subject, or prepare it from raw files.

    Raises:
        DataError: If raw files are needed and are not there.
    """
    subject.store.parent.mkdir(parents=True, exist_ok=True)
    return store_of(subject.benchmark, raw, subject.store)


def make(cell: Cell, on_row: OnRow, *, stores: Mapping[str, Path]) -> list[Row] | None:
    """Make one cell, here or in a process of its own.

    Args:
        cell: Which.
        on_row: Told of every logged row of its training.
        stores: Paths of the stores, by the name of the benchmark.

    Returns:
        Its rows of the table; None after Ctrl-C.

    Raises:
        RunError: If this cell cannot be; others may.
    """
    began = time.perf_counter()
    try:
        found = run_cell(cell, stores[cell.benchmark.name], lambda name, row, log: on_row(row))
    except (DataError, RecipeError, StoreError) as error:  # of this arm or this store alone
        raise RunError(str(error)) from error
    return None if found is None else rows_of(cell, found, time.perf_counter() - began)


def rows_of(cell: Cell, measures: Iterable[Measure], wall: float) -> list[Row]:
    """The rows of the table that a cell comes to.

    Args:
        cell: Which.
        measures: Task, metric and value of each.
        wall: Seconds that it took, measuring included; since it was last continued.
    """
    about: Row = {
        "benchmark": cell.benchmark.name,
        "version": cell.benchmark.version,
        "arm": cell.arm,
        "recipe": cell.key[3],
        "budgets": "+".join(cell.budgets),
        "seed": cell.seed,
        "steps": cell.steps,
        "flops": cell.flops,
        "reference_seconds": cell.seconds,
        "wall_seconds": wall,
    }
    return [about | {"task": task, "metric": what, "value": v} for task, what, v in measures]


def pace(rows: Iterable[Row]) -> float:
    """Wall seconds that a reference second took so far, measuring included; NaN if unknown."""
    cells = {key_of(row): (row["wall_seconds"], row["reference_seconds"]) for row in rows}
    wall, reference = (sum(each) for each in zip(*cells.values(), strict=True)) if cells else (0, 0)
    return wall / reference if reference else math.nan


def _subject(name: str, out: Path, changes: Sequence[str]) -> Subject:
    if name not in BENCHMARKS and (path := Path(name)).is_dir():
        store = open_store(path)
        source = store.manifest["source"]
        recipe = source if source in RECIPES else USUAL[store.modality]
        benchmark = of_store(store, recipe, tuple(changes))
    else:
        try:
            benchmark = find(name)
        except DataError as error:
            raise DataError(f"{error}; and there is no store at {name}") from None
        path = out / "stores" / f"{name}-v{benchmark.version}"
        benchmark = replace(benchmark, changes=(*benchmark.changes, *changes))
    base = override(find_recipe(benchmark.recipe), benchmark.changes)
    if base.band != find_recipe(benchmark.recipe).band:
        raise RecipeError(
            f"{' '.join(benchmark.changes)}: settings of the band are those of each arm, which set "
            "them anew; leave them out, or choose an arm that has them (`bandpass bench list`)"
        )
    return Subject(benchmark, base, path)


def _shortened(subject: Subject) -> Subject:
    train = subject.base.train
    steps = max(train.steps // SHORTER, 1)
    return replace(subject, base=replace(subject.base, train=replace(train, steps=steps)))
