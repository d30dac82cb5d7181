"""The results table: one row for every measured number of every run, and nothing else."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.bench.declared import Metric
from bandpass.data import DataError
from bandpass.training.atomic import write_whole

Row: TypeAlias = dict[str, Any]
"""One number of one run, by the names of `COLUMNS`."""

COLUMNS: dict[str, type] = {
    "benchmark": str,
    "version": int,
    "arm": str,
    "recipe": str,
    "budgets": str,
    "seed": int,
    "steps": int,
    "flops": float,
    "reference_seconds": float,
    "wall_seconds": float,
    "task": str,
    "metric": str,
    "value": float,
}
"""Columns and their types. ``recipe`` is a hash of the resolved recipe without seed and steps,
``budgets`` joins by ``+`` what the run counts for, ``flops`` are counted, scoring included."""

KEYS = ("benchmark", "version", "arm", "recipe", "seed", "steps")
"""Columns that tell runs apart."""


def read_results(path: Path) -> list[Row]:
    """Read a results table.

    Raises:
        DataError: If it cannot be read, or lacks a column.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{path} is no results table ({error}): make one with `bandpass ablate`"
        ) from (error)
    if lacking := [name for name in COLUMNS if name not in table.column_names]:
        raise DataError(
            f"{path} has no column {lacking[0]!r}: a results table of `bandpass ablate` has "
            f"{', '.join(COLUMNS)}"
        )
    return table.select(list(COLUMNS)).to_pylist()


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Turn rows into a table with the columns and types of `COLUMNS`.

    Raises:
        DataError: If a row has other columns.
    """
    for row in rows:
        if set(row) != set(COLUMNS):
            wrong = sorted(set(row) ^ set(COLUMNS))
            raise DataError(f"a row of results must have {', '.join(COLUMNS)}: look at {wrong}")
    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    return pa.Table.from_pylist(list(rows), schema=schema)


def write_results(path: Path, rows: Sequence[Row] | pa.Table) -> None:
    """Write a results table, whole or not at all.

    Raises:
        DataError: If a row has other columns than `COLUMNS`.
    """
    table = rows if isinstance(rows, pa.Table) else as_table(rows)
    write_whole(path, lambda partial: pq.write_table(table, partial))


def by_seed(
    rows: Iterable[Row], arm: str, budget: str, metric: Metric, column: str = "value"
) -> dict[int, float]:
    """Return one number of one arm at one budget, by seed.

    Args:
        rows: Of one benchmark and version.
        arm: Which.
        budget: "flops", "time" or "half".
        metric: Which number.
        column: What of its row.

    Raises:
        DataError: If a seed has two: the table mixes runs of different recipes or lengths.
    """
    found: dict[int, float] = {}
    for row in rows:
        if (row["arm"], row["task"], row["metric"]) != (arm, metric.task, metric.metric):
            continue
        if budget not in row["budgets"].split("+"):
            continue
        if row["seed"] in found:
            raise DataError(
                f"{row['benchmark']} has two runs of {arm}, seed {row['seed']}, for budget "
                f"{budget}: delete the rows of the old recipe or length from the table"
            )
        found[row["seed"]] = float(row[column])
    return found
