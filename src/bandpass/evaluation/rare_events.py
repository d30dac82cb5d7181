"""How well scores find a rare slice: average precision, AUROC, recall at few false alarms."""

from collections.abc import Callable

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

FALSE_ALARMS = (0.01, 0.05)
_METRICS = ("average_precision", "auroc", "recall_at_1pct", "recall_at_5pct")


class Curve:
    """Cumulative alarms down the ranking of one score vector, for any row weights.

    Rows of equal score raise the alarm together, so the order of ties never matters.
    """

    def __init__(self, positive: np.ndarray, scores: Floats) -> None:
        """Sort once: `positive` (n,) bool, `scores` (n,) finite, higher is more suspicious."""
        self._order = np.argsort(-scores.astype(np.float64), kind="stable")
        ranked = scores[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self._positive = positive[self._order].astype(np.float64)

    def __call__(self, weights: Doubles) -> tuple[Doubles, Doubles]:
        """Return true and false alarms at each threshold, (r, thresholds), for weights (r, n)."""
        ranked = weights[:, self._order]
        alarms = np.cumsum(ranked, axis=1)[:, self._ends]
        true = np.cumsum(ranked * self._positive, axis=1)[:, self._ends]
        return true, alarms - true


def average_precision(true: Doubles, false: Doubles) -> Doubles:
    """Sum of precision times gained recall over the thresholds, (r,); as in scikit-learn."""
    precision = true / np.maximum(true + false, 1e-300)
    gained = np.diff(true, axis=1, prepend=0)
    return _share((gained * precision).sum(axis=1), true[:, -1])


def auroc(true: Doubles, false: Doubles) -> Doubles:
    """Area under the ROC curve by trapezoids, (r,)."""
    before = np.pad(true, ((0, 0), (1, 0)))[:, :-1]
    gained = np.diff(false, axis=1, prepend=0)
    return _share((gained * (true + before) / 2).sum(axis=1), true[:, -1] * false[:, -1])


def recall_at(true: Doubles, false: Doubles, rate: float) -> Doubles:
    """Highest recall among the thresholds whose false-alarm rate is at most `rate`, (r,)."""
    allowed = false <= rate * false[:, -1:] + 1e-9
    recall = _share(np.where(allowed, true, 0).max(axis=1), true[:, -1])
    return np.where(false[:, -1] > 0, recall, np.nan)


def false_alarms_at(true: Doubles, false: Doubles, recall: float) -> Doubles:
    """Lowest false-alarm rate among the thresholds that reach `recall`, (r,)."""
    reached = true >= recall * true[:, -1:] - 1e-9
    return _share(np.where(reached, false, np.inf).min(axis=1), false[:, -1])


def _share(part: Doubles, whole: Doubles) -> Doubles:
    """Divide, NaN where `whole` is 0: a resample may lose all negatives."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def rare_slice(
    labels: Integers,
    scores: Floats,
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Score a ranking of windows against a rare label, with bootstrap 95% intervals.

    Windows are resampled with replacement, positives and negatives apart; with `groups`, whole
    groups are (overlapping windows are dependent), those holding a positive apart from the rest.

    Args:
        labels: 1 for the rare slice, 0 for the rest, negative for unknown (left out), (n,).
        scores: Higher is rarer, (n,), or (draws, n) for repeated probes: then every metric is
            the mean over the draws.
        groups: Group of each window, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Estimates named average_precision, auroc, recall_at_1pct and recall_at_5pct (recall at
        that false-alarm rate) and prevalence, which is the average precision of chance. `count`
        is the number of positives. Without positives or negatives every estimate is NaN with
        count 0 and a note; with positives in a single group the intervals are NaN.

    Raises:
        ValueError: on shapes that do not match, labels above 1 or scores that are not finite.
    """
    known, stacked = _check(labels, scores, groups)
    positive, stacked = labels[known] == 1, stacked[:, known]
    count = int(positive.sum())
    if count in (0, len(positive)):
        reason = f"{count} positives and {len(positive) - count} negatives: nothing to rank"
        return dict.fromkeys((*_METRICS, "prevalence"), missing(reason))
    curves = [Curve(positive, row) for row in stacked]
    statistic = _statistic(curves)
    values = statistic(np.ones((1, len(positive))))[0]
    member = np.arange(len(positive)) if groups is None else groups[known]
    low, high = np.full((2, len(_METRICS)), np.nan)
    note = ""
    if len(np.unique(member[positive])) > 1:
        low, high = interval(statistic, member, strata=positive, resamples=resamples, seed=seed)
    else:
        note = "the positives lie in 1 group: no interval"
    result = {
        name: Estimate(float(values[i]), float(low[i]), float(high[i]), count, note)
        for i, name in enumerate(_METRICS)
    }
    prevalence = count / len(positive)
    return result | {"prevalence": Estimate(prevalence, float("nan"), float("nan"), count)}


def _statistic(curves: list[Curve]) -> Callable[[Doubles], Doubles]:
    def statistic(weights: Doubles) -> Doubles:
        total = np.zeros((len(weights), len(_METRICS)))
        for curve in curves:
            alarms = curve(weights)
            recalls = [recall_at(*alarms, rate) for rate in FALSE_ALARMS]
            total += np.stack([average_precision(*alarms), auroc(*alarms), *recalls], axis=1)
        return total / len(curves)

    return statistic


def _check(labels: Integers, scores: Floats, groups: Integers | None) -> tuple[np.ndarray, Floats]:
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (n,), got {labels.shape}")
    stacked = np.atleast_2d(scores)
    if stacked.ndim != 2 or stacked.shape[1] != len(labels):
        raise ValueError(
            f"scores must have shape ({len(labels)},) or (draws, {len(labels)}), got {scores.shape}"
        )
    check_rows(len(labels), groups=groups)
    if (labels > 1).any():
        raise ValueError(f"labels must be 0, 1 or negative (unknown), got {labels.max()}")
    known = labels >= 0
    broken = int((~np.isfinite(stacked[:, known])).sum())
    if broken:
        raise ValueError(f"{broken} of {stacked.size} scores are NaN or infinite")
    return known, stacked
