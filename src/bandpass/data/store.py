"""The store on disk: every series end to end in flat, memory-mapped columns."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data.columns import Columns
from bandpass.data.manifest import (
    MANIFEST,
    MEND,
    StoreError,
    check_manifest,
    read_manifest,
    store_hash,
    table_hash,
)
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.video.store import ClipStore

TABLES = ("series", "segments", "entities")


class Store:
    """A prepared corpus, read-only: the manifest, three small tables and memory-mapped columns.

    Columns are opened on first use and dropped on pickling, so that every loader worker maps the
    files itself and a store costs a worker no more than its tables. `open_store` makes one.

    Attributes:
        modality: "series".
        path: The directory.
        manifest: Counts, settings, statistics, notes and hashes, as in ``manifest.json``.
        series: Table with a row per series: name, entity, offset (first row in the columns),
            rows, and the clock report.
        segments: Table of the runs windows may lie in: series (row of ``series``), split, start
            and stop relative to the series.
        entities: Table with a row per entity: entity, mean and std per channel.
    """

    modality = "series"

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        tables = [pq.read_table(path / f"{name}.parquet") for name in TABLES]
        self.series, self.segments, self.entities = tables
        self._columns = Columns(path, manifest["columns"])

    def __repr__(self) -> str:
        return (
            f"Store({str(self.path)!r}: {self.rows} rows, {len(self.channels)} channels, "
            f"{self.series.num_rows} series of {self.entities.num_rows} entities)"
        )

    @property
    def rows(self) -> int:
        """Rows of all series together."""
        return self.manifest["rows"]

    @cached_property
    def missing(self) -> int:
        """Values of all series together that are missing, infinite ones among them."""
        return sum(self.manifest["missing"])

    @property
    def channels(self) -> list[str]:
        """Channel names in column order."""
        return self.manifest["channels"]

    @property
    def shape(self) -> tuple[int]:
        """Of a row: (channels,)."""
        return (len(self.channels),)

    @property
    def regimes(self) -> list[str]:
        """Regime names in code order, empty if the source has none."""
        return self.manifest["regimes"]

    @property
    def hash(self) -> str:
        """Hash over everything that windows are made of; equal stores have equal hashes."""
        return self.manifest["hash"]

    @cached_property
    def series_names(self) -> list[str]:
        """Series names in store order."""
        return self.series["name"].to_pylist()

    @cached_property
    def entity_names(self) -> list[str]:
        """Entity names in the order of ``Windows.entities``."""
        return self.entities["entity"].to_pylist()

    @cached_property
    def rare_entities(self) -> np.ndarray:
        """Indices into ``entity_names`` of entities kept rare on purpose, int64, often none."""
        rare = self.manifest.get("rare_entities", [])  # a store of an older writer names none
        return np.flatnonzero(np.isin(self.entity_names, rare))

    @cached_property
    def entity_of_series(self) -> np.ndarray:
        """Index into ``entity_names`` of every series, (series,) int64."""
        number = {name: i for i, name in enumerate(self.entity_names)}
        return np.array([number[name] for name in self.series["entity"].to_pylist()], np.int64)

    @cached_property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation that normalise an entity, each (entities, channels) float64.

        Over the observed values of its train rows. Where a channel has none of those, over all
        rows of the entity; where it was never observed, 0 and 1. A channel that is constant has
        standard deviation 1: it is centred, not scaled.
        """
        shape = (self.entities.num_rows, len(self.channels))
        mean, std = (
            self.entities[name].combine_chunks().flatten().to_numpy().reshape(shape)
            for name in ("mean", "std")
        )
        return mean, std

    def column(self, name: str) -> np.ndarray:
        """Map a column: values, label, regime, corrupt, and time or state if the source has them.

        Returns:
            A read-only memory map with ``rows`` rows.

        Raises:
            StoreError: If the store has no such column.
        """
        return self._columns[name]

    def verify(self) -> None:
        """Read every column and table again and compare the hashes with the manifest.

        Raises:
            StoreError: If one differs; names it.
        """
        self._columns.verify()
        tables = {"series": self.series, "segments": self.segments, "entities": self.entities}
        for name, expected in self.manifest["tables"].items():
            if table_hash(tables[name]) != expected:
                raise StoreError(f"{self.path / name}.parquet has changed: {MEND}")
        if store_hash(self.manifest) != self.hash:
            raise StoreError(f"{self.path / MANIFEST} has changed since it was written: {MEND}")


AnyStore = Store | ScheduleStore | ClipStore
"""What `open_store` opens."""


def open_store(path: Path | str) -> AnyStore:
    """Open a prepared store; cheap, nothing but the manifest and the tables is read.

    Args:
        path: The directory that `prepare` wrote.

    Returns:
        A `Store` of series, a `ScheduleStore` or a `ClipStore`, by what the manifest says.

    Raises:
        StoreError: If it is not a store, is of another version, or a column does not have the
            size in the manifest.
    """
    path = Path(path)
    manifest = read_manifest(path)
    check_manifest(path, manifest)
    if manifest.get("modality") == ScheduleStore.modality:
        return ScheduleStore(path, manifest)
    kind = ClipStore if manifest.get("modality") == ClipStore.modality else Store
    try:
        return kind(path, manifest)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"a table of {path} cannot be read: {error}: {MEND}") from error
