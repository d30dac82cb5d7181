"""How far probabilities of a rare event can be believed: Brier score, calibration error."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

BINS = 15


class Reliability(NamedTuple):
    """One row per bin of equal mass, sorted by probability, each array (bins,).

    Attributes:
        probability: Mean predicted probability of the bin.
        frequency: Share of positives among its windows.
        count: Its windows.
    """

    probability: Doubles
    frequency: Doubles
    count: npt.NDArray[np.int64]


def reliability(labels: Integers, probabilities: Floats, *, bins: int = BINS) -> Reliability:
    """Compare predicted and observed frequencies in bins of about equal mass.

    Bins are cut at quantiles of the probabilities and equal probabilities always share a bin, so
    there may be fewer than `bins`. Negative labels are unknown and left out.

    Raises:
        ValueError: on shapes that do not match, labels above 1, or probabilities outside [0, 1].
    """
    truth, chance = _known(labels, probabilities)
    if bins < 1:
        raise ValueError(f"bins must be positive, got {bins}")
    if len(truth) == 0:
        return Reliability(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    cuts = np.quantile(chance, np.arange(1, bins) / bins, method="inverted_cdf")
    place = np.searchsorted(np.unique(cuts), chance, side="left")
    count = np.bincount(place)
    used = count > 0
    count = count[used]
    mean = np.bincount(place, weights=chance)[used] / count
    return Reliability(mean, np.bincount(place, weights=truth)[used] / count, count)


def expected_calibration_error(table: Reliability) -> float:
    """Mean gap between predicted and observed frequency, weighted by bin mass (NaN if empty)."""
    if len(table.count) == 0:
        return float("nan")
    gap = np.abs(table.probability - table.frequency)
    return float((gap * table.count).sum() / table.count.sum())


def calibration_errors(
    labels: Integers,
    probabilities: Floats,
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Brier score and expected calibration error of binary event probabilities.

    Args:
        labels: 1 event, 0 none, negative unknown (left out), (n,).
        probabilities: Predicted probability of the event, (n,).
        groups: Resampled as wholes when given, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Estimates brier (mean squared error of the probability, lower is better), brier_reference
        (of always predicting the prevalence) and ece (15 bins of equal mass; without interval,
        since resampling noise only ever adds to the gaps). `count` is the number of windows; NaN
        with count 0 and a note when none is labelled.

    Raises:
        ValueError: on shapes that do not match, labels above 1, or probabilities outside [0, 1].
    """
    truth, chance = _known(labels, probabilities)
    check_rows(len(labels), groups=groups)
    n, nan = len(truth), float("nan")
    if n == 0:
        reason = missing(f"0 of {len(labels)} windows are labelled")
        return dict.fromkeys(("brier", "brier_reference", "ece"), reason)
    error = (chance - truth) ** 2
    member = np.arange(n) if groups is None else groups[labels >= 0]

    def statistic(weights: Doubles) -> Doubles:
        return (weights @ error / weights.sum(axis=1))[:, None]

    low, high = interval(statistic, member, resamples=resamples, seed=seed)
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    ece = expected_calibration_error(reliability(labels, probabilities))
    rate = float(truth.mean())
    return {
        "brier": Estimate(float(error.mean()), float(low[0]), float(high[0]), n, note),
        "brier_reference": Estimate(rate * (1 - rate), nan, nan, n),
        "ece": Estimate(ece, nan, nan, n),
    }


def _known(labels: Integers, probabilities: Floats) -> tuple[Doubles, Doubles]:
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels and probabilities must share a shape (n,), got {labels.shape} "
            f"and {probabilities.shape}"
        )
    if (labels > 1).any():
        raise ValueError(f"labels must be 0, 1 or negative (unknown), got {labels.max()}")
    known = labels >= 0
    chance = probabilities[known].astype(np.float64)
    # A sum of float32 shares may pass 1 by an ulp; anything beyond that is no probability.
    if not ((chance >= -1e-6) & (chance <= 1 + 1e-6)).all():
        raise ValueError("probabilities must lie in [0, 1]; scores belong into `rare_slice`")
    return labels[known].astype(np.float64), np.clip(chance, 0, 1)
