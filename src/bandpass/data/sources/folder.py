"""A user's own folder: CSV, Parquet or NPY series, and a short mapping of what the columns are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from bandpass.data.series import UNLABELLED, DataError, Schema, Series, Source, Split
from bandpass.data.sources import _columns, _options, _tables

LAYOUT = """RAW/<any name>.csv[.gz] | .parquet | .npy, in any folders below RAW
  a header names the columns; those of an .npy matrix (rows, columns) are called 0, 1, 2, ...
  every column that no option names is a channel; all files have the same channels"""
SUFFIXES = (".csv", ".parquet", ".npy")
ROLES = "timestamp=, label=, regime=, series=, entity= or ignore="


@dataclass(frozen=True)
class Columns:
    """Which columns are what; an empty name means there is none.

    Attributes:
        timestamp: Date-times, or numbers counted in ``unit`` since the epoch.
        label: 1 event, 0 normal, empty unlabelled.
        regime: Names or numbers; empty unknown.
        series: Series of the row, for files that hold several.
        entity: Entity of the row, the same over a series; without it a series is its own entity.
        ignore: Columns that are no channels, separated by commas.
        unit: Unit of a numeric timestamp: s, ms, us or ns.
        delimiter: Column separator of CSV files.
    """

    timestamp: str = ""
    label: str = ""
    regime: str = ""
    series: str = ""
    entity: str = ""
    ignore: str = ""
    unit: str = "s"
    delimiter: str = ","

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise DataError(f"option delimiter={self.delimiter!r}: must be one character")
        twice = [name for name, count in Counter(self.named).items() if count > 1]
        if twice:
            raise DataError(
                f"column {twice[0]!r} is named for two roles: a column has one, {ROLES}"
            )

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that are named, and so are no channels."""
        meta = (self.timestamp, self.label, self.regime, self.series, self.entity)
        return tuple(name for name in (*meta, *self.ignore.split(",")) if name)

    @property
    def text(self) -> tuple[str, ...]:
        """The columns that hold names."""
        return tuple(name for name in (self.regime, self.series, self.entity) if name)


def read(raw: Path, **options: object) -> Iterator[Series]:
    """Yield the series of every file, named by its path without suffix (and its id in the file).

    Rows keep the order of their file. An id that is found in two files is two series.

    Args:
        raw: The folder.
        **options: Fields of ``Columns``.

    Raises:
        DataError: If a file cannot be read, lacks a named column or differs in its channels, or an
            option is unknown.
    """
    columns = _options.settings(Columns, options)
    schema = discover(raw, **options)
    for name, path in _files(raw).items():
        table = _load(path, columns)
        _same_channels(table.column_names, schema.channels, columns, path)
        yield from _series(name, path, table, columns, schema)


def discover(raw: Path, **options: object) -> Schema:
    """Channels of the first file; the regimes of all files, in natural order of their names."""
    columns = _options.settings(Columns, options)
    files = _files(raw)
    first = next(iter(files.values()))
    names = _names(first, columns)
    missing = [name for name in columns.named if name not in names]
    if missing:
        raise DataError(f"{first}: has no column {missing[0]!r}; it has: {', '.join(names)}")
    channels = tuple(name for name in names if name not in columns.named)
    if not channels:
        raise DataError(f"{first}: no column is left for a channel; it has: {', '.join(names)}")
    found: set[str] = set()
    for path in files.values() if columns.regime else ():
        table = _load(path, columns, only=[columns.regime])
        found.update(name for name in _columns.texts(table, columns.regime, path) if name)
    if len(found) > np.iinfo(np.int16).max:
        raise DataError(f"column {columns.regime!r} has {len(found)} values: not a regime")
    return Schema(channels, tuple(sorted(found, key=_tables.natural)))


def _files(raw: Path) -> dict[str, Path]:
    return _tables.listing(Path(raw), *SUFFIXES, layout=LAYOUT)


def _names(path: Path, columns: Columns) -> list[str]:
    if path.suffix == ".npy":
        return _load_npy(path).column_names
    if path.suffix == ".parquet":
        with _tables.explained(path):
            return parquet.read_schema(path).names
    with _tables.explained(path):
        return _tables.header(path, columns.delimiter).names


def _load(path: Path, columns: Columns, only: Sequence[str] | None = None) -> pa.Table:
    if path.suffix == ".npy":
        table = _load_npy(path)
    elif path.suffix == ".parquet":
        with _tables.explained(path):
            table = parquet.ParquetFile(path).read(columns=only)
    else:
        types = _csv_types(_tables.header(path, columns.delimiter), columns)
        try:
            table = _tables.read_csv(path, delimiter=columns.delimiter, types=types, only=only)
        except DataError as error:
            if "conversion error" in str(error):
                raise DataError(f"{error}, or say what a text column is: {ROLES}") from error
            raise
    if table.num_rows == 0:
        raise DataError(f"{path}: no rows; remove the file")
    return table


def _csv_types(header: pa.Schema, columns: Columns) -> dict[str, pa.DataType]:
    """Types that do not hang on what the first block happens to show.

    Text in a channel must fail with its row, and whole numbers may be followed by fractions.
    """
    types: dict[str, pa.DataType] = dict.fromkeys(columns.text, pa.string())
    for field in header:
        channel = field.name not in columns.named or field.name == columns.label
        if channel and not pa.types.is_boolean(field.type):
            types[field.name] = pa.float32()
        elif pa.types.is_timestamp(field.type) and field.name == columns.timestamp:
            types[field.name] = pa.timestamp("ns", field.type.tz)
    return types


def _load_npy(path: Path) -> pa.Table:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a readable .npy array: {error}; save it again") from error
    if values.ndim not in (1, 2) or values.size == 0 or values.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: holds {values.dtype} of shape {values.shape}; save numbers (rows, columns)"
        )
    values = values.reshape(len(values), -1).astype(values.dtype.newbyteorder("="), copy=False)
    arrays = [pa.array(np.ascontiguousarray(column)) for column in values.T]
    return pa.table(arrays, names=[str(i) for i in range(len(arrays))])


def _same_channels(
    names: Sequence[str], channels: Sequence[str], columns: Columns, path: Path
) -> None:
    here = [name for name in names if name not in columns.named]
    missing, extra = sorted(set(channels) - set(here)), sorted(set(here) - set(channels))
    if missing or extra:
        raise DataError(
            f"{path}: channels differ from those of the first file: missing {missing}, "
            f"more {extra}; rename or drop columns, or name them in the option ignore"
        )


def _series(
    file: str, path: Path, table: pa.Table, columns: Columns, schema: Schema
) -> Iterator[Series]:
    values = _columns.matrix(table, schema.channels, path)
    label = np.full(len(values), UNLABELLED, np.int8)
    if columns.label:
        label = _columns.codes(table, columns.label, path, (0, 1)).astype(np.int8)
    regime = time = None
    if columns.regime:
        code = {name: i for i, name in enumerate(schema.regimes)}
        names = _columns.texts(table, columns.regime, path)
        regime = np.array([code[name] if name else -1 for name in names], np.int16)
    if columns.timestamp:
        time = _columns.clock(table, columns.timestamp, path, columns.unit)
    entities = _columns.texts(table, columns.entity, path) if columns.entity else None
    for name, rows in _groups(file, path, table, columns):
        yield Series(
            name,
            name if entities is None else _one_entity(entities, rows, name, path),
            values[rows],
            label[rows],
            None if regime is None else regime[rows],
            time=None if time is None else time[rows],
        )


def _groups(
    file: str, path: Path, table: pa.Table, columns: Columns
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the rows of every series of one file, in order of first appearance."""
    if not columns.series:
        yield file, np.arange(table.num_rows)
        return
    ids = _columns.texts(table, columns.series, path)
    code = {name: i for i, name in enumerate(dict.fromkeys(ids))}
    if None in code:
        raise DataError(
            f"{path}: column {columns.series!r}, data row {ids.index(None) + 1}: no series id"
        )
    of_row = np.array([code[name] for name in ids])
    for name, i in code.items():
        yield f"{file}/{name}", np.flatnonzero(of_row == i)


def _one_entity(entities: Sequence[str | None], rows: np.ndarray, name: str, path: Path) -> str:
    found = {entities[row] for row in rows}
    entity = found.pop()
    if found or entity is None:
        raise DataError(f"{path}: series {name!r} must be of one entity; add a series column")
    return entity


SOURCE = Source(
    name="folder",
    title="Your own folder of CSV, Parquet or NPY series",
    licence="yours",
    home="your disk",
    layout=LAYOUT,
    channels=(),
    regimes=(),
    read=read,
    split=Split(by="time", test_share=0.4, embargo=128),
    options={
        "timestamp": "column of date-times, or of numbers since the epoch",
        "label": "column of 1 event, 0 normal, empty unlabelled",
        "regime": "column of regime names or numbers",
        "series": "column of series ids, for files that hold several series",
        "entity": "column of what was recorded; default: each series its own entity",
        "ignore": "columns that are no channels, separated by commas",
        "unit": "unit of a numeric timestamp: s (default), ms, us or ns",
        "delimiter": "column separator of CSV files (,)",
    },
    discover=discover,
)
