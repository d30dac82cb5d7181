"""Linear readouts of frozen vectors, scored in a form that the bootstrap can weigh."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bandpass.evaluation._arrays import eval_extra, moments
from bandpass.evaluation.rare_events import Curve, auroc

Statistic = Callable[[np.ndarray], np.ndarray]
"""Row weights (r, n) to scores (r,); NaN where a resample determines none."""

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of the squared coefficients, per window and for standardised features; one grid for all encoders
and readouts. The one that suits the last fifth of the fit windows is taken: these come actor by
actor, so that fifth is of people that the others know nothing of."""

HELD = 0.2

FAR = 5.0
"""Deviations at which a feature is cut off: what was seen once in training would else weigh more
than all the rest where it comes again."""

_AT_ONCE = 1000


def binary(fit: np.ndarray, known: np.ndarray, test: np.ndarray, truth: np.ndarray) -> Statistic:
    """Area under the ROC curve of a logistic readout."""
    curve = Curve(truth == 1, _logistic(fit, known, test)[:, 1])
    return lambda weights: auroc(*curve(weights))


def classes(fit: np.ndarray, known: np.ndarray, test: np.ndarray, truth: np.ndarray) -> Statistic:
    """Accuracy of a logistic readout."""
    chance = _logistic(fit, known, test)
    return _mean(np.unique(known)[chance.argmax(axis=1)] == truth)


def regression(
    fit: np.ndarray, known: np.ndarray, test: np.ndarray, truth: np.ndarray
) -> Statistic:
    """R2 of a ridge readout, about the mean of the test windows.

    Nothing beyond the range of the known answers is answered: a linear readout that meets people
    it has not seen would else name hours that no day has.
    """
    fit, test = _standardise(fit, test)
    error = (_ridge(fit, known, test) - truth) ** 2
    deviation = truth - truth.mean()
    sums = np.stack([error, deviation, deviation**2, np.ones(len(truth))], axis=1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        sse, first, second, count = (weights @ sums).T
        spread = second - first**2 / count
        return 1 - np.divide(sse, spread, out=np.full(len(sse), np.nan), where=spread > 0)

    return statistic


def retrieval(fit: np.ndarray, known: np.ndarray, test: np.ndarray, truth: np.ndarray) -> Statistic:
    """Mean reciprocal rank of the nearest window of the same actor, by cosine.

    Vectors are standardised by the fit windows, so that no feature counts by its unit.
    """
    del known
    cloud = _standardise(fit, test)[1]
    length = np.linalg.norm(cloud, axis=1, keepdims=True)
    cloud = (cloud / np.where(length > 0, length, 1)).astype(np.float32)
    found = np.empty(len(cloud))
    for start in range(0, len(cloud), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(cloud)))
        near = cloud[rows] @ cloud.T
        near[np.arange(len(rows)), rows] = -np.inf
        same = truth[rows, None] == truth[None]
        best = np.where(same, near, -np.inf).max(axis=1, keepdims=True)
        above, level = (near > best).sum(axis=1), ((near == best) & ~same).sum(axis=1)
        found[rows] = 1 / (1 + above + level / 2)  # ties stand in the middle of each other
    return _mean(found)


READOUTS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Statistic]] = {
    "binary": binary,
    "regression": regression,
    "classes": classes,
    "retrieval": retrieval,
}


def _mean(values: np.ndarray) -> Statistic:
    return lambda weights: weights @ values / weights.sum(axis=1)


def _standardise(fit: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, scale = moments(fit.astype(np.float64))
    one, other = ((part - mean) / scale for part in (fit, test))
    return np.clip(one, -FAR, FAR), np.clip(other, -FAR, FAR)


def _ridge(fit: np.ndarray, known: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(m,) answers within the range of those known."""

    def answers(head: int, other: np.ndarray, penalties: tuple[float, ...]) -> Iterator[np.ndarray]:
        x, y = fit[:head], known[:head]
        centre, mean = x.mean(axis=0), y.mean()
        z = x - centre
        values, vectors = np.linalg.eigh(z.T @ z / head)
        moment = vectors.T @ (z.T @ (y - mean) / head)
        for penalty in penalties:
            slope = vectors @ (moment / (np.maximum(values, 0) + penalty))
            yield np.clip((other - centre) @ slope + mean, y.min(), y.max())

    head = len(fit) - int(HELD * len(fit))
    losses = [((q - known[head:]) ** 2).mean() for q in answers(head, fit[head:], PENALTIES)]
    best = PENALTIES[int(np.argmin(losses))]
    return next(answers(len(fit), test, (best,)))


def _logistic(fit: np.ndarray, known: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(m, k) probabilities of the sorted classes."""
    fit, test = _standardise(fit, test)
    head = len(fit) - int(HELD * len(fit))
    kinds = np.unique(known[:head])
    asked = head + np.flatnonzero(np.isin(known[head:], kinds))
    best = PENALTIES[-1]
    if len(kinds) > 1 and len(asked):
        place = np.searchsorted(kinds, known[asked])
        losses = []
        for penalty in PENALTIES:
            model = _regression(penalty, fit[:head], known[:head])
            likely = model.predict_proba(fit[asked])[np.arange(len(asked)), place]
            losses.append(-np.log(np.maximum(likely, 1e-12)).mean())
        best = PENALTIES[int(np.argmin(losses))]
    return _regression(best, fit, known).predict_proba(test)


def _regression(penalty: float, fit: np.ndarray, known: np.ndarray) -> Any:
    linear = eval_extra("sklearn.linear_model")
    # Newton steps are exact and few where the Hessian is small: that of two classes is.
    solver = "newton-cholesky" if len(np.unique(known)) == 2 else "lbfgs"
    strength = 1 / (penalty * len(fit))
    return linear.LogisticRegression(C=strength, solver=solver, tol=1e-3, max_iter=1000).fit(
        fit, known
    )
