"""Judging arms over paired seeds: several metrics, what could be missed, what may be lost.

Everything is about paired differences, arm minus baseline of the same seed. The test is the exact
sign-flip test of `statistics.paired_difference`, corrected over the metrics by Holm.
"""

from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, eval_extra
from bandpass.evaluation.statistics import (
    EXACT_FLIPS,
    RESAMPLES,
    Estimate,
    interquartile_mean,
)


def holm(p: Doubles) -> Doubles:
    """Adjust p-values for their number by Holm's step-down procedure.

    Holm, "A simple sequentially rejective multiple test procedure" (1979): the i-th smallest of m
    is multiplied by m - i + 1, and none may be smaller than one before it. Rejecting what is then
    at most alpha makes a false rejection anywhere in the family with probability alpha at most.

    Args:
        p: Families along the last axis, (..., m), in [0, 1]. NaN is "not tested": it stays NaN and
            does not count in its family.

    Returns:
        Adjusted p, (..., m).
    """
    if (outside := p[(p < 0) | (p > 1)]).size:
        raise ValueError(f"p must lie in [0, 1], got {outside.flat[0]}")
    order = np.argsort(p, axis=-1)  # NaN last
    left = np.isfinite(p).sum(axis=-1, keepdims=True) - np.arange(p.shape[-1])
    ranked = np.take_along_axis(p, order, axis=-1)
    adjusted = np.empty_like(p)
    stepped = np.minimum(np.maximum.accumulate(ranked * left, axis=-1), 1)
    np.put_along_axis(adjusted, order, stepped, axis=-1)
    return adjusted


def minimum_detectable_effect(
    deviation: float, n: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest mean difference that the paired sign-flip test finds with `power`.

    By the t-test, which the sign-flip test follows closely: deviation / sqrt(n) times the
    noncentrality at which Student's noncentral t with n - 1 degrees of freedom exceeds its
    two-sided critical value with probability `power`. The p of the sign-flip test are multiples of
    2 / 2**n up to n = 12, so the critical value is that of the largest of them within `alpha`.
    With normal differences the effect is found in .78 of the tables of 8 pairs and in .80 from 9
    pairs on; at alpha = .05 / 3, in .75 of 8 and .77 of 9.

    Args:
        deviation: Standard deviation of the paired differences, in units of the metric.
        n: Number of pairs.
        alpha: Level of the two-sided test; alpha / m for the first of m metrics under `holm`.
        power: Probability of finding it, in (0, 1).

    Returns:
        The effect in units of the metric; infinite when so few pairs reach `alpha` by no effect
        (fewer than 6 at .05, fewer than 7 at .05 / 3). NaN if the deviation is NaN.
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power must lie in (0, 1), got {alpha} and {power}")
    if 1 <= n <= EXACT_FLIPS:
        alpha = np.floor(alpha * 2 ** (n - 1)) / 2 ** (n - 1)
    if n < 2 or alpha == 0:
        return float("inf")
    special = eval_extra("scipy.special")
    critical = special.stdtrit(n - 1, 1 - alpha / 2)
    return float(special.nctdtrinc(n - 1, 1 - power, critical)) * deviation / n**0.5


class NonInferiority(NamedTuple):
    """Whether an arm is at most a margin worse than a baseline, see `non_inferior`.

    Attributes:
        mean: Mean paired difference, arm minus baseline.
        bound: One-sided 95% lower bound of it; NaN with fewer than two pairs.
        margin: What may be lost.
        holds: Whether the bound is above ``-margin``.
        count: Number of pairs.
    """

    mean: float
    bound: float
    margin: float
    holds: bool
    count: int


def non_inferior(arm: Floats, baseline: Floats, margin: float) -> NonInferiority:
    """Ask whether an arm loses less than a margin that was fixed beforehand; more is better.

    Args:
        arm: Metric per seed, (n,).
        baseline: Metric of the baseline for the same seeds, (n,). Pairs with a NaN are left out.
        margin: What may be lost, in units of the metric, 0 or more.

    Returns:
        The mean difference, its lower bound by Student's t, and whether that is above ``-margin``.
    """
    if arm.ndim != 1 or arm.shape != baseline.shape:
        raise ValueError(
            f"arm and baseline must be (n,) and of one length, got {arm.shape} and {baseline.shape}"
        )
    if not margin >= 0:
        raise ValueError(f"margin must be 0 or more, got {margin}")
    difference = arm.astype(np.float64) - baseline.astype(np.float64)
    difference = difference[np.isfinite(difference)]
    n = len(difference)
    mean, bound = float(difference.mean()) if n else float("nan"), float("nan")
    if n > 1:
        student = float(eval_extra("scipy.special").stdtrit(n - 1, 0.95))
        bound = mean - student * float(difference.std(ddof=1)) / n**0.5
    return NonInferiority(mean, bound, margin, bound > -margin, n)


def paired_iqm(
    arm: Floats, baseline: Floats, *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Interquartile mean of the paired differences of several tasks: one number over benchmarks.

    Args:
        arm: Metric of one scale per seed and task, (seeds, tasks).
        baseline: The same of the baseline; a row of a column is a pair.
        seed: Seed of the bootstrap, which redraws the pairs of each task apart.
        resamples: Number of resamples.

    Returns:
        See `interquartile_mean`: missing if any pair is, so that no task counts less than another.
    """
    if arm.shape != baseline.shape:
        raise ValueError(f"arm and baseline differ in shape: {arm.shape} and {baseline.shape}")
    return interquartile_mean(arm - baseline, seed=seed, resamples=resamples)
