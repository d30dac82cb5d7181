"""Anomalies in a stream: scores without a model, and how well any score finds the rows of events.

A baseline scores windows as `(fit (n, T, C), test (m, T, C), *, seed)` -> (m,), higher is more
suspicious. Values are finite: what is missing is given as what says nothing, such as the mean.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from bandpass.evaluation._arrays import (
    Booleans,
    Doubles,
    Floats,
    Integers,
    check_rows,
    eval_extra,
    moments,
)
from bandpass.evaluation.features import raw_features
from bandpass.evaluation.rare_events import Curve, average_precision

EXPLAINED = 0.9
"""Share of the variance of rows that the kept principal components explain."""

MOVING = 4
"""The moving mean is over this part of a window, a quarter, or two rows where that is less."""

QUIET = 0.1
"""Least moving deviation, in deviations of the channel: a flicker after silence is no event."""

TREES = 100


class Baseline(Protocol):
    """What every entry of `BASELINES` is."""

    def __call__(self, fit: Floats, test: Floats, *, seed: int) -> Doubles:
        """Return scores (m,) of windows `test` (m, T, C), knowing windows `fit` (n, T, C)."""
        ...


def moving_z_score(fit: Floats, test: Floats, *, seed: int) -> Doubles:
    """Largest |x - moving mean| / moving deviation of a window, over rows and channels.

    Mean and deviation are of the quarter of a window before each row, so its first quarter is not
    scored; the deviation is at least ``QUIET`` of the channel's over `fit`, and a channel that is
    constant there is left out. Deterministic: `seed` is there for the contract.

    Raises:
        ValueError: On windows of another shape, not finite, or shorter than 3 rows.
    """
    del seed
    mean, scale = _moments(fit, test)
    scored = (test - mean) / scale
    span = max(scored.shape[1] // MOVING, 2)
    if span >= scored.shape[1]:
        raise ValueError(f"a moving deviation needs windows of 3 rows or more, got {fit.shape}")
    level, square = (_before(each, span) for each in (scored, scored**2))
    deviation = np.sqrt(np.maximum(square - level**2, QUIET**2))
    return (np.abs(scored[:, span:] - level) / deviation).max(axis=(1, 2))


def pca_residual(fit: Floats, test: Floats, *, seed: int) -> Doubles:
    """Mean over the rows of a window of the squared part that no principal component explains.

    Components are of the standardised rows of `fit`, the fewest that explain ``EXPLAINED`` of
    their variance. With one channel nothing is left over. Deterministic: `seed` is there for the
    contract.

    Raises:
        ValueError: On windows of another shape or not finite.
    """
    del seed
    mean, scale = _moments(fit, test)
    rows = ((fit - mean) / scale).reshape(-1, fit.shape[-1])
    scored = (test - mean) / scale
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    share = np.cumsum(np.maximum(values[::-1], 0))
    kept = int((share < EXPLAINED * share[-1]).sum()) + 1
    axes = vectors[:, -kept:]
    return ((scored - scored @ axes @ axes.T) ** 2).sum(axis=2).mean(axis=1)


def isolation_forest(fit: Floats, test: Floats, *, seed: int) -> Doubles:
    """How few random cuts set the statistics of a window (`raw_features`) apart from the others.

    Liu, Ting & Zhou, "Isolation Forest" (ICDM 2008), as in scikit-learn, 100 trees drawn by `seed`.

    Raises:
        ValueError: On windows of another shape or not finite.
        ModuleNotFoundError: Without the `eval` extra.
    """
    _check_windows(fit, test)
    known, scored = (raw_features(each, np.ones(each.shape, bool)) for each in (fit, test))
    forest = eval_extra("sklearn.ensemble").IsolationForest
    return -forest(n_estimators=TREES, random_state=seed).fit(known).score_samples(scored)


BASELINES: dict[str, Baseline] = {
    "moving z-score": moving_z_score,
    "PCA residual": pca_residual,
    "isolation forest": isolation_forest,
}


def auc_pr(labels: Integers, scores: Floats) -> float:
    """Area under the precision-recall curve of rows: average precision, so without interpolation.

    Args:
        labels: 1 event, 0 normal, (n,).
        scores: Higher is more suspicious, finite, (n,). Equal ones raise the alarm together.

    Returns:
        In [0, 1], the prevalence for constant scores; NaN without events or without normal rows.

    Raises:
        ValueError: On shapes that do not match, other labels or scores that are not finite.
    """
    event = _checked(labels, scores)
    if not 0 < event.sum() < len(event):
        return float("nan")
    return float(average_precision(*Curve(event, scores)(np.ones((1, len(event)))))[0])


def vus_pr(labels: Integers, scores: Floats, buffer: int, streams: Integers | None = None) -> float:
    """Volume under the precision-recall surface: an alarm just beside an event is half a hit.

    The mean over l = 0 .. `buffer` of the area under the curve of soft labels s_l. A row d <= l / 2
    rows before or after an event adds sqrt(1 - d / l) to its label, which is at most 1. At every
    threshold, with the alarms A and the events that the soft labels run together to::

        precision = sum_A s_l / |A|
        recall    = min(1, sum_A s_l / P_l) * share of the events with an alarm
        P_l       = (sum s_0 + sum s_l) / 2

    and the area is the sum of precision times gained recall, at all distinct scores. With one event
    and no buffer it is `auc_pr`; more events make it less, as each has to be found. Soft labels
    keep precision below 1, so with a buffer no score reaches 1.

    Source: Paparrizos, Boniol, Palpanas, Tsay, Elmore & Franklin, "Volume Under the Surface: A New
    Accuracy Evaluation Measure for Time-Series Anomaly Detection" (PVLDB 15(11), 2022), sections
    3.2 and 3.3. The paper puts trapezoids under the curve, which flatters sparse thresholds
    (constant scores would have (1 + prevalence) / 2), and tools take 250 thresholds.

    Args:
        labels: 1 event, 0 normal, (n,), rows in the order of time.
        scores: Higher is more suspicious, finite, (n,).
        buffer: The largest l, in rows, at least 0.
        streams: Stream of each row, (n,), rows of one in a piece: no event reaches into another.

    Returns:
        In [0, 1]; NaN without events or without normal rows.

    Raises:
        ValueError: On shapes that do not match, other labels, scores that are not finite, or a
            negative buffer.
    """
    event = _checked(labels, scores)
    check_rows(len(event), streams=streams)
    if buffer < 0:
        raise ValueError(f"buffer must be at least 0, got {buffer}")
    if not 0 < event.sum() < len(event):
        return float("nan")
    stream = np.zeros(len(event), np.int64) if streams is None else streams
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    areas = [
        _area(soft, event, scores, stream, order, ends) for soft in _soft(event, stream, buffer)
    ]
    return float(np.mean(areas))


def _soft(event: Booleans, stream: Integers, buffer: int) -> Iterator[Doubles]:
    """Soft labels (n,) of every buffer from 0."""
    first, last = _pieces(event, stream)
    for length in range(buffer + 1):
        soft = event.astype(np.float64)
        for distance in range(1, length // 2 + 1):
            for edge, away in ((first, -distance), (last, distance)):
                inside = edge[(edge + away >= 0) & (edge + away < len(soft))]
                near = inside[stream[inside + away] == stream[inside]]
                soft[near + away] += np.sqrt(1 - distance / length)
        yield np.minimum(soft, 1)


def _pieces(inside: Booleans, stream: Integers) -> tuple[Integers, Integers]:
    """First and last row of every run of rows inside, within a stream."""
    new = np.diff(stream, prepend=stream[0] - 1) != 0
    first = inside & (new | ~np.append(False, inside[:-1]))
    last = inside & (np.append(new[1:], True) | ~np.append(inside[1:], False))
    return np.flatnonzero(first), np.flatnonzero(last)


def _area(
    soft: Doubles,
    event: Booleans,
    scores: Floats,
    stream: Integers,
    order: Integers,
    ends: Integers,
) -> float:
    """Area under the curve of one buffer; `order` ranks rows, `ends` are where alarms may stop."""
    hits = np.cumsum(soft[order])[ends]
    first, _ = _pieces(soft > 0, stream)
    outside = np.where(soft > 0, scores, -np.inf)
    best = np.sort(-np.maximum.reduceat(outside, first))
    found = np.searchsorted(best, -scores[order][ends], side="right") / len(best)
    recall = np.minimum(1, 2 * hits / (event.sum() + soft.sum())) * found
    return float((np.diff(recall, prepend=0) * hits / (ends + 1)).sum())


def _checked(labels: Integers, scores: Floats) -> Booleans:
    """Which rows are events."""
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must share a shape (n,), got {labels.shape} and {scores.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(labels)}: leave unknown rows out")
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite")
    return labels == 1


def _moments(fit: Floats, test: Floats) -> tuple[Doubles, Doubles]:
    """Mean and scale (C,) of the rows of `fit`, after a look at both."""
    _check_windows(fit, test)
    return moments(fit.reshape(-1, fit.shape[-1]).astype(np.float64))


def _before(values: Doubles, span: int) -> Doubles:
    """Mean of the `span` rows before each row from row `span` on, (m, T - span, C)."""
    total = np.pad(values, ((0, 0), (1, 0), (0, 0))).cumsum(axis=1)
    return (total[:, span:-1] - total[:, : -span - 1]) / span


def _check_windows(fit: Floats, test: Floats) -> None:
    if fit.ndim != 3 or test.ndim != 3 or fit.shape[1:] != test.shape[1:] or not len(fit):
        raise ValueError(
            f"fit and test must be windows (n, T, C) and (m, T, C), got {fit.shape} and "
            f"{test.shape}"
        )
    for name, each in (("fit", fit), ("test", test)):
        if not np.isfinite(each).all():
            raise ValueError(f"{name} holds NaN or infinity: give missing values as their mean")
