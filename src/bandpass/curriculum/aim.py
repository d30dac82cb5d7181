"""The band as read off the histograms at a refresh: weights of cells, typical and extreme scores.

Quantiles and lambda move slowly, so they are read every few draws. In between, probabilities
are still exact: they are recomputed at every draw from these weights and the current counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandpass.curriculum.histogram import BINS, WIDTH, LogHistogram, position, ranks, tail
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.table import Table
from bandpass.curriculum.weighing import Order, Weighing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A tenth in log-score: where losses hardly differ, a factor of 2 is still not extreme.
LEAST_SCALE = 0.1 / WIDTH


@dataclass(frozen=True)
class Aim:
    """A reading of the histograms.

    Attributes:
        weights: (cells,) selection weight h of a window of each cell.
        strength: lambda.
        rank: (buckets, BINS) surprise rank of each bin in its bucket.
        typical: (buckets,) median position on the score axis, in bins.
        location: (buckets,) median of the surprising part, in bins.
        scale: (buckets,) robust scale of it, or of the whole if wider; infinite while nothing
            may be called extreme: in warm-up, or before enough was observed.
    """

    weights: Floats
    strength: float
    rank: Floats
    typical: Floats
    location: Floats
    scale: Floats

    @property
    def judging(self) -> bool:
        """Whether windows may be held back."""
        return bool(np.isfinite(self.scale).all())

    def u(self, buckets: Ints, bins: Floats) -> Floats:
        """Surprise rank of scores in their bucket."""
        return self.rank[buckets, bins.astype(np.int64)]

    def z(self, buckets: Ints, bins: Floats) -> Floats:
        """Robust z of scores against the surprising part of their bucket."""
        return (bins - self.location[buckets]) / self.scale[buckets]

    def state_dict(self) -> dict[str, Any]:
        """Arrays as tensors, by attribute."""
        arrays = {k: torch.tensor(v) for k, v in vars(self).items() if k != "strength"}
        return {"strength": self.strength, **arrays}

    @staticmethod
    def from_state(state: dict[str, Any]) -> "Aim":
        """The reading that was saved."""
        arrays = {k: v.numpy().copy() for k, v in state.items() if k != "strength"}
        return Aim(strength=state["strength"], **arrays)


def take_aim(
    histogram: LogHistogram,
    table: Table,
    positions: Callable[[Floats], Floats | None],
    settings: BandSettings,
    order: Order,
) -> Aim:
    """Read quantiles and the strongest lambda off the histograms and the cells as they are.

    Args:
        histogram: Recent scores by bucket.
        table: Where the windows are.
        positions: (buckets,) typical scores to (prototypes,) scores, in bins; to None if
            prototypes are the buckets themselves.
        settings: The band's.
        order: What the sampler wants.
    """
    remembered = table.drawable()[table.scored].reshape(-1, BINS)
    counts = histogram.counts(remembered if settings.recent == "table" else None)
    typical = position(counts, 0.5)
    weighing = Weighing(counts, table, positions(typical), settings, order)
    strength = weighing.strongest() * order.restraint if order.restraint else 0.0
    location, scale = tail(counts, settings.surprising)
    # Of a plain bell the tail alone is narrower than the whole: take whichever is wider.
    scale = np.maximum(scale, tail(counts, 0.0)[1])
    judging = order.guarded and histogram.ready()
    return Aim(
        weights=weighing(strength),
        strength=strength,
        rank=ranks(counts),
        typical=typical,
        location=location,
        scale=np.maximum(scale, LEAST_SCALE) if judging else np.full(len(scale), np.inf),
    )
