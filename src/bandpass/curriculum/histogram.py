"""Decayed histograms of surprise, one per bucket, over 512 fixed logarithmic bins.

Positions on the score axis are counted in bins (float, bin k covers [k, k + 1)), which makes
quantiles, medians and robust scales free of units.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 512
DECADES = 10
WIDTH = DECADES * math.log(10) / BINS  # of a bin, in log-score units: a factor of 1.046
LEAST_VARIANCE = float(np.finfo(np.float32).tiny)
BARELY = 1e-12  # of an observation: enough for ranks to be defined where nothing was observed


def borrow(rows: Floats, weight: Floats, enough: float, parents: Ints | None = None) -> Floats:
    """Complete thin rows with as much of their parent's row as they lack.

    A parent is the sum of its children, and where that is thin too it borrows from the sum of
    all: a series from its machine, a machine from the fleet.

    Args:
        rows: (buckets, K) decayed sums.
        weight: (buckets,) observations in each row.
        enough: Observations from which on a row stands for itself.
        parents: (buckets,) ints from 0, the parent of each row; all have one if None.

    Returns:
        (buckets, K): a full row unchanged, an empty one its parent's shape.
    """
    if parents is None:
        parent_rows, parent_weight = rows.sum(axis=0), weight.sum()
    else:
        sums = np.zeros((int(parents.max()) + 1, rows.shape[1]))
        np.add.at(sums, parents, rows)
        weights = np.bincount(parents, weights=weight).astype(np.float64)
        parent_rows = borrow(sums, weights, enough)[parents]
        parent_weight = np.maximum(weights, enough)[parents, None]
    lack = np.maximum(enough - weight, 0)
    return rows + lack[:, None] * (parent_rows / parent_weight)


def ranks(counts: Floats) -> Floats:
    """(..., BINS) -> (..., BINS): share of the mass below the middle of each bin."""
    below = np.cumsum(counts, axis=-1)
    return (below - counts / 2) / below[..., -1:]


def position(counts: Floats, q: float) -> Floats:
    """(R, BINS) -> (R,): the q-quantile of each row, interpolated within its bin."""
    below = np.cumsum(counts, axis=1)
    target = q * below[:, -1:]
    at = np.minimum((below < target).sum(axis=1), BINS - 1)
    row = np.arange(len(counts))
    inside = counts[row, at]
    part = (target[:, 0] - (below[row, at] - inside)) / np.where(inside > 0, inside, 1)
    return at + np.clip(part, 0, 1)


def tail(counts: Floats, q: float) -> tuple[Floats, Floats]:
    """Median and 1.4826 MAD of the part of each row above its q-quantile, in bins.

    On a stream that is mostly background, median and MAD of the whole are those of the
    background, and the rare states that one looks for lie many of those away from it.

    Args:
        counts: (R, BINS), each with some mass.
        q: In [0, 1).

    Returns:
        (R,) medians and (R,) scales.
    """
    below = np.cumsum(counts, axis=1)
    above = np.clip(below - q * below[:, -1:], 0, counts)
    middle = position(above, 0.5)
    distance = np.abs(np.arange(BINS) + 0.5 - middle[:, None])
    order = np.argsort(distance, axis=1)
    mass = np.cumsum(np.take_along_axis(above, order, axis=1), axis=1)
    at = np.argmax(mass >= mass[:, -1:] / 2, axis=1)
    row = np.arange(len(counts))
    return middle, 1.4826 * distance[row, order[row, at]]


class LogHistogram:
    """Per-bucket histograms of the log-score that forget at a fixed rate per step.

    The axis spans 10 decades around the median of the first batch, so the scale of the loss
    does not matter; scores beyond its ends count in the outermost bins.

    Args:
        buckets: Number of rows.
        decay: Factor per step.
        enough: Observations below which a bucket borrows from its parent.
        parents: (buckets,) ints from 0; one parent for all if None.
    """

    def __init__(
        self, buckets: int, decay: float, enough: float, parents: Ints | None = None
    ) -> None:
        self._decay = decay
        self._enough = enough
        self._parents = parents
        # One observation spread flat, soon forgotten: ranks are defined from the start.
        self._counts: Floats = np.full((buckets, BINS), 1 / (buckets * BINS))
        self._start: float | None = None

    def counts(self, instead: Ints | None = None) -> Floats:
        """(buckets, BINS) recent counts, thin buckets completed from their parents.

        Args:
            instead: (buckets, BINS) what to complete in place of the recent counts.
        """
        own = self._own() if instead is None else instead.astype(np.float64) + BARELY
        return borrow(own, own.sum(axis=1), self._enough, self._parents)

    @property
    def placed(self) -> bool:
        """Whether the axis is fixed: a finite score has been seen."""
        return self._start is not None

    def ready(self) -> bool:
        """Whether enough was observed, over all buckets, to judge extremes by."""
        return bool(self._own().sum() >= self._enough)

    def bins(self, scores: Floats) -> Floats:
        """Log-scores to positions on the axis, kept within it; fixes the axis at first use."""
        if self._start is None:
            usable = scores[np.isfinite(scores)]
            if not len(usable):
                raise ValueError(
                    "no score of the first batch is finite (a loss of 0 has none): there is "
                    "nothing to rank"
                )
            self._start = float(np.median(usable)) - WIDTH * BINS / 2
        return np.clip((scores - self._start) / WIDTH, 0, BINS - 1e-3)

    def scores(self, bins: NDArray[np.floating]) -> Floats:
        """Positions on the axis back to log-scores; NaN as long as there is no axis."""
        start = np.nan if self._start is None else self._start
        return start + WIDTH * bins.astype(np.float64)

    def add(self, buckets: Ints, bins: Floats, weights: Floats) -> None:
        """Forget a step's worth, then count observations (all three (B,))."""
        self._counts *= self._decay
        np.add.at(self._counts, (buckets, bins.astype(np.int64)), weights)

    def merge(self, other: "LogHistogram") -> None:
        """Add what another process or tenant has counted on the same axis.

        Raises:
            ValueError: The axes or the buckets differ.
        """
        if other._start != self._start or other._counts.shape != self._counts.shape:
            raise ValueError(
                f"histograms on different axes cannot be merged: {self._counts.shape} from "
                f"{self._start}, {other._counts.shape} from {other._start}"
            )
        self._counts += other._counts

    def state_dict(self) -> dict[str, Any]:
        """Counts and axis."""
        return {"counts": torch.tensor(self._counts), "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved counts and axis."""
        self._counts = state["counts"].numpy().copy()
        self._start = state["start"]

    def _own(self) -> Floats:
        return self._counts


class WindowHistogram(LogHistogram):
    """The same over a moving window: the last `window` scores count fully, older ones not at all.

    Args:
        buckets: Number of rows.
        window: Scores kept, over all buckets.
        enough: Observations below which a bucket borrows from its parent.
        parents: (buckets,) ints from 0; one parent for all if None.
    """

    def __init__(
        self, buckets: int, window: int, enough: float, parents: Ints | None = None
    ) -> None:
        super().__init__(buckets, 1.0, enough, parents)
        self._ring: Floats = np.zeros((window, 3))  # bucket, position, weight (0: empty)
        self._next = 0

    def add(self, buckets: Ints, bins: Floats, weights: Floats) -> None:
        """Count observations (all three (B,)) in place of the oldest ones."""
        places = (self._next + np.arange(len(bins))) % len(self._ring)
        self._ring[places] = np.column_stack([buckets, bins, weights])
        self._next = (self._next + len(bins)) % len(self._ring)

    def state_dict(self) -> dict[str, Any]:
        """Ring and axis."""
        ring = {"ring": torch.tensor(self._ring), "next": self._next}
        return super().state_dict() | ring

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved ring and axis."""
        super().load_state_dict(state)
        self._ring = state["ring"].numpy().copy()
        self._next = state["next"]

    def merge(self, other: LogHistogram) -> None:
        """Not defined: whose scores would be the older ones?"""
        raise TypeError("moving windows cannot be merged: use the decayed histogram (recent)")

    def _own(self) -> Floats:
        counts = self._counts.copy()
        bucket, position, weight = self._ring.T
        np.add.at(counts, (bucket.astype(np.int64), position.astype(np.int64)), weight)
        return counts


class TargetVariance:
    """Decayed per-bucket variance of the embeddings: the scale that a loss is measured on.

    Args:
        buckets: Number of rows.
        decay: Factor per step.
        enough: Observations below which a bucket borrows from its parent.
        parents: (buckets,) ints from 0; one parent for all if None.
    """

    def __init__(
        self, buckets: int, decay: float, enough: float, parents: Ints | None = None
    ) -> None:
        self._decay = decay
        self._enough = enough
        self._parents = parents
        self._weight: Floats = np.zeros(buckets)
        self._moments: Floats = np.zeros((buckets, 0))  # D sums, then the sum of squares

    def add(self, buckets: Ints, embeddings: Floats, weights: Floats) -> None:
        """Count (B, D) embeddings with (B,) weights."""
        rows = np.column_stack([embeddings, (embeddings**2).sum(axis=1)])
        if self._moments.shape[1] == 0:
            self._moments = np.zeros((len(self._weight), rows.shape[1]))
        self._moments *= self._decay
        self._weight *= self._decay
        np.add.at(self._moments, buckets, rows * weights[:, None])
        np.add.at(self._weight, buckets, weights)

    def log(self) -> Floats:
        """(buckets,) log of the variance, averaged over dimensions."""
        moments = borrow(self._moments, self._weight, self._enough, self._parents)
        moments = moments / np.maximum(self._weight, self._enough)[:, None]
        variance = (moments[:, -1] - (moments[:, :-1] ** 2).sum(axis=1)) / (moments.shape[1] - 1)
        return np.log(np.maximum(variance, LEAST_VARIANCE))

    def state_dict(self) -> dict[str, Any]:
        """Weight and moments."""
        return {"weight": torch.tensor(self._weight), "moments": torch.tensor(self._moments)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved weight and moments."""
        self._weight = state["weight"].numpy().copy()
        self._moments = state["moments"].numpy().copy()
