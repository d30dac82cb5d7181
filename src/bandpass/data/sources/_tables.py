"""Finding raw files and reading delimited text, plain or gzip, with errors that name the row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from bandpass.data.series import DataError

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
    what = "is a file: give the folder it lies in" if folder.is_file() else "no such directory"
    raise DataError(f"{folder}: {what}; expected the layout\n{layout}")


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
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from error
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
