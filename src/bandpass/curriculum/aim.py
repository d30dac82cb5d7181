"""The band as read off the histograms at a refresh: weights of cells, typical and extreme scores.

Quantiles and lambda move slowly, so they are read every few draws. In between, probabilities
are still exact: they are recomputed at every draw from these weights and the current counts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandpass.curriculum.cells import KINDS, UNSEEN, Cells
from bandpass.curriculum.histogram import BINS, WIDTH, LogHistogram, position, ranks, tail
from bandpass.curriculum.rules import RULES
from bandpass.curriculum.selection import effective_share, mixture, strongest
from bandpass.curriculum.settings import BandSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A tenth in log-score: where losses hardly differ, a factor of 2 is still not extreme.
LEAST_SCALE = 0.1 / WIDTH

# Counts move between refreshes: aimed at the very target, every other draw would fall short.
MARGIN = 0.02


@dataclass(frozen=True)
class Aim:
    """A reading of the histograms.

    Attributes:
        weights: (cells,) selection weight h of a window of each cell.
        strength: lambda.
        typical: (buckets,) median position on the score axis, in bins.
        location: (buckets,) median of the surprising part, in bins.
        scale: (buckets,) robust scale of it, or of the whole if wider; infinite while nothing
            may be called extreme: in warm-up, or before enough was observed.
    """

    weights: Floats
    strength: float
    typical: Floats
    location: Floats
    scale: Floats

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


def cell_weights(
    cells: Ints, counts: Ints, u: Floats, strength: float, settings: BandSettings
) -> Floats:
    """Selection weight h of a window of each cell.

    A scored window has the rule's weight at its rank, an unseen one the mean weight of its
    bucket's scored ones (so news is neither starved nor favoured; of all scored ones, if the
    bucket has none), a quarantined or banned one 0.

    Args:
        cells: (C,) numbers of cells.
        counts: (C,) windows in each.
        u: (buckets, BINS) rank of each bin in its bucket.
        strength: lambda.
        settings: Choose the rule.
    """
    bucket, kind = np.divmod(cells, KINDS)
    scored, unseen = kind < BINS, kind == UNSEEN
    h = np.zeros(len(cells))
    h[scored] = RULES[settings.rule](u[bucket[scored], kind[scored]], strength, settings)
    windows = np.bincount(bucket, weights=counts * scored, minlength=len(u))
    mass = np.bincount(bucket, weights=counts * h, minlength=len(u))
    overall = mass.sum() / windows.sum() if windows.sum() else 1.0
    mean = np.where(windows > 0, mass / np.maximum(windows, 1), overall)
    h[unseen] = mean[bucket[unseen]]
    return h


def take_aim(
    histogram: LogHistogram, cells: Cells, settings: BandSettings, *, active: bool, guarded: bool
) -> Aim:
    """Read quantiles and the strongest lambda off the histograms and the cells as they are.

    Args:
        histogram: Recent scores by bucket.
        cells: Where the windows are.
        settings: The band's.
        active: If not, lambda is 0: every window that is not held back weighs the same.
        guarded: Whether windows may be called extreme.
    """
    counts = histogram.counts()
    u = ranks(counts)
    drawable = cells.drawable()
    occupied = np.flatnonzero(drawable)
    members = drawable[occupied]

    def share(strength: float) -> float:
        h = cell_weights(occupied, members, u, strength, settings)
        p = mixture(h, members, floor=settings.floor, cap=settings.cap)
        return effective_share(p, members)

    target = settings.ess + MARGIN * (1 - settings.ess)
    strength = strongest(share, target) if active else 0.0
    everywhere = np.arange(len(drawable))
    location, scale = tail(counts, settings.surprising)
    # Of a plain bell the tail alone is narrower than the whole: take whichever is wider.
    scale = np.maximum(scale, tail(counts, 0.0)[1])
    judging = guarded and histogram.ready()
    return Aim(
        weights=cell_weights(everywhere, drawable, u, strength, settings),
        strength=strength,
        typical=position(counts, 0.5),
        location=location,
        scale=np.maximum(scale, LEAST_SCALE) if judging else np.full(len(scale), np.inf),
    )
