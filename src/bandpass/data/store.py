"""The store on disk: every series end to end in flat, memory-mapped columns."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from bandpass.data.manifest import MEND, StoreError, check_manifest, read_manifest
from bandpass.data.recorded import Recorded
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.video.store import ClipStore


class Store(Recorded):
    """A prepared corpus of series, read-only; `open_store` makes one.

    Its columns are values, label, regime and corrupt, and time or state if the source has them.

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

    def __repr__(self) -> str:
        return (
            f"Store({str(self.path)!r}: {self.rows} rows, {len(self.channels)} channels, "
            f"{self.series.num_rows} series of {self.entities.num_rows} entities)"
        )

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

    @cached_property
    def rare_entities(self) -> np.ndarray:
        """Indices into ``entity_names`` of entities kept rare on purpose, int64, often none."""
        rare = self.manifest.get("rare_entities", [])  # a store of an older writer names none
        return np.flatnonzero(np.isin(self.entity_names, rare))

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
