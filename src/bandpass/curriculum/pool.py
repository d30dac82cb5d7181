"""A candidate pool: draw r windows a slot, score them cheaply, train on one of each slot.

For streams in which a window is hardly ever seen twice, so that no remembered score can steer
what is drawn, and for an `IterableDataset`, which has no ids to draw by.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandpass.curriculum.draws import Draw, philox
from bandpass.curriculum.histogram import WIDTH, LogHistogram, ranks, tail

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOL_STREAM = 1 << 63
"""Added to the number of a draw, so that the choice is independent of how it was drawn."""


LEAST_SCALE = 0.1 / WIDTH  # in bins: where scores hardly differ, a factor of 2 is not extreme


FARTHEST = 1e9  # log-scores beyond it are as extreme as it, and overflow nothing


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """How a pool weighs its candidates; checked when set.

    Attributes:
        strength: lambda of exp(lambda (u - 1/2)), at least 0; 0 keeps uniformly.
        shoulder: Weight of the less surprising half, in (0, 1].
        floor: Share of the choice that is uniform, in (0, 1].
        extreme: Robust z in log-score units above which a candidate is not kept.
        surprising: Quantile above which median and MAD for that z are taken, in [0, 1).
        decay: Of the histograms, per draw, in (0, 1).
        min_effective: Observations below which nothing is called extreme, at least 1.
    """

    strength: float = 4.0
    shoulder: float = 0.2
    floor: float = 0.25
    extreme: float = 8.0
    surprising: float = 0.8
    decay: float = 0.99
    min_effective: float = 200.0

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        wanted = {
            "strength": (0 <= self.strength < np.inf, "at least 0 and finite"),
            "shoulder": (0 < self.shoulder <= 1, "in (0, 1]"),
            "floor": (0 < self.floor <= 1, "in (0, 1]"),
            "extreme": (self.extreme > 0, "over 0"),
            "surprising": (0 <= self.surprising < 1, "in [0, 1)"),
            "decay": (0 < self.decay < 1, "in (0, 1)"),
            "min_effective": (self.min_effective >= 1, "at least 1"),
        }
        for name, (holds, text) in wanted.items():
            if not holds:
                raise ValueError(f"{name} must be {text}, got {getattr(self, name)}")


@dataclass(frozen=True)
class Chosen:
    """What a pool keeps of its candidates.

    Attributes:
        places: int64 (B,), position of the kept candidate of each slot among all candidates.
        probability: float64 (B,), with which each was kept, given the candidates of its slot.
        weight: float64 (B,), 1 / (r probability): weighing losses by it undoes the choice, so
            their mean is an unbiased estimate of the mean over all candidates that may be kept.
    """

    places: Ints
    probability: Floats
    weight: Floats


class CandidatePool:
    """Keeps one of r candidates in every slot, with known probabilities.

    Candidates j, j + B, j + 2 B, ... compete for slot j. Given them, candidate i is kept with
    probability floor / k + (1 - floor) h_i / sum(h), over the k of its slot whose score is
    neither extreme nor non-finite (for want of such over the finite ones, at last over all r).
    h is the band of its rank u among the recent candidates: exp(lambda (u - 1/2)) above the
    median and a flat shoulder below it. No window can be enriched more than r-fold, and r
    costs r scorings a slot.

    Without ids, for a stream::

        pool = CandidatePool(32, r=2, seed=0)
        for number, candidates in enumerate(loader):  # of 64 windows
            chosen = pool.choose(number, score(candidates))
            losses = model(candidates[chosen.places])

    Args:
        batch_size: Slots, B.
        r: Candidates a slot, at least 2.
        seed: The choice in draw k is a function of (seed, k) and the scores so far.
        buckets: Number of buckets that scores are ranked within.
        settings: See `PoolSettings`.
    """

    def __init__(
        self,
        batch_size: int,
        r: int = 2,
        *,
        seed: int = 0,
        buckets: int = 1,
        settings: PoolSettings = PoolSettings(),
    ) -> None:
        if batch_size < 1 or r < 2 or buckets < 1:
            raise ValueError(
                f"batch_size {batch_size} and buckets {buckets} must be at least 1 and r {r} at "
                "least 2"
            )
        self.batch_size, self.r, self.seed = batch_size, r, seed
        self.settings = settings
        self._histogram = LogHistogram(buckets, settings.decay, settings.min_effective)

    def choose(
        self,
        number: int,
        scores: ArrayLike,
        *,
        buckets: ArrayLike | None = None,
        q: ArrayLike | None = None,
        factor: float = 1.0,
    ) -> Chosen:
        """Rank the candidates among the recent ones, keep one a slot, and remember their scores.

        Args:
            number: Of the draw; with the seed it determines the choice.
            scores: (r B,) fresh log-scores; not finite is allowed, and kept only for want of
                another.
            buckets: int (r B,), all 0 if None.
            q: (r B,) probability with which each candidate was drawn; the histograms then show
                the population and not the taste of whoever drew. Uniform if None.
            factor: On the strength: 0 keeps uniformly (warm-up, cool-down, a guard).
        """
        size = self.r * self.batch_size
        values = np.asarray(scores, dtype=np.float64)
        values = np.where(np.isfinite(values), np.clip(values, -FARTHEST, FARTHEST), values)
        bucket = np.zeros(size, np.int64) if buckets is None else np.asarray(buckets, np.int64)
        drawn = np.ones(size) if q is None else np.asarray(q, np.float64)
        for name, array in (("scores", values), ("buckets", bucket), ("q", drawn)):
            if array.shape != (size,):
                raise ValueError(
                    f"{name} must have shape ({size},), {self.r} candidates for each of "
                    f"{self.batch_size} slots, got {array.shape}"
                )
        h, allowed = self._weigh(values, bucket, drawn, factor * self.settings.strength)
        shape = (self.r, self.batch_size)
        allowed, finite = allowed.reshape(shape), np.isfinite(values).reshape(shape)
        allowed = np.where(allowed.any(axis=0), allowed, finite)  # rather an extreme than a NaN
        probability = selection(h.reshape(shape), allowed, self.settings.floor)
        edges = np.cumsum(probability, axis=0)
        random = philox(self.seed, number | POOL_STREAM).random(self.batch_size)
        row = (edges[:-1] <= random * edges[-1]).sum(axis=0)
        slot = np.arange(self.batch_size)
        kept = probability[row, slot]
        return Chosen(row * self.batch_size + slot, kept, 1 / (self.r * kept))

    def keep(self, draw: Draw, scores: ArrayLike, *, factor: float = 1.0) -> tuple[Draw, Ints]:
        """Keep one candidate a slot of a draw that knows its probabilities.

        Args:
            draw: r B ids with the probability q of each.
            scores: (r B,) fresh log-scores of them.
            factor: On the strength.

        Returns:
            The kept draw, whose p = r q s is conditional on the pool: s is the probability of the
            choice given the candidates of the slot. Weighing by 1 / (N p) is exactly unbiased;
            the unconditional probability of a window is the mean of p over pools. And the (B,)
            places of the kept among the candidates.
        """
        chosen = self.choose(draw.number, scores, q=draw.p, factor=factor)
        p = self.r * draw.p[chosen.places] * chosen.probability
        return Draw([draw[place] for place in chosen.places], draw.number, p), chosen.places

    def state_dict(self) -> dict[str, Any]:
        """The histograms: the choice itself needs no state."""
        return {"histogram": self._histogram.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved pool stood."""
        self._histogram.load_state_dict(state["histogram"])

    def _weigh(
        self, scores: Floats, bucket: Ints, q: Floats, strength: float
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Weight h of each candidate, and whether it may be kept; counts their scores."""
        h = np.ones(len(scores))
        allowed = np.isfinite(scores)
        if not allowed.any():
            return h, allowed
        bins = self._histogram.bins(scores[allowed])
        known = bucket[allowed]
        # By the scores before this pool: a candidate does not vouch for itself.
        counts = self._histogram.counts()
        u = ranks(counts)[known, bins.astype(np.int64)]
        low = max(self.settings.shoulder, np.exp(-strength))  # 1 at strength 0, which is uniform
        h[allowed] = np.where(u < 0.5, low, np.exp(strength * (u - 0.5)))
        if self._histogram.ready():
            location, scale = tail(counts, self.settings.surprising)
            widest = np.maximum(np.maximum(scale, tail(counts, 0.0)[1]), LEAST_SCALE)
            allowed[allowed] = (bins - location[known]) / widest[known] <= self.settings.extreme
        weights = (1 / q)[np.isfinite(scores)]
        self._histogram.add(known, bins, weights / weights.mean())
        return h, allowed


def selection(h: Floats, allowed: NDArray[np.bool_], floor: float) -> Floats:
    """Probability of each candidate to be kept, given those of its slot.

    Args:
        h: (r, B) positive weights.
        allowed: (r, B), which may be kept; where none of a slot may, all of them may.
        floor: Share that is spread evenly, in (0, 1].

    Returns:
        (r, B), each column sums to 1.
    """
    candidates = np.where(allowed.any(axis=0), allowed, True)
    weights = np.where(candidates, h, 0.0)
    even = candidates / candidates.sum(axis=0)
    return floor * even + (1 - floor) * weights / weights.sum(axis=0)
