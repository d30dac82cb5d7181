"""Columns of a raw table as what a series holds: float32 matrix, codes, names, clock."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bandpass.data.series import DataError
from bandpass.data.sources import _options


def require(table: pa.Table, columns: Sequence[str], path: Path) -> None:
    """DataError unless ``table`` has every one of ``columns``, each once."""
    for name in columns:
        count = table.column_names.count(name)
        if count != 1:
            what = "has no column" if count == 0 else "has more than one column"
            there = ", ".join(table.column_names)
            raise DataError(f"{path}: {what} {name!r}; it has: {there}")


def matrix(table: pa.Table, columns: Sequence[str], path: Path) -> np.ndarray:
    """(rows, channels) float32 of the named columns, NaN where a cell is empty."""
    require(table, columns, path)
    out = np.empty((table.num_rows, len(columns)), np.float32)
    for j, name in enumerate(columns):
        column = table.column(name)
        if not is_numeric(column.type):
            raise DataError(
                f"{path}: column {name!r} is of type {column.type}, not numeric; convert or drop it"
            )
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            column = column.cast(pa.float32())
        out[:, j] = column.to_numpy()  # nulls become NaN
    return out


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a channel; one without any value can."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return pa.types.is_null(kind) or any(test(kind) for test in tests)


def codes(table: pa.Table, name: str, path: Path, allowed: Sequence[int]) -> np.ndarray:
    """(rows,) int16 of a column of whole-number codes, -1 where a cell is empty.

    Raises:
        DataError: At the first value that is not in ``allowed``.
    """
    values = matrix(table, [name], path)[:, 0]
    wrong = np.flatnonzero(~(np.isnan(values) | np.isin(values, np.asarray(allowed, np.float32))))
    if wrong.size:
        value, known = values[wrong[0]], ", ".join(map(str, allowed))
        raise DataError(
            f"{path}: column {name!r}, data row {wrong[0] + 1}: {value:g} is not one of {known}"
        )
    return np.where(np.isnan(values), -1, values).astype(np.int16)


def clock(table: pa.Table, name: str, path: Path, unit: str = "s") -> np.ndarray:
    """(rows,) int64 nanoseconds since the epoch, in the order of the file.

    Args:
        table: The table.
        name: Column of date-times, or of numbers counted in ``unit`` since the epoch.
        path: File to name in errors.
        unit: ``s``, ``ms``, ``us`` or ``ns``; used for numeric clocks only.

    Raises:
        DataError: If the column is missing, empty somewhere, or not a time.
    """
    require(table, [name], path)
    column = table.column(name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        per_second = _options.choice("unit", unit, {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9})
        return _from_numbers(column, name, path, 10**9 // per_second)
    _no_missing(column.is_null(), name, path)
    try:
        return column.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: column {name!r} is not a clock: {error}") from error


def _from_numbers(column: pa.ChunkedArray, name: str, path: Path, nanoseconds: int) -> np.ndarray:
    """(rows,) int64 of numbers that count units of so many nanoseconds."""
    _no_missing(column.is_null(nan_is_null=True), name, path)
    values = column.to_numpy()
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        row, value = wrong[0] + 1, values[wrong[0]]
        raise DataError(f"{path}: column {name!r}, data row {row}: {value} is no timestamp")
    low, high = int(values.min()), int(values.max())
    if max(-low, high) * nanoseconds > np.iinfo(np.int64).max:
        raise DataError(
            f"{path}: column {name!r} spans {low} to {high}, beyond the year 2262 in this unit; "
            f"set the option unit to ms, us or ns"
        )
    if values.dtype.kind == "f":
        return np.round(values * nanoseconds).astype(np.int64)
    return values.astype(np.int64) * nanoseconds


def _no_missing(missing: pa.ChunkedArray, name: str, path: Path) -> None:
    row = pc.index(missing, True).as_py() + 1
    if row:
        raise DataError(f"{path}: column {name!r}, data row {row}: no timestamp; remove the row")


def texts(table: pa.Table, name: str, path: Path) -> list[str | None]:
    """Names in a column, None where empty; whole numbers read the same as integer and float."""
    require(table, [name], path)
    column = table.column(name)
    if pa.types.is_floating(column.type):
        numbers = (None if v is None or v != v else v for v in column.to_pylist())
        return [None if v is None else str(int(v) if v.is_integer() else v) for v in numbers]
    try:
        text = column.cast(pa.string())
    except pa.ArrowNotImplementedError as error:
        raise DataError(f"{path}: column {name!r} holds {column.type}, not names") from error
    return pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1").to_pylist()
