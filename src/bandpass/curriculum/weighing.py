"""Selection weights of all cells at once, and how strong they may be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum.histogram import BINS, WIDTH, position, ranks
from bandpass.curriculum.rules import RULES, Surprise
from bandpass.curriculum.selection import effective_share, mixture, strongest
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.table import PROBATION, Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Counts move between refreshes: aimed at the very target, every other draw would fall short.
MARGIN = 0.02

# Only what is held weighs nothing: where a rule finds nobody, the rest shares the slots.
LEAST = 1e-9


@dataclass(frozen=True)
class Order:
    """What the sampler wants of the next reading.

    Attributes:
        fraction: Part of the run that is over.
        restraint: Factor on lambda; 0 in warm-up and cool-down.
        guarded: Whether windows may be called extreme.
        reweigh: (buckets,) factor on the weights of each bucket.
        probation: Weight of a window on probation, in multiples of uniform.
    """

    fraction: float
    restraint: float
    guarded: bool
    reweigh: Floats
    probation: float


class Weighing:
    """Selection weight h of a window of each cell, as a function of the strength.

    A scored window has the rule's weight at its rank, one on probation a fixed multiple of the
    mean, one that is held or banned 0. An unscored one has the rule's weight at the rank of its
    prototype among the windows' prototypes; without prototypes the mean weight of its bucket's
    scored ones (so news is neither starved nor favoured; of all scored ones, if the bucket has
    none), or the greatest one if the settings say so. Strength 0 is uniform: buckets are
    reweighed above it only.

    Args:
        counts: (buckets, BINS) recent scores.
        table: Where the windows are.
        positions: (prototypes,) scores in bins; None if prototypes are the buckets themselves.
        settings: The band's.
        order: What the sampler wants.
    """

    def __init__(
        self,
        counts: Floats,
        table: Table,
        positions: Floats | None,
        settings: BandSettings,
        order: Order,
    ) -> None:
        self._settings, self._order, self._table = settings, order, table
        self._rule = RULES[settings.rule]
        self._windows = table.drawable()
        self._bucket = bucket = table.bucket_of
        typical = position(counts, 0.5)
        excess = (np.arange(BINS) + 0.5 - typical[:, None]) * WIDTH
        mean = (_mean_position(counts) - typical) * WIDTH
        mass = counts / counts.sum(axis=1, keepdims=True)
        rank = ranks(counts)
        self._scored = Surprise(rank.ravel(), mass.ravel(), excess.ravel(), np.repeat(mean, BINS))
        self._prototypes: Surprise | None = None
        if positions is not None:
            rank, mass = rank_within(bucket, positions, self._windows[: len(bucket)])
            excess = (positions - typical[bucket]) * WIDTH
            self._prototypes = Surprise(rank, mass, excess, mean[bucket])

    def __call__(self, strength: float) -> Floats:
        """(cells,) weights."""
        table = self._table
        h = np.zeros(table.cells)
        h[table.scored] = self._rule.weigh(self._scored, strength, self._settings)
        h[: len(self._bucket)] = self._unscored(h[table.scored], strength)
        if strength:
            h[table.scored] *= np.repeat(self._order.reweigh, BINS)
            h[: len(self._bucket)] *= self._order.reweigh[self._bucket]
        probation = table.state(PROBATION)
        h[:probation] = np.maximum(h[:probation], LEAST)
        mean = (h @ self._windows) / max(self._windows[:probation].sum(), 1)
        h[probation] = mean * self._probation(strength)
        return h

    def strongest(self) -> float:
        """The greatest strength at which the sample is as broad and as calm as asked for."""
        settings = self._settings
        occupied = np.flatnonzero(self._windows)
        windows = self._windows[occupied]
        broad = settings.ess + MARGIN * (1 - settings.ess) if settings.ess else 0.0
        calm = 0.5 + (settings.mean_rank - 0.5) * self._order.fraction
        rank = self._ranks()[occupied]

        def allowed(strength: float) -> bool:
            h = self(strength)[occupied]
            p = mixture(h, windows, floor=settings.floor, cap=settings.cap)
            steered = settings.mean_rank == 1 or float((windows * p) @ rank) <= calm
            return steered and effective_share(p, windows) >= broad

        return strongest(allowed, self._rule.strongest(settings))

    def _unscored(self, scored: Floats, strength: float) -> Floats:
        if self._prototypes is not None:
            return self._rule.weigh(self._prototypes, strength, self._settings)
        counts = self._windows[self._table.scored].reshape(-1, BINS)
        h = scored.reshape(-1, BINS)
        windows, mass = counts.sum(axis=1), (counts * h).sum(axis=1)
        if not windows.sum():
            return np.ones(len(self._bucket))
        if self._settings.unseen == "max":
            return np.full(len(self._bucket), h[counts > 0].max())
        overall = mass.sum() / windows.sum()
        mean = np.where(windows > 0, mass / np.maximum(windows, 1), overall)
        return mean[self._bucket]

    def _probation(self, strength: float) -> float:
        """Weight relative to the mean that gives a probability of so many times uniform."""
        floor, wanted = self._settings.floor, self._order.probation
        if strength == 0 or floor == 1:
            return 1.0
        return max(wanted - floor, 0.0) / (1 - floor)

    def _ranks(self) -> Floats:
        """(cells,) surprise rank, the middle where there is none."""
        rank = np.full(self._table.cells, 0.5)
        rank[self._table.scored] = self._scored.rank
        if self._prototypes is not None:
            rank[: len(self._bucket)] = self._prototypes.rank
        return rank


def rank_within(buckets: Ints, positions: Floats, counts: Ints) -> tuple[Floats, Floats]:
    """Rank in [0, 1] of each prototype among the windows of its bucket, ties at their middle.

    And the share of these windows that it ties with, itself included.

    Args:
        buckets: (P,) bucket of each prototype.
        positions: (P,) its score.
        counts: (P,) its windows.
    """
    order = np.lexsort((positions, buckets))
    bucket = buckets[order]
    weight = counts[order] + 1e-9  # an empty prototype has a rank too
    below = np.cumsum(weight) - weight
    new = np.diff(bucket, prepend=-1) != 0
    tie = np.cumsum(new | (np.diff(positions[order], prepend=np.nan) != 0)) - 1
    first = below[new][np.cumsum(new) - 1]
    total = np.bincount(bucket, weights=weight)[bucket]
    mass = np.bincount(tie, weights=weight)[tie]
    start = np.full(tie[-1] + 1, np.inf)
    np.minimum.at(start, tie, below)
    rank, share = np.empty(len(order)), np.empty(len(order))
    rank[order] = (start[tie] + mass / 2 - first) / total
    share[order] = mass / total
    return np.clip(rank, 0.0, 1.0), share


def _mean_position(counts: Floats) -> Floats:
    """(buckets,) position of the mean of exp(log-score)."""
    share = counts / counts.sum(axis=1, keepdims=True)
    middle = (np.arange(BINS) + 0.5) * WIDTH
    return (middle[-1] + np.log((share * np.exp(middle - middle[-1])).sum(axis=1))) / WIDTH
