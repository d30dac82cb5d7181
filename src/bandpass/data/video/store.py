"""A video corpus on disk: all recordings end to end, uint8 frames and what is known of each."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bandpass.data.columns import Columns
from bandpass.data.manifest import MEND, StoreError, store_hash, table_hash
from bandpass.data.splits import TRAIN
from bandpass.data.video.access import Reader
from bandpass.data.video.marks import MARKS, mark_frames
from bandpass.data.video.scaling import FrameSettings

MODALITY = "video"
TABLES = ("series", "segments", "entities", "events")


class ClipStore:
    """Recordings as frames of one size at one rate, read-only; `open_store` makes one.

    Attributes:
        modality: "video".
        path: The directory.
        manifest: Counts, settings, notes and hashes, as in ``manifest.json``.
        series: Table with a row per recording: name, entity, offset (first row in the columns),
            rows, and what is known of the file.
        segments: Table of the runs that clips may lie in: series (row of ``series``), split, start
            and stop relative to the recording.
        entities: Table with a row per entity: entity, and deviation, the root mean square of
            frames minus their background over its train rows, in levels.
        events: Table of labelled stretches: series, start and stop (rows relative to the
            recording), label, track.
    """

    modality = MODALITY

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        tables = [pq.read_table(path / f"{name}.parquet") for name in TABLES]
        self.series, self.segments, self.entities, self.events = tables
        self._columns = Columns(path, manifest["columns"])

    def __repr__(self) -> str:
        height, width, colours = self.shape
        return (
            f"ClipStore({str(self.path)!r}: {self.rows} frames of {height} x {width} x {colours} "
            f"at {self.fps:g}/s, {self.series.num_rows} recordings)"
        )

    @property
    def rows(self) -> int:
        """Frames of all recordings together."""
        return self.manifest["rows"]

    @property
    def fps(self) -> float:
        """Rows a second."""
        return self.manifest["fps"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, colours) of a frame."""
        height, width, colours = self.manifest["frame"]
        return height, width, colours

    @cached_property
    def channels(self) -> list[str]:
        """Names of the numbers in a frame, row by row: y, x and, of several, the colour."""
        height, width, colours = self.shape
        tails = [""] if colours == 1 else [f":{colour}" for colour in "rgb"[:colours]]
        return [f"{y}:{x}{tail}" for y in range(height) for x in range(width) for tail in tails]

    @property
    def regimes(self) -> list[str]:
        """Names of what happens, of the track "action", in code order; empty if there are none."""
        return self.manifest["regimes"]

    @property
    def hash(self) -> str:
        """Hash over everything that clips are made of; equal stores have equal hashes."""
        return self.manifest["hash"]

    @cached_property
    def series_names(self) -> list[str]:
        """Recording names in store order."""
        return self.series["name"].to_pylist()

    @cached_property
    def entity_names(self) -> list[str]:
        """Entity names in the order of ``entities``."""
        return self.entities["entity"].to_pylist()

    @cached_property
    def entity_of_series(self) -> np.ndarray:
        """Index into ``entity_names`` of every recording, (recordings,) int64."""
        number = {name: i for i, name in enumerate(self.entity_names)}
        return np.array([number[name] for name in self.series["entity"].to_pylist()], np.int64)

    @cached_property
    def deviations(self) -> np.ndarray:
        """(entities,) float32: what a frame of each usually deviates from its background."""
        return self.entities["deviation"].to_numpy().astype(np.float32)

    @cached_property
    def train_rows(self) -> np.ndarray:
        """(rows,) bool: in a run of the training side."""
        found = np.zeros(self.rows, bool)
        offset = self.series["offset"].to_numpy()
        for run in self.segments.to_pylist():
            if run["split"] == TRAIN:
                first = offset[run["series"]]
                found[first + run["start"] : first + run["stop"]] = True
        return found

    @cached_property
    def marks(self) -> np.ndarray:
        """(rows, MARKS) bool: weak labels of frames, of their signals alone; see `marks.MARKS`."""
        found = np.empty((self.rows, len(MARKS)), bool)
        places = (self.series[name].to_pylist() for name in ("offset", "rows"))
        for first, rows in zip(*places, strict=True):
            own = slice(first, first + rows)
            found[own] = mark_frames(self.column("signals")[own], self.fps)
        return found

    def column(self, name: str) -> np.ndarray:
        """Map a column: frames, missing, label, regime, corrupt, signals, backgrounds, or state.

        Raises:
            StoreError: If the store has no such column.
        """
        return self._columns[name]

    def frames_of(self, rows: np.ndarray) -> np.ndarray:
        """Frames of rows (n,) int64: (n, height, width, colours) uint8.

        Mapped, or decoded now if the store was prepared with ``cache=false``.

        Raises:
            StoreError: If a file they are decoded from is gone or has changed.
        """
        if self.cached:
            return self.column("frames")[rows]
        offsets = self.series["offset"].to_numpy()
        series = np.searchsorted(offsets, rows, side="right") - 1
        frames = np.empty((len(rows), *self.shape), np.uint8)
        for number in np.unique(series).tolist():
            own = series == number
            shown, stamps = (self.column(name)[rows[own]] for name in ("shown", "stamps"))
            frames[own] = self._reader(number, shown, stamps)
        return frames

    @property
    def cached(self) -> bool:
        """Whether the frames are in the store."""
        return "frames" in self.manifest["columns"]

    @cached_property
    def _reader(self) -> Reader:
        height, width, colours = self.shape
        colour = "grey" if colours == 1 else "rgb"
        return Reader.of_store(self.path, FrameSettings((height, width), self.fps, colour))

    def verify(self) -> None:
        """Read every column and table again and compare the hashes with the manifest.

        Raises:
            StoreError: If one differs; names it.
        """
        self._columns.verify()
        for name, expected in self.manifest["tables"].items():
            if table_hash(getattr(self, name)) != expected:
                raise StoreError(f"{self.path / name}.parquet has changed: {MEND}")
        if store_hash(self.manifest) != self.hash:
            raise StoreError(f"{self.path} has changed since it was written: {MEND}")
