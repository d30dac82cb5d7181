"""How far two scores of the same windows agree: over all ranks, and on which are the highest."""

from itertools import combinations

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

TOP = 0.1
"""Share of the windows that counts as the top."""


def agreement(
    a: Floats,
    b: Floats,
    groups: Integers,
    *,
    top: float = TOP,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Compare two scores of the same windows.

    Only ranks count, so infinities are scores like any. Tied windows share their mean rank.

    Args:
        a: One score per window, (n,).
        b: Another of the same windows, (n,).
        groups: Resampled as wholes, (n,), see `statistics.block_groups`.
        top: Share of the windows at the top, in (0, 1).
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        ``spearman``: the rank correlation. ``top_overlap``: of the windows in the top of one, the
        share that is in the top of the other too; ``top`` is what chance gives, 1 is agreement.
        Either is NaN where all windows tie.

    Raises:
        ValueError: When a score is NaN, or the lengths differ.
    """
    check_rows(len(a), b=b, groups=groups)
    for name, scores in (("a", a), ("b", b)):
        if broken := int(np.isnan(scores).sum()):
            raise ValueError(f"{name}: {broken} of {len(scores)} scores are NaN; leave them out")
    if not 0 < top < 1:
        raise ValueError(f"top must be a share in (0, 1), got {top}")
    names = ("spearman", "top_overlap")
    if len(a) < 2:
        return dict.fromkeys(names, missing(f"{len(a)} window: nothing to rank"))
    one, other = _Ranking(a), _Ranking(b)

    def statistic(weights: Doubles) -> Doubles:
        u, v = one.ranks(weights), other.ranks(weights)
        both = np.stack([_correlation(u, v, weights), _overlap(u, v, weights, top)], axis=1)
        return both

    low, high = interval(statistic, groups, resamples=resamples, seed=seed)
    value = statistic(np.ones((1, len(a))))[0]
    note = "" if len(np.unique(groups)) > 1 else "1 group: no interval"
    return {
        name: Estimate(float(value[k]), float(low[k]), float(high[k]), len(a), note)
        if np.isfinite(value[k])
        else missing("all windows tie")
        for k, name in enumerate(names)
    }


def agreement_table(
    scores: dict[str, Floats], groups: Integers, *, seed: int, resamples: int = RESAMPLES
) -> dict[tuple[str, str], dict[str, Estimate]]:
    """Compare every pair of named scores of the same windows, see `agreement`."""
    return {
        (a, b): agreement(scores[a], scores[b], groups, seed=seed, resamples=resamples)
        for a, b in combinations(scores, 2)
    }


class _Ranking:
    """Mid-ranks of one score in any resample, from one sort."""

    def __init__(self, scores: Floats) -> None:
        _, self._level = np.unique(scores, return_inverse=True)
        self._order = np.argsort(self._level, kind="stable")
        self._first = np.searchsorted(self._level[self._order], np.arange(self._level.max() + 1))

    def ranks(self, weights: Doubles) -> Doubles:
        """(r, n) row weights to (r, n) shares of the weight below, half of the ties included."""
        at_level = np.add.reduceat(weights[:, self._order], self._first, axis=1)
        up_to = np.cumsum(at_level, axis=1)
        return ((up_to - at_level / 2) / up_to[:, -1:])[:, self._level]


def _correlation(u: Doubles, v: Doubles, weights: Doubles) -> Doubles:
    """Weighted Pearson correlation of each row; NaN where either does not vary."""
    # The weighted mean of mid-ranks is one half, whatever the ties.
    du, dv = u - 0.5, v - 0.5
    cross, one, other = ((weights * part).sum(axis=1) for part in (du * dv, du * du, dv * dv))
    scale = np.sqrt(one * other)
    return np.divide(cross, scale, out=np.full(len(u), np.nan), where=scale > 1e-12)


def _overlap(u: Doubles, v: Doubles, weights: Doubles, top: float) -> Doubles:
    """Twice the weight at the top of both over the sum of the weights at the top of each."""
    one, other = u > 1 - top, v > 1 - top
    total = (weights * one).sum(axis=1) + (weights * other).sum(axis=1)
    both = 2 * (weights * (one & other)).sum(axis=1)
    return np.divide(both, total, out=np.full(len(u), np.nan), where=total > 0)
