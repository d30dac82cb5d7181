"""Source frames at the times they have to rows at an even rate."""

import math
from array import array
from collections.abc import Callable
from itertools import repeat
from typing import NamedTuple

import numpy as np

from bandpass.data.columns import ColumnWriter

NOTHING = -1
"""What a missing row shows."""

_EARLY = 1e-6
"""Rows of slack for rounded times."""

_BLOCK_BYTES = 1 << 20
"""Frames are written when they are so many."""


class Shot(NamedTuple):
    """A source frame.

    Attributes:
        index: Of the frame in its source.
        time: Seconds; never less than that of the shot before.
        pixels: Makes the (height, width, colours) uint8 of the row; None if it cannot be read.
        lost: Whether frames just before it are known to be lost.
        stamp: Timestamp of the frame in its file's units, by which it is found again; `NOTHING` if
            it has none.
    """

    index: int
    time: float
    pixels: Callable[[], np.ndarray | None]
    lost: bool = False
    stamp: int = NOTHING


class RowWriter:
    """Writes frames to a ``.npy`` file as they come, a block at a time in memory.

    Args:
        file: The column to write.
    """

    def __init__(self, file: ColumnWriter) -> None:
        self._file = file
        rows = max(1, _BLOCK_BYTES // math.prod(file.width))
        self._block = np.zeros((rows, *file.width), np.uint8)
        self._filled = 0
        self._shown, self._stamps = array("q"), array("q")

    def add(self, shot: Shot | None, rows: int) -> None:
        """Append rows that show a shot, or nothing."""
        frame = None if shot is None else shot.pixels()
        nothing = shot is None or frame is None
        index, stamp = (NOTHING, NOTHING) if nothing else (shot.index, shot.stamp)
        self._shown.extend(repeat(index, rows))
        self._stamps.extend(repeat(stamp, rows))
        for _ in range(rows):
            self._block[self._filled] = 0 if frame is None else frame
            self._filled += 1
            if self._filled == len(self._block):
                self._flush()

    def forget_stamps(self) -> None:
        """Have none, because they do not tell shots apart."""
        self._stamps = array("q", repeat(NOTHING, len(self._stamps)))

    def close(self) -> tuple[np.ndarray, np.ndarray]:
        """Finish the file.

        Returns:
            Index and timestamp of the shot in each row, (F,) int64 each, `NOTHING` if missing.
        """
        self._flush()
        self._file.close()
        return np.array(self._shown, np.int64), np.array(self._stamps, np.int64)

    @property
    def rows(self) -> int:
        """Rows so far."""
        return len(self._shown)

    def _flush(self) -> None:
        self._file.append(self._block[: self._filled])
        self._filled = 0


class Resampler:
    """Shows in row i the last shot that is at most half a source frame after i / fps.

    The half makes rounded timestamps harmless, and is that of the usual frame or of the distance
    to the next one, whichever is less. A gap is not bridged by holding its first frame: rows from
    one usual frame into it until its end are missing. Only shots that are shown are made pixels.

    Args:
        out: Where rows go.
        fps: Rows a second.
        step: Usual seconds between shots.
        gap: Seconds; a longer time between shots is a gap. Where frames are known to be lost, one
            and a half steps are.

    Attributes:
        zero: When the first frame was, on the clock of the shots.
    """

    def __init__(self, out: RowWriter, fps: float, step: float, gap: float) -> None:
        self._out, self._fps, self._step, self._gap = out, fps, step, gap
        self.zero = 0.0
        self._held: Shot | None = None
        self._between = step

    def add(self, shot: Shot, before: int = 0) -> None:
        """Take the next shot; ``before`` tells of the first how many of its source's are lost."""
        if self._held is None:
            self.zero = shot.time - before * self._step
            if before:
                self._lack(self._since(shot) - self._step / 2)
        else:
            away = shot.time - self._held.time
            half = min(self._step, away) / 2
            self._until(self._since(shot) - half, half, lost=shot.lost)
            self._between = away or self._between
        self._held = shot

    def end(self, end: float | None = None, *, lost: bool = False) -> float:
        """Finish the rows.

        Args:
            end: When the recording ends, as its file declares, on the clock of the shots.
            lost: Whether frames at the end are known to be lost.

        Returns:
            Seconds that are missing at the end.
        """
        if self._held is None:
            return 0.0
        last = self._since(self._held) + min(self._step, self._between)
        self._show(last)
        allowed = self._step / 2 if lost else self._gap
        missing = 0.0 if end is None else end - self.zero - last
        if missing <= allowed:
            return 0.0
        self._lack(last + missing)
        return missing

    @property
    def now(self) -> float:
        """When the last shot was, on the clock of the shots."""
        return self.zero if self._held is None else self._held.time

    def _since(self, shot: Shot) -> float:
        return shot.time - self.zero

    def _until(self, to: float, half: float, *, lost: bool) -> None:
        assert self._held is not None
        limit = 1.5 * self._step if lost else self._gap
        if to + half - self._since(self._held) > limit:
            self._show(self._since(self._held) + self._step - half)
            self._lack(to)
        else:
            self._show(to)

    def _show(self, to: float) -> None:
        if rows := self._left(to):
            self._out.add(self._held, rows)

    def _lack(self, to: float) -> None:
        self._out.add(None, self._left(to))

    def _left(self, to: float) -> int:
        """Rows before a time, in seconds from the first frame, that are not written yet."""
        return max(0, math.ceil(to * self._fps - _EARLY) - self._out.rows)
