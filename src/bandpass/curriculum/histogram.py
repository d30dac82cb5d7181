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

BINS = 512
DECADES = 10
WIDTH = DECADES * math.log(10) / BINS  # of a bin, in log-score units: a factor of 1.046


def borrow(rows: Floats, weight: Floats, enough: float) -> Floats:
    """Complete thin rows with as much of the pooled row as they lack.

    Args:
        rows: (buckets, K) decayed sums.
        weight: (buckets,) observations in each row.
        enough: Observations from which on a row stands for itself.

    Returns:
        (buckets, K): a full row unchanged, an empty one the pool's shape.
    """
    lack = np.maximum(enough - weight, 0)
    return rows + lack[:, None] * (rows.sum(axis=0) / weight.sum())


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
        enough: Observations below which a bucket borrows from the pool.
    """

    def __init__(self, buckets: int, decay: float, enough: float) -> None:
        self._decay = decay
        self._enough = enough
        # One observation spread flat, soon forgotten: ranks are defined from the start.
        self._counts: Floats = np.full((buckets, BINS), 1 / (buckets * BINS))
        self._start: float | None = None

    def counts(self) -> Floats:
        """(buckets, BINS) decayed counts, thin buckets completed from the pool."""
        return borrow(self._counts, self._counts.sum(axis=1), self._enough)

    def ready(self) -> bool:
        """Whether enough was observed, over all buckets, to judge extremes by."""
        return bool(self._counts.sum() >= self._enough)

    def bins(self, scores: Floats) -> Floats:
        """Log-scores to positions on the axis, kept within it; fixes the axis at first use."""
        if self._start is None:
            usable = scores[np.isfinite(scores)]
            if not len(usable):
                raise ValueError("every loss of the first batch is 0: there is nothing to rank")
            self._start = float(np.median(usable)) - WIDTH * BINS / 2
        return np.clip((scores - self._start) / WIDTH, 0, BINS - 1e-3)

    def scores(self, bins: NDArray[np.floating]) -> Floats:
        """Positions on the axis back to log-scores; NaN as long as there is no axis."""
        start = np.nan if self._start is None else self._start
        return start + WIDTH * bins.astype(np.float64)

    def add(self, buckets: NDArray[np.int64], bins: Floats, weights: Floats) -> None:
        """Forget a step's worth, then count observations (all three (B,))."""
        self._counts *= self._decay
        np.add.at(self._counts, (buckets, bins.astype(np.int64)), weights)

    def state_dict(self) -> dict[str, Any]:
        """Counts and axis."""
        return {"counts": torch.tensor(self._counts), "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved counts and axis."""
        self._counts = state["counts"].numpy().copy()
        self._start = state["start"]


class TargetVariance:
    """Decayed per-bucket variance of the embeddings: the scale that a loss is measured on.

    Args:
        buckets: Number of rows.
        decay: Factor per step.
        enough: Observations below which a bucket borrows from the pool.
    """

    def __init__(self, buckets: int, decay: float, enough: float) -> None:
        self._decay = decay
        self._enough = enough
        self._weight: Floats = np.zeros(buckets)
        self._moments: Floats = np.zeros((buckets, 0))  # D sums, then the sum of squares

    def add(self, buckets: NDArray[np.int64], embeddings: Floats, weights: Floats) -> None:
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
        moments = borrow(self._moments, self._weight, self._enough)
        moments = moments / np.maximum(self._weight, self._enough)[:, None]
        variance = (moments[:, -1] - (moments[:, :-1] ** 2).sum(axis=1)) / (moments.shape[1] - 1)
        return np.log(np.maximum(variance, np.finfo(np.float32).tiny))

    def state_dict(self) -> dict[str, Any]:
        """Weight and moments."""
        return {"weight": torch.tensor(self._weight), "moments": torch.tensor(self._moments)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved weight and moments."""
        self._weight = state["weight"].numpy().copy()
        self._moments = state["moments"].numpy().copy()
