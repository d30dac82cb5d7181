"""Windows of a store, built on access: position i is a series, a start row, and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from torch import Tensor
from torch.utils.data import Dataset

from bandpass.data.series import UNKNOWN_REGIME, DataError
from bandpass.data.store import Store

CHUNK = 1 << 14
"""Windows whose codes are gathered at a time, so that memory does not grow with the question."""

Ids = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Batch:
    """Windows on their way into a model; what is known about them is left out on purpose.

    Attributes:
        values: (B, T, C) float32, normalised, 0 where nothing was observed.
        observed: (B, T, C) bool.
        draw: The very sequence of ids that was asked for, with whatever it carries.
    """

    values: Tensor
    observed: Tensor
    draw: Ids

    def to(self, device: torch.device | str) -> "Batch":
        """Copy the tensors to a device."""
        values = self.values.to(device, non_blocking=True)
        return replace(self, values=values, observed=self.observed.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Pin the tensors; called by a DataLoader with ``pin_memory=True``."""
        return replace(self, values=self.values.pin_memory(), observed=self.observed.pin_memory())


@dataclass(frozen=True)
class Skipped:
    """A run of rows that is shorter than a window and so contributes none."""

    series: str
    split: str
    rows: int


class Windows(Dataset[Batch]):
    """Every window of one split, numbered from 0 in store order.

    A window never leaves its run of rows, so it lies neither across a split nor across a large
    gap of the clock. Ids are stable: they depend on the store, length, stride and split alone.

    Attributes:
        store: The store.
        length: Rows per window.
        stride: Rows between the starts of neighbouring windows of a run.
        split: ``"train"``, ``"test"`` or None for both.
        skipped: The runs that are too short for a window.
    """

    def __init__(  # noqa: PLR0913 - each is one axis of the question which windows
        self,
        store: Store,
        length: int,
        stride: int,
        split: str | None,
        normalize: str = "entity",
        clip: float = 10.0,
    ) -> None:
        """Number the windows.

        Args:
            store: The store.
            length: Rows per window, at least 1.
            stride: Rows from one start to the next, at least 1.
            split: ``"train"``, ``"test"`` or None for both.
            normalize: ``"entity"`` centres and scales by the moments of the entity's train rows,
                ``"none"`` leaves the values as recorded.
            clip: Normalised values are cut to -clip .. clip; ignored with ``"none"``.

        Raises:
            DataError: If an argument is out of range or no run is as long as a window.
        """
        if length < 1 or stride < 1:
            raise DataError(f"length {length} and stride {stride} must both be at least 1")
        if split not in ("train", "test", None):
            raise DataError(f"split is {split!r}: use 'train', 'test' or None")
        if normalize not in ("entity", "none"):
            raise DataError(f"normalize is {normalize!r}: use 'entity' or 'none'")
        self.store, self.length, self.stride, self.split = store, length, stride, split
        self._clip = clip if normalize == "entity" else None
        self._number()
        mean, std = store.moments
        scale = np.minimum(1.0 / std, np.finfo(np.float32).max)
        self._mean = torch.from_numpy(mean.astype(np.float32))
        self._scale = torch.from_numpy(scale.astype(np.float32))
        self._views: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_views": {}}

    def __getitem__(self, ids: int | Ids) -> Batch:
        """Gather one window or several; always a `Batch`."""
        return self.__getitems__([ids] if isinstance(ids, int) else ids)

    def __getitems__(self, ids: Ids) -> Batch:
        """Gather windows in the order asked for; the DataLoader calls this once per batch.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        series, start = self.locate(ids)
        values = torch.from_numpy(self._gather("values", series, start))
        observed = values == values  # noqa: PLR0124 - false at NaN only, in one pass
        if self._clip is not None:
            entity = torch.from_numpy(self._entity[series])
            values.sub_(self._mean[entity].unsqueeze(1)).mul_(self._scale[entity].unsqueeze(1))
            values.clamp_(-self._clip, self._clip)
        return Batch(values.nan_to_num_(0.0), observed, ids)

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Where windows are: row of ``store.series`` and start row in it, each (B,) int64."""
        ids = np.asarray(ids, np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            bad = ids[(ids < 0) | (ids >= len(self))][0]
            raise IndexError(f"window {bad} is not in 0 .. {len(self) - 1}")
        run = np.searchsorted(self._first, ids, side="right") - 1
        return self._series[run], self._start[run] + (ids - self._first[run]) * self.stride

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """Index into ``store.entity_names``, (B,) int64; all windows if ``ids`` is None."""
        return self._in_chunks(ids, lambda series, start: self._entity[series], np.int64)

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """1 if any row is an event, else 0 if any row is labelled normal, else -1; (B,) int8."""

        def label(series: np.ndarray, start: np.ndarray) -> np.ndarray:
            return self._gather("label", series, start).max(axis=1)

        return self._in_chunks(ids, label, np.int8)

    def regimes(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent known regime, the lowest code among equals, -1 if none; (B,) int16."""

        def regime(series: np.ndarray, start: np.ndarray) -> np.ndarray:
            return most_frequent(self._gather("regime", series, start), UNKNOWN_REGIME)

        return self._in_chunks(ids, regime, np.int16)

    def corruptions(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent kind of corruption, the lowest among equals, 0 if clean; (B,) int8."""

        def kind(series: np.ndarray, start: np.ndarray) -> np.ndarray:
            return most_frequent(self._gather("corrupt", series, start), 0)

        return self._in_chunks(ids, kind, np.int8)

    def states(self, ids: Ids) -> np.ndarray:
        """Exact latent state of a simulation at the last row of each window, (B, k) float32.

        Raises:
            DataError: If the store has no states.
        """
        column = self.store.column("state")
        if column is None:
            raise DataError(f"{self.store.path} has no exact states: only simulated sources do")
        series, start = self.locate(ids)
        return column[self._offset[series] + start + self.length - 1]

    def _number(self) -> None:
        """Lay the windows of the split's runs out one after the other."""
        series, split, start, stop = (
            self.store.segments[name].to_numpy() for name in ("series", "split", "start", "stop")
        )
        keep = np.ones(len(split), bool) if self.split is None else split == self.split
        series, split, start, stop = (column[keep] for column in (series, split, start, stop))
        rows = stop - start
        fits = rows >= self.length
        names = self.store.series_names
        short = zip(series[~fits], split[~fits], rows[~fits], strict=True)
        self.skipped = [Skipped(names[s], str(which), int(n)) for s, which, n in short]
        if not fits.any():
            raise DataError(
                f"no window of {self.length} rows fits split {self.split!r} of {self.store.path}: "
                f"its {len(rows)} runs have at most {rows.max(initial=0)} rows; use shorter "
                f"windows or another split"
            )
        self._series, self._start = series[fits], start[fits]
        self._first = np.append(0, np.cumsum((rows[fits] - self.length) // self.stride + 1))
        self._offset = self.store.series["offset"].to_numpy()
        number = {name: i for i, name in enumerate(self.store.entity_names)}
        entity = self.store.series["entity"].to_pylist()
        self._entity = np.array([number[name] for name in entity], np.int64)

    def _gather(self, name: str, series: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Copy windows of a column: (B, length, *width)."""
        if name not in self._views:
            self._views[name] = _sliding(self.store.column(name), self.length)
        view = self._views[name]
        width = self.store.column(name).shape[1:]
        return view[self._offset[series] + start].reshape(len(start), self.length, *width)

    def _in_chunks(self, ids: Ids | None, describe: Any, dtype: type) -> np.ndarray:
        """Describe windows a chunk at a time, so that millions cost no more than thousands."""
        total = len(self) if ids is None else len(ids)
        out = np.empty(total, dtype)
        for chunk in _chunks(total):
            some = np.arange(chunk.start, chunk.stop) if ids is None else ids[chunk]
            out[chunk] = describe(*self.locate(some))
        return out


def as_is(batch: Batch) -> Batch:
    """Collate function for a DataLoader whose batches come whole out of `Windows`."""
    return batch


def most_frequent(codes: np.ndarray, nothing: int) -> np.ndarray:
    """Most frequent code above ``nothing`` in every row of (B, T); ``nothing`` where none is."""
    kinds = int(codes.max(initial=nothing)) - nothing
    if kinds <= 0:
        return np.full(len(codes), nothing, codes.dtype)
    counts = np.stack([(codes == nothing + 1 + k).sum(axis=1) for k in range(kinds)], axis=1)
    best = counts.argmax(axis=1)
    return np.where(counts.max(axis=1) > 0, nothing + 1 + best, nothing).astype(codes.dtype)


def _sliding(column: np.ndarray, length: int) -> np.ndarray:
    """View a (rows, *width) column as (rows - length + 1, length * width), each row a window.

    Indexing its first axis copies every chosen window in one piece, and the view itself is free.
    """
    width = int(np.prod(column.shape[1:], dtype=np.int64))
    item = column.itemsize
    shape = (len(column) - length + 1, length * width)
    return as_strided(column, shape, (width * item, item), writeable=False)


def _chunks(total: int) -> Iterator[slice]:
    for start in range(0, total, CHUNK):
        yield slice(start, min(start + CHUNK, total))
