"""Weak regimes: a guess, from cheap numbers alone, at what kind of time a window is of."""

from collections.abc import Mapping

import numpy as np

WEAK_REGIMES = ("normal", "rare-structured", "transition", "intervention", "suspected-corrupt")
NORMAL, RARE, TRANSITION, INTERVENTION, CORRUPT = range(5)

FAULTY = 0.9
"""Suspicion of a fault from which a window is suspected-corrupt."""

LOST = 0.5
"""So is one with a larger share of missing values, if most windows of its entity have less."""

STEP = 1.0
"""A channel, constant but for a few steps, moves by this many standard deviations: intervention."""

CHANGE = 2.0
"""Levels of the halves this many spreads apart: transition."""

STRUCTURED = 0.05
"""Share of the windows, of highest density ratio, that are rare-structured."""


def weak_regimes(
    marks: Mapping[str, np.ndarray], faults: np.ndarray, ratio: np.ndarray, entity: np.ndarray
) -> np.ndarray:
    """Guess the regime of every window; of several that fit, the last named here wins.

    transition: a channel changes its level between the halves. intervention: a setpoint-like
    channel, constant but for steps, steps. rare-structured: among the ``STRUCTURED`` windows of
    highest density ratio, which are unlike most and like a few others. suspected-corrupt: the
    input rules suspect a fault, or more is missing than usual for the entity.

    No label has a part in it. The guesses are weak: experiments/LOG.md has how they compare with
    the labels of four sets.

    Args:
        marks: (n,) each, as `features.glance` gives them.
        faults: (n,) in [0, 1].
        ratio: (n,) density ratio.
        entity: (n,) int64.

    Returns:
        (n,) uint8 index into ``WEAK_REGIMES``.
    """
    regime = np.full(len(faults), NORMAL, np.uint8)
    regime[marks["change"] > CHANGE] = TRANSITION
    regime[marks["step"] > STEP] = INTERVENTION
    regime[ratio > np.quantile(ratio, 1 - STRUCTURED)] = RARE
    usual = np.empty(int(entity.max(initial=0)) + 1)
    for one in np.unique(entity):
        usual[one] = np.median(marks["missing"][entity == one])
    lost = marks["missing"] > np.maximum(LOST, usual[entity] + 0.1)
    regime[(faults >= FAULTY) | lost] = CORRUPT
    return regime
