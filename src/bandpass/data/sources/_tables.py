"""Reading raw tables: plain or gzip text into float32 matrices, labels and clocks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bandpass.data.series import DataError

Value = TypeVar("Value")
Settings = TypeVar("Settings")

# What the sources at hand write for "no value".
NULLS = ["", "NaN", "nan", "NA", "N/A", "null", "NULL"]


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts ``valve1/2`` before ``valve1/10``."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def existing(folder: Path, layout: str) -> Path:
    """Return ``folder``; DataError, with the layout that was expected, if it is not a directory."""
    if folder.is_dir():
        return folder
    raise DataError(f"{folder}: no such directory; expected the layout\n{layout}")


def listing(folder: Path, *suffixes: str, layout: str) -> dict[str, Path]:
    """Files below ``folder`` by name (relative, without suffix), plain or gzip, in natural order.

    Args:
        folder: Directory that is searched with everything below it; hidden files are passed over.
        *suffixes: Endings such as ``.csv``; each also matches with ``.gz`` behind it.
        layout: The layout to show when nothing is found.

    Returns:
        ``{"valve1/0": Path(".../valve1/0.csv.gz"), ...}``.

    Raises:
        DataError: If there is no such directory or file, or a name is there twice.
    """
    endings = tuple(ending for s in suffixes for ending in (s + ".gz", s))
    found: dict[str, Path] = {}
    for path in existing(folder, layout).rglob("*"):
        relative = path.relative_to(folder)
        ending = next((e for e in endings if path.name.endswith(e)), None)
        if ending is None or any(part.startswith(".") for part in relative.parts):
            continue
        name = relative.as_posix()[: -len(ending)]
        if name in found:
            raise DataError(f"{path}: also there as {found[name].name}; keep one of the two")
        found[name] = path
    if not found:
        wanted = " or ".join(endings)
        raise DataError(f"{folder}: holds no {wanted} file; expected the layout\n{layout}")
    return {name: found[name] for name in sorted(found, key=natural)}


def plain_or_gzip(path: Path, layout: str) -> Path:
    """Return ``path`` or ``path`` + ``.gz``, whichever is there; DataError if neither is."""
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    raise DataError(f"{path}: no such file, plain or .gz; expected the layout\n{layout}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what Arrow raises about a file into a DataError that names the file and the mend."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:  # names the row, the header being row 1
        raise DataError(f"{path}: {error}; mend the file or download it again") from error
    except OSError as error:
        raise DataError(f"{path}: {error}; download the file again") from error


def header(path: Path, delimiter: str) -> pa.Schema:
    """Column names of a text file, and their types as far as its first block shows them."""
    with explained(path), csv.open_csv(path, parse_options=_dialect(delimiter)) as reader:
        return reader.schema


def read_csv(
    path: Path,
    *,
    delimiter: str = ",",
    names: Sequence[str] | None = None,
    types: Mapping[str, pa.DataType] | None = None,
    only: Sequence[str] | None = None,
) -> pa.Table:
    """Read one delimited text file, plain or gzip.

    Args:
        path: The file; ``.gz`` is decompressed on the way.
        delimiter: Column separator.
        names: Column names of a file without a header; None if the first line is the header.
        types: Types that columns must convert to; the others are inferred from the first block.
        only: Columns to read; None for all.

    Raises:
        DataError: If the file is missing, empty, truncated, ragged or holds a value that does not
            convert; the message names the file and, where the parser knows it, the row.
    """
    # One thread: several would not know the row of a bad value.
    read = csv.ReadOptions(use_threads=False, column_names=list(names) if names else None)
    convert = csv.ConvertOptions(
        column_types=types, null_values=NULLS, strings_can_be_null=True, include_columns=only
    )
    with explained(path):
        table = csv.read_csv(path, read, _dialect(delimiter), convert)
    if table.num_rows == 0:
        raise DataError(f"{path}: no rows below the header; remove the file or download it again")
    return table


def _dialect(delimiter: str) -> csv.ParseOptions:
    return csv.ParseOptions(delimiter=delimiter)


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
        per_second = choice("unit", unit, {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9})
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
        numbers = column.to_pylist()
        whole = (v if v is None or v != v or v != int(v) else int(v) for v in numbers)
        return [None if v is None or v != v else str(v) for v in whole]
    return column.cast(pa.string()).to_pylist()


def choice(option: str, value: str, allowed: Mapping[str, Value]) -> Value:
    """What ``value`` stands for; DataError, with the allowed values, if it is not one of them."""
    if value in allowed:
        return allowed[value]
    raise DataError(f"option {option}={value!r}: must be one of {', '.join(allowed)}")


def flag(option: str, value: bool | str) -> bool:
    """``value``, a bool or its text from a command line, as a bool."""
    return choice(option, str(value).lower(), {"true": True, "1": True, "false": False, "0": False})


def settings(kind: type[Settings], options: Mapping[str, object]) -> Settings:
    """Fill a settings dataclass from options, which may be the text of a command line.

    Raises:
        DataError: If an option is unknown or is not of the type of its field's default.
    """
    defaults = {field.name: field.default for field in fields(kind)}
    values: dict[str, object] = {}
    for name, value in options.items():
        if name not in defaults:
            raise DataError(f"no option {name!r}; it takes {', '.join(defaults)}")
        convert = type(defaults[name])
        try:
            values[name] = convert(str(value))
        except ValueError as error:
            raise DataError(f"option {name}={value!r}: not {convert.__name__}") from error
    return kind(**values)
