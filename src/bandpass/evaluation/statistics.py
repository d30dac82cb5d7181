"""Estimates, dependence-aware bootstrap intervals and paired comparisons over seeds.

Resampling is expressed as *row weights*: a resample is how often each row was drawn. Every metric
of this package is written as a function of such weights, (resamples, n) -> (resamples, ...), so a
whole bootstrap is a few matrix operations, and two encoders scored with the same groups and seed
see the same resamples (their intervals are paired).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Booleans, Doubles, Floats, Integers, check_rows, eval_extra

RESAMPLES = 1000
_CELLS_AT_ONCE = 2_000_000  # bounds the memory of one chunk of weights to 16 MB
_DRAWN_FLIPS = 10_000

EXACT_FLIPS = 12
"""Up to so many pairs all sign patterns are enumerated, above that they are drawn."""


class Estimate(NamedTuple):
    """One number of an evaluation, ready to become a row of `evaluation.parquet`.

    An estimate that the data cannot give has value NaN, count 0 and the reason in `note`; an
    interval that cannot be given is NaN, with the reason in `note`.

    Attributes:
        value: The point estimate.
        low: Lower end of the 95% interval.
        high: Upper end of the 95% interval.
        count: Observations behind the value (positives, for a rare slice).
        note: Why something is missing, empty otherwise.
    """

    value: float
    low: float
    high: float
    count: int
    note: str = ""


def missing(reason: str) -> Estimate:
    """Return the estimate of a quantity the data does not determine."""
    return Estimate(float("nan"), float("nan"), float("nan"), 0, reason)


def block_groups(series: Integers, starts: Integers, block: int) -> Integers:
    """Number the blocks of `block` consecutive rows of each series, for the block bootstrap.

    Overlapping windows are dependent. Windows that start within the same block are kept together,
    so `block` should be several window lengths.

    Args:
        series: Series index of each window, (n,).
        starts: First row of each window within its series, (n,).
        block: Rows per block, positive.

    Returns:
        Group numbers 0..g-1, (n,).
    """
    check_rows(len(series), starts=starts)
    if block < 1:
        raise ValueError(f"block must be a positive number of rows, got {block}")
    pairs = np.stack([series.astype(np.int64), starts.astype(np.int64) // block], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def bootstrap_weights(
    groups: Integers,
    *,
    strata: Booleans | None = None,
    resamples: int = RESAMPLES,
    generator: np.random.Generator,
) -> Iterator[Doubles]:
    """Yield chunks of row weights, (chunk, n), from resampling whole groups with replacement.

    Args:
        groups: Group of each row, (n,); `numpy.arange(n)` is the ordinary bootstrap.
        strata: Optional flag of each row, (n,). Groups with a flagged row and groups without are
            resampled apart, so no resample loses all flagged rows.
        resamples: How many resamples to yield in all.
        generator: Source of randomness.
    """
    if len(groups) == 0:
        raise ValueError("there are no rows to resample")
    check_rows(len(groups), strata=strata)
    member = np.unique(groups, return_inverse=True)[1].reshape(-1)
    total = int(member.max()) + 1
    flagged = np.zeros(total, dtype=bool)
    if strata is not None:
        np.logical_or.at(flagged, member, strata)
    parts = [part for part in (np.flatnonzero(flagged), np.flatnonzero(~flagged)) if len(part)]
    at_once = max(1, _CELLS_AT_ONCE // len(groups))
    for first in range(0, resamples, at_once):
        chunk = min(at_once, resamples - first)
        counts = np.zeros(chunk * total)
        offset = np.arange(chunk)[:, None] * total
        for part in parts:
            drawn = part[generator.integers(0, len(part), size=(chunk, len(part)))] + offset
            counts += np.bincount(drawn.reshape(-1), minlength=chunk * total)
        yield counts.reshape(chunk, total)[:, member]


def interval(
    statistic: Callable[[Doubles], Doubles],
    groups: Integers,
    *,
    strata: Booleans | None = None,
    resamples: int = RESAMPLES,
    seed: int,
) -> tuple[Doubles, Doubles]:
    """Bootstrap percentile 95% interval of a weighted statistic.

    Args:
        statistic: Maps row weights (r, n) to (r, m) values; NaN where a resample has no value.
        groups: Group of each row, (n,), see `bootstrap_weights`.
        strata: Optional flag of each row, (n,), see `bootstrap_weights`.
        resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Lower and upper ends, each (m,). NaN with fewer than two groups, and for a statistic that
        is NaN in every resample; resamples in which it is NaN are left out.
    """
    generator = np.random.default_rng(seed)
    chunks = bootstrap_weights(groups, strata=strata, resamples=resamples, generator=generator)
    values = np.concatenate([statistic(weights) for weights in chunks])
    ends = np.full((2, values.shape[1]), np.nan)
    if len(np.unique(groups)) > 1:
        for column, sample in enumerate(values.T):
            finite = sample[np.isfinite(sample)]
            if len(finite):
                ends[:, column] = np.quantile(finite, [0.025, 0.975])
    return ends[0], ends[1]


class PairedDifference(NamedTuple):
    """Difference of two arms over paired seeds, see `paired_difference`."""

    mean: float
    t_low: float
    t_high: float
    bootstrap_low: float
    bootstrap_high: float
    p: float
    count: int


def paired_difference(a: Floats, b: Floats, *, seed: int = 0) -> PairedDifference:
    """Compare two arms run with the same seeds: the mean of `a - b` and how sure it is.

    Args:
        a: Metric of the first arm per seed, (n,).
        b: Metric of the second arm for the same seeds in the same order, (n,).
        seed: Seed of the bootstrap, and of the sign flips when n > 12.

    Returns:
        Mean, 95% t-interval, 95% bootstrap percentile interval, two-sided sign-flip permutation p
        (exact up to n = 12: its smallest value is 2 / 2**n) and the number of pairs. Pairs in
        which either value is NaN are left out; with fewer than two pairs everything but the mean
        is NaN, and with none the mean too.

    Raises:
        ValueError: when the shapes differ or are not (n,).
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a and b must be (n,) and of one length, got {a.shape} and {b.shape}")
    difference = a.astype(np.float64) - b.astype(np.float64)
    difference = difference[np.isfinite(difference)]
    n, nan = len(difference), float("nan")
    if n < 2:
        return PairedDifference(float(difference[0]) if n else nan, nan, nan, nan, nan, nan, n)
    mean = float(difference.mean())
    student = float(eval_extra("scipy.special").stdtrit(n - 1, 0.975))
    half = student * float(difference.std(ddof=1)) / n**0.5
    generator = np.random.default_rng(seed)
    drawn = difference[generator.integers(0, n, size=(_DRAWN_FLIPS, n))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    p = float(sign_flip_p(difference[:, None], generator)[0])
    return PairedDifference(mean, mean - half, mean + half, float(low), float(high), p, n)


def sign_flip_p(differences: Doubles, generator: np.random.Generator) -> Doubles:
    """Two-sided p of the mean of each column under random signs of its paired differences.

    Args:
        differences: One column per metric, (n, m), finite.
        generator: Draws the signs when n > 12; up to there all 2**n patterns are counted.

    Returns:
        p of each column, (m,); every multiple of 2 / 2**n can occur when n <= 12.
    """
    n = len(differences)
    observed = np.abs(differences.mean(axis=0)) * (1 - 1e-12)  # equal sums may differ in a bit
    if n <= EXACT_FLIPS:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return (np.abs(signs @ differences) / n >= observed).mean(axis=0)
    signs = generator.choice([-1.0, 1.0], size=(_DRAWN_FLIPS, n))
    extreme = (np.abs(signs @ differences) / n >= observed).sum(axis=0)
    return (extreme + 1) / (_DRAWN_FLIPS + 1)


def interquartile_mean(values: Floats, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of the middle half of all scores, with a bootstrap interval stratified by task.

    As in Agarwal et al., "Deep RL at the Edge of the Statistical Precipice" (arXiv 2108.13264,
    section 4.3): the lowest and the highest floor(n / 4) of all seed-by-task scores are dropped.

    Args:
        values: Normalised scores, (seeds, tasks).
        seed: Seed of the bootstrap, which redraws the seeds of each task independently.
        resamples: Number of resamples.

    Returns:
        The estimate; NaN and count 0 when any score is NaN or there is none.
    """
    if values.ndim != 2:
        raise ValueError(f"values must have shape (seeds, tasks), got {values.shape}")
    if values.size == 0 or not np.isfinite(values).all():
        return missing(
            f"{int((~np.isfinite(values)).sum())} of {values.size} scores are not finite"
        )
    seeds, tasks = values.shape
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, seeds, size=(resamples, seeds, tasks))
    sample = np.take_along_axis(values.astype(np.float64)[None], drawn, axis=1)
    low, high = np.quantile(_middle_mean(sample.reshape(resamples, -1)), [0.025, 0.975])
    value = float(_middle_mean(values.astype(np.float64).reshape(1, -1))[0])
    if seeds < 2:
        return Estimate(value, float("nan"), float("nan"), values.size, "1 seed: no interval")
    return Estimate(value, float(low), float(high), values.size)


def _middle_mean(rows: Doubles) -> Doubles:
    cut = rows.shape[1] // 4
    return np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)
