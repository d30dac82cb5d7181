"""Event order: of two events that follow each other, which one came first?"""

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.probes import logistic
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

_ROUNDING = 1e-6
"""Difference of embeddings, relative to the largest value of all, that counts as none."""


def successive(recordings: Integers, starts: np.ndarray, stops: np.ndarray) -> Integers:
    """Pair every event with the first one of its recording that begins when it has ended.

    Args:
        recordings: Recording of each event, (n,).
        starts: (n,), in any unit of time.
        stops: (n,), in the same unit; half-open.

    Returns:
        (pairs, 2) rows of the earlier and of the later event; the last of a recording has none.
    """
    check_rows(len(recordings), starts=starts, stops=stops)
    found = []
    for row in range(len(recordings)):
        after = np.flatnonzero((recordings == recordings[row]) & (starts >= stops[row]))
        if len(after):
            found.append((row, int(after[np.argmin(starts[after])])))
    return np.array(found, np.int64).reshape(-1, 2)


def event_order(
    fit: tuple[Floats, Floats],
    test: tuple[Floats, Floats],
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Accuracy of a linear probe that is given two embeddings and says which came first.

    The probe sees each pair concatenated in both orders. A linear rule that is right on both
    only ever uses their difference, so the difference is what it is fitted on, in both signs.
    A pair with equal embeddings counts half; chance is .5.

    Args:
        fit: Embeddings of the earlier and of the later events to fit on, (n, d) each.
        test: Those to score on, (m, d) each.
        groups: Resampled as wholes when given, (m,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        The share of pairs in the right order, with a 95% interval; NaN with count 0 and a note
        when either side has no pair.
    """
    (earlier, later), (first, second) = fit, test
    check_rows(len(earlier), later=later)
    check_rows(len(first), second=second, groups=groups)
    if not len(earlier) or not len(first):
        return missing(f"{len(earlier)} pairs to fit on, {len(first)} to score on")
    step, asked = _difference(earlier, later), _difference(first, second)
    labels = np.repeat([1, 0], len(step))
    signed = np.concatenate([step, -step])
    chance = logistic(signed, labels, np.concatenate([asked, -asked]), seed=seed)[:, 1]
    forward, backward = np.split(chance, 2)
    right = (np.sign(forward - backward) + 1) / 2
    member = np.arange(len(right)) if groups is None else groups

    def statistic(weights: Doubles) -> Doubles:
        return (weights @ right / weights.sum(axis=1))[:, None]

    low, high = interval(statistic, member, resamples=resamples, seed=seed)
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    return Estimate(float(right.mean()), float(low[0]), float(high[0]), len(right), note)


def _difference(earlier: Floats, later: Floats) -> Doubles:
    step = later.astype(np.float64) - earlier.astype(np.float64)
    largest = max(float(np.abs(earlier).max(initial=0)), float(np.abs(later).max(initial=0)))
    step[np.abs(step) <= _ROUNDING * largest] = 0  # standardised, rounding would look like signal
    return step
