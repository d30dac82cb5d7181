"""A video corpus on disk: all recordings end to end, uint8 frames and what is known of each."""

from functools import cached_property

import numpy as np
import pyarrow as pa

from bandpass.data.recorded import Recorded
from bandpass.data.splits import TRAIN
from bandpass.data.video.access import Reader
from bandpass.data.video.marks import MARKS, mark_frames
from bandpass.data.video.scaling import FrameSettings

MODALITY = "video"


class ClipStore(Recorded):
    """Recordings as frames of one size at one rate, read-only; `open_store` makes one.

    Its columns are frames (unless they are decoded on access), missing, label, regime, corrupt,
    signals, backgrounds, a row per recording, and state if the source has it.

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
    tables = (*Recorded.tables, "events")

    def __repr__(self) -> str:
        height, width, colours = self.shape
        return (
            f"ClipStore({str(self.path)!r}: {self.rows} frames of {height} x {width} x {colours} "
            f"at {self.fps:g}/s, {self.series.num_rows} recordings)"
        )

    @property
    def events(self) -> pa.Table:
        """A row per labelled stretch."""
        return self._tables["events"]

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
