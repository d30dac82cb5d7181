"""Where windows lie: numbered from 0 through the runs of a store, and never stored."""

from dataclasses import dataclass

import numpy as np

from bandpass.data.batch import Ids
from bandpass.data.recorded import Recorded
from bandpass.data.series import DataError
from bandpass.data.splits import TEST, TRAIN


@dataclass(frozen=True)
class Skipped:
    """A run of rows that is shorter than a window and so contributes none."""

    series: str
    split: str
    rows: int


class Numbering:
    """The windows of one split, in store order.

    A window never leaves its run of rows, so it lies neither across a split nor across a gap. Ids
    are stable: they depend on the store, length, stride and split alone.

    Args:
        store: Has the runs.
        length: Rows from the first to the last of a window, both counted, at least 1.
        stride: Rows from one start to the next in a run, at least 1.
        split: ``"train"``, ``"test"`` or None for both.

    Attributes:
        series: (runs,) row of ``store.series`` of each run that is long enough.
        skipped: The runs that are too short for a window.

    Raises:
        DataError: If an argument is out of range or no run is as long as a window.
    """

    def __init__(self, store: Recorded, length: int, stride: int, split: str | None) -> None:
        if length < 1 or stride < 1:
            raise DataError(f"length {length} and stride {stride} must both be at least 1")
        if split not in (TRAIN, TEST, None):
            raise DataError(f"split is {split!r}: use 'train', 'test' or None")
        columns = ("series", "split", "start", "stop")
        series, which, start, stop = (store.segments[name].to_numpy() for name in columns)
        keep = np.ones(len(which), bool) if split is None else which == split
        series, which, start, stop = (column[keep] for column in (series, which, start, stop))
        rows = stop - start
        fits = rows >= length
        short = zip(series[~fits], which[~fits], rows[~fits], strict=True)
        names = store.series_names
        self.skipped = [Skipped(names[s], str(side), int(n)) for s, side, n in short]
        if not len(rows):
            raise DataError(
                f"split {split!r} of {store.path} has no rows: use another split, or prepare "
                "longer recordings"
            )
        if not fits.any():
            raise DataError(
                f"no window of {length} rows fits split {split!r} of {store.path}: its "
                f"{len(rows)} runs have at most {rows.max(initial=0)} rows; use shorter windows "
                "or another split"
            )
        self.series = series[fits]
        self.offsets = store.series["offset"].to_numpy()
        self._stride = stride
        self._first = np.append(0, np.cumsum((rows[fits] - length) // stride + 1))
        # Window i of a run starts at row base + i * stride of the store's columns.
        self._base = self.offsets[self.series] + start[fits] - self._first[:-1] * stride

    def __len__(self) -> int:
        return int(self._first[-1])

    def rows(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Run of each window, and the row of the store's columns that it starts at, (B,) each.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        ids = np.asarray(ids, np.int64)
        outside = (ids < 0) | (ids >= len(self))
        if outside.any():
            raise IndexError(f"window {ids[outside][0]} is not in 0 .. {len(self) - 1}")
        run = np.searchsorted(self._first, ids, side="right") - 1
        return run, self._base[run] + ids * self._stride

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Row of ``store.series`` of each window and its start in that series, (B,) each."""
        run, at = self.rows(ids)
        series = self.series[run]
        return series, at - self.offsets[series]
