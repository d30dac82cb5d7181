"""Series in, store out: checks, columns, statistics, tables and the manifest."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data.atomic import writing
from bandpass.data.checks import NO_TIME, check_series
from bandpass.data.clocks import clock_report, gap_rows, oddities
from bandpass.data.columns import ColumnWriter
from bandpass.data.manifest import FORMAT, MANIFEST, VERSION, store_hash, table_hash
from bandpass.data.moments import Moments
from bandpass.data.series import UNKNOWN_REGIME, DataError, Schema, Series, Source, Split
from bandpass.data.splits import TRAIN, Segment, segments

BLOCK = 1 << 15
"""Rows cleaned, measured and written at a time."""

_FILLS = {"label": -1, "regime": UNKNOWN_REGIME, "corrupt": 0, "time": NO_TIME, "state": np.nan}
_DTYPES = {
    "values": "f4",
    "label": "i1",
    "regime": "i2",
    "corrupt": "i1",
    "time": "i8",
    "state": "f4",
}
_CLOCK_TYPES = {
    "step_ns": pa.int64(),
    "irregular": pa.float64(),
    "gaps": pa.int64(),
    "largest_gap_ns": pa.int64(),
    "duplicates": pa.int64(),
    "backward": pa.int64(),
}


class StoreWriter:
    """Writes one series after the other into a directory; holds none of them.

    Args:
        path: An empty directory.
        source: Named in the manifest; gives the split rule.
        schema: Names of the channels and regimes.
        split: Replaces the source's rule and the publishers' own splits.
    """

    def __init__(self, path: Path, source: Source, schema: Schema, split: Split | None) -> None:
        self.rows = 0
        self._path, self._source, self._schema = path, source, schema
        self._split, self._keep_fixed = split or source.split, split is None
        self._columns: dict[str, ColumnWriter] = {}
        self._train: dict[str, Moments] = {}
        self._all: dict[str, Moments] = {}
        self._series: list[dict[str, Any]] = []
        self._segments: list[tuple[int, Segment]] = []
        self._names: set[str] = set()
        self._rare: set[str] = set()
        self._counts = {name: Counter() for name in ("label", "regime", "corrupt")}
        self._infinite = np.zeros(len(schema.channels), np.int64)
        self._notes: list[str] = []

    def add(self, series: Series) -> None:
        """Append one series.

        Raises:
            DataError: If its arrays do not fit each other or the series before it.
            StoreError: If the disk does not take it.
        """
        check_series(series, self._schema)
        if series.name in self._names:
            raise DataError(f"series {series.name!r} comes twice: names must be unique")
        self._names.add(series.name)
        if series.rare:
            self._rare.add(series.entity)
        clock, cuts = self._clock(series)
        fixed = series.split if self._keep_fixed else None
        rows = len(series.values)
        runs = segments(rows, self._split, series.name, series.entity, fixed, cuts)
        self._write_values(series, runs)
        self._write_others(series)
        row = {"name": series.name, "entity": series.entity, "offset": self.rows, "rows": rows}
        self._segments += [(len(self._series), run) for run in runs]
        self._series.append(row | clock)
        self.rows += rows

    def finish(self, options: dict[str, Any], injection: dict[str, Any]) -> None:
        """Close the columns, write the tables, and last the manifest."""
        if not self.rows:
            raise DataError(f"source {self._source.name!r} yielded no rows at all")
        self._check_split()
        columns = {name: column.close() for name, column in self._columns.items()}
        tables = self._tables()
        with writing(self._path):
            for name, table in tables.items():
                pq.write_table(table, self._path / f"{name}.parquet")
        hashes = {name: table_hash(table) for name, table in tables.items()}
        manifest = self._manifest(options) | {"injection": injection}
        manifest |= {"columns": columns, "tables": hashes}
        manifest["hash"] = store_hash(manifest)
        with writing(self._path):
            (self._path / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str) + "\n")

    def abandon(self) -> None:
        """Close the files of a store that will not be finished."""
        for column in self._columns.values():
            column.abandon()

    def _check_split(self) -> None:
        names = self._names if self._split.by == "series" else self._all.keys()
        unknown = sorted(self._split.test - names)
        if not unknown or self._split.by == "time":
            return
        if self._keep_fixed:
            raise DataError(
                f"the raw files are incomplete: source {self._source.name!r} tests on "
                f"{len(self._split.test)} {self._split.by} names, {len(unknown)} of them are not "
                f"there: {', '.join(unknown)}; download them from {self._source.home}"
            )
        near = get_close_matches(unknown[0], names, n=1, cutoff=0.0)[0]
        raise DataError(
            f"split.test names {self._split.by} {unknown[0]!r}, which the source does not have; "
            f"the nearest is {near!r}"
        )

    def _clock(self, series: Series) -> tuple[dict[str, Any], list[int]]:
        """Clock columns of the series table, and the rows at which the clock jumped."""
        if series.time is None:
            return dict.fromkeys(_CLOCK_TYPES), []
        report = clock_report(series.time)
        if text := oddities(report):
            self._notes.append(f"series {series.name!r}: {text}")
        return asdict(report), gap_rows(series.time).tolist()

    def _write_values(self, series: Series, runs: list[Segment]) -> None:
        channels = len(self._schema.channels)
        moments = self._all.setdefault(series.entity, Moments(channels))
        train = self._train.setdefault(series.entity, Moments(channels))
        column = self._column("values", (channels,))
        for start, block in _blocks(series.values):
            infinite = np.isinf(block)
            if infinite.any():
                self._infinite += infinite.sum(axis=0)
                block = np.where(infinite, np.float32(np.nan), block)
            column.append(block)
            moments.add(block)
            for which, first, stop in runs:
                if which == TRAIN and first < start + len(block) and stop > start:
                    train.add(block[max(first - start, 0) : stop - start])

    def _write_others(self, series: Series) -> None:
        for name, fill in _FILLS.items():
            rows = getattr(series, name)
            if rows is None and name in ("time", "state") and name not in self._columns:
                continue  # a source without clocks or states has no such column
            column = self._column(name, () if rows is None else rows.shape[1:])
            if column.rows < self.rows:  # the series so far had none
                column.fill(self.rows - column.rows, fill)
            if rows is None:
                column.fill(len(series.values), fill)
            elif rows.shape[1:] != column.width:
                raise DataError(
                    f"series {series.name!r}: rows of {name} have shape {rows.shape[1:]}, those of "
                    f"the series before it {column.width}"
                )
            else:
                column.append(rows)
            if name in self._counts:
                self._counts[name].update(_count(rows, int(fill), len(series.values)))

    def _column(self, name: str, width: tuple[int, ...]) -> ColumnWriter:
        if name not in self._columns:
            path = self._path / f"{name}.npy"
            self._columns[name] = ColumnWriter(path, np.dtype(_DTYPES[name]), width)
        return self._columns[name]

    def _tables(self) -> dict[str, pa.Table]:
        text = pa.string()
        series = {"name": text, "entity": text, "offset": pa.int64(), "rows": pa.int64()}
        runs = [{"series": i, "split": w, "start": a, "stop": b} for i, (w, a, b) in self._segments]
        run = {"series": pa.int64(), "split": text, "start": pa.int64(), "stop": pa.int64()}
        number = pa.list_(pa.float64())
        entity = {"entity": text, "mean": number, "std": number}
        return {
            "series": pa.Table.from_pylist(self._series, pa.schema(series | _CLOCK_TYPES)),
            "segments": pa.Table.from_pylist(runs, pa.schema(run)),
            "entities": pa.Table.from_pylist(self._entities(), pa.schema(entity)),
        }

    def _entities(self) -> list[dict[str, Any]]:
        """Statistics per entity, of its train rows where a channel was observed in any."""
        rows = []
        for entity, own in self._all.items():
            train = self._train[entity]
            seen = train.count > 0
            mean, std = np.where(seen, train.mean, own.mean), np.where(seen, train.std, own.std)
            rows.append({"entity": entity, "mean": mean.tolist(), "std": std.tolist()})
            constant = np.where(seen, train.constant, own.constant)
            self._note(entity, own.count == 0, "never observed: mean 0, standard deviation 1")
            self._note(entity, constant, "constant in training: centred, not scaled")
            untrained = ~seen & (own.count > 0)
            self._note(entity, untrained, "not observed in training: normalised by all its rows")
        return rows

    def _note(self, entity: str, which: np.ndarray, what: str) -> None:
        if which.any():
            names = [
                name for name, chosen in zip(self._schema.channels, which, strict=True) if chosen
            ]
            self._notes.append(f"entity {entity!r}: {', '.join(names)}: {what}")

    def _manifest(self, options: dict[str, Any]) -> dict[str, Any]:
        split = asdict(self._split) | {"test": sorted(self._split.test)}
        observed = np.sum([moments.count for moments in self._all.values()], axis=0)
        infinite = self._infinite.tolist()
        if any(infinite):
            names = [c for c, n in zip(self._schema.channels, infinite, strict=True) if n]
            self._notes.append(
                f"{sum(infinite)} infinite values became missing values, values beyond float32 "
                f"(3.4e38) among them: {', '.join(names)}"
            )
        by_split = Counter()
        for _, (which, start, stop) in self._segments:
            by_split[which] += stop - start
        return {
            "format": FORMAT,
            "version": VERSION,
            "source": self._source.name,
            "title": self._source.title,
            "licence": self._source.licence,
            "options": options,
            "split": split,
            "channels": list(self._schema.channels),
            "regimes": list(self._schema.regimes),
            "rows": self.rows,
            "series": len(self._series),
            "entities": len(self._all),
            "rare_entities": sorted(self._rare),
            "rows_by_split": dict(by_split),
            "rows_by_code": {name: dict(sorted(c.items())) for name, c in self._counts.items()},
            "missing": [int(self.rows - seen) for seen in observed],
            "infinite": infinite,
            "notes": self._notes,
        }


def _count(codes: np.ndarray | None, lowest: int, rows: int) -> dict[int, int]:
    """Rows by code; of ``lowest`` alone if there are no codes."""
    if codes is None:
        return {lowest: rows}
    counts = np.bincount(codes.astype(np.int64) - lowest)
    return {lowest + i: int(count) for i, count in enumerate(counts) if count}


def _blocks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(values), BLOCK):
        yield start, np.asarray(values[start : start + BLOCK], np.float32)
