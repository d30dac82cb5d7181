"""What stores of recordings have in common: series end to end in columns, and tables of them."""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data.columns import Columns
from bandpass.data.manifest import MANIFEST, MEND, StoreError, store_hash, table_hash


class Recorded:
    """A store of recordings that runs of rows are cut from: of series, or of videos.

    Columns are opened on first use and dropped on pickling, so that every loader worker maps the
    files itself and a store costs a worker no more than its tables.
    """

    tables: ClassVar[tuple[str, ...]] = ("series", "segments", "entities")

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._tables = {name: pq.read_table(path / f"{name}.parquet") for name in self.tables}
        self._columns = Columns(path, manifest["columns"])

    @property
    def series(self) -> pa.Table:
        """A row per recording."""
        return self._tables["series"]

    @property
    def segments(self) -> pa.Table:
        """A row per run of rows that windows may lie in."""
        return self._tables["segments"]

    @property
    def entities(self) -> pa.Table:
        """A row per entity."""
        return self._tables["entities"]

    @property
    def rows(self) -> int:
        """Rows of all recordings together."""
        return self.manifest["rows"]

    @property
    def regimes(self) -> list[str]:
        """Names of what happens in code order, empty if the source has none."""
        return self.manifest["regimes"]

    @property
    def hash(self) -> str:
        """Hash over everything that windows are made of; equal stores have equal hashes."""
        return self.manifest["hash"]

    @cached_property
    def series_names(self) -> list[str]:
        """Names of the recordings in store order."""
        return self.series["name"].to_pylist()

    @cached_property
    def entity_names(self) -> list[str]:
        """Names of the entities in the order of ``entities``."""
        return self.entities["entity"].to_pylist()

    @cached_property
    def entity_of_series(self) -> np.ndarray:
        """Index into ``entity_names`` of every recording, (recordings,) int64."""
        number = {name: i for i, name in enumerate(self.entity_names)}
        return np.array([number[name] for name in self.series["entity"].to_pylist()], np.int64)

    def column(self, name: str) -> np.ndarray:
        """Map a column.

        Returns:
            A read-only memory map.

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
        for name, expected in self.manifest["tables"].items():
            if table_hash(self._tables[name]) != expected:
                raise StoreError(f"{self.path / name}.parquet has changed: {MEND}")
        if store_hash(self.manifest) != self.hash:
            raise StoreError(f"{self.path / MANIFEST} has changed since it was written: {MEND}")
