"""Prices of arms in a file beside the results: measured once, so that continued grids agree."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.bench.ablation import Subject
from bandpass.bench.arms import CONTROL, Arm, find_arm
from bandpass.bench.cost import Price, from_rows, prices, to_rows
from bandpass.bench.grid import recipe_hash
from bandpass.bench.stream import build_corpora
from bandpass.data import AnyStore, DataError
from bandpass.data.atomic import alone
from bandpass.evaluation.paired import UNIFORM
from bandpass.training.atomic import write_table


def beside(table: Path) -> Path:
    """Where the prices of a results table are."""
    return table.with_name("prices.parquet")


def priced(subject: Subject, store: AnyStore, arms: Sequence[Arm], file: Path) -> dict[str, Price]:
    """Return the price of uniform and every arm: as the file has it, else measured and added.

    Controls have none.

    Times of two occasions do not compare. What is measured later is measured together with
    uniform, and scaled by what uniform took when the file began.

    Args:
        subject: Benchmark and base recipe.
        store: Its store.
        arms: Which arms.
        file: Parquet; made if it is not there.

    Raises:
        DataError: If the file cannot be read, or another process is adding to it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)

    def busy(pid: str) -> DataError:
        return DataError(f"process {pid} is taking prices for {file}: wait for it")

    with alone(file.with_name(f".{file.name}.lock"), busy):
        return _priced(subject, store, arms, file)


def _priced(subject: Subject, store: AnyStore, arms: Sequence[Arm], file: Path) -> dict[str, Price]:
    rows = _read(file)
    trained = [find_arm(UNIFORM), *(arm for arm in arms if arm.group != CONTROL)]
    recipes = {arm.name: arm.recipe(subject.base) for arm in trained}
    about = {
        name: {
            "benchmark": subject.benchmark.name,
            "version": subject.benchmark.version,
            "recipe": recipe_hash(recipe),
            "base_steps": subject.base.train.steps,
            "arm": name,
        }
        for name, recipe in recipes.items()
    }
    found = from_rows(
        row for row in rows if row["arm"] in about and about[row["arm"]].items() <= row.items()
    )
    lacking = [name for name in recipes if name not in found]
    if not lacking:
        return found
    corpus = build_corpora(subject.benchmark, subject.base, store).train
    now = prices({name: recipes[name] for name in dict.fromkeys((UNIFORM, *lacking))}, corpus)
    scale = found[UNIFORM].seconds / now[UNIFORM].seconds if UNIFORM in found else 1.0
    new = {
        name: replace(
            now[name],
            seconds=scale * now[name].seconds,
            start_seconds=scale * now[name].start_seconds,
        )
        for name in lacking
    }
    rows += [about[row["arm"]] | row for row in to_rows(new)]
    write_table(file, rows)
    return found | new


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        return pq.read_table(file).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{file} holds no prices ({error}): delete it, and they are measured again"
        ) from error
