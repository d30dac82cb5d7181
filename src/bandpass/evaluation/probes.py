"""Frozen-embedding probes: fit on labelled embeddings, return class probabilities.

A probe is a function `(fit_features (n, d), fit_labels (n,), features (m, d), *, seed)` ->
probabilities (m, k), whose columns follow `numpy.unique(fit_labels)` and whose rows sum to 1. With
a single class in the fit part every probe returns a column of ones. Label filtering is the
caller's (a negative label is just another class here).
"""

import warnings
from typing import Any, Protocol

import numpy as np

from bandpass.evaluation._arrays import (
    Doubles,
    Floats,
    Integers,
    as_features,
    check_rows,
    eval_extra,
    moments,
)

PENALTY = 0.05  # C of scikit-learn, for standardised features
_NEIGHBOURS = 20
_SHRINKAGE = 0.1
_ITERATIONS = 200


class Probe(Protocol):
    """What every entry of `PROBES` is."""

    def __call__(
        self, fit_features: Floats, fit_labels: Integers, features: Floats, *, seed: int
    ) -> Doubles:
        """Return probabilities (m, k) of the sorted classes of `fit_labels`."""
        ...


def logistic(fit_features: Floats, fit_labels: Integers, features: Floats, *, seed: int) -> Doubles:
    """Standardised L2 logistic regression at one fixed penalty.

    The penalty is not searched: neighbouring windows overlap and events differ between series, so
    a held-out part of the fit windows picks a penalty that suits its own few events, and the noise
    of that choice is larger than what encoders differ by. Deterministic: `seed` is there for the
    contract.

    Args:
        fit_features: Embeddings of the labelled windows, (n, d).
        fit_labels: Their classes, (n,).
        features: Embeddings to score, (m, d).
        seed: Unused.

    Returns:
        Probabilities, (m, k).
    """
    del seed
    fit, scored, labels = _prepare(fit_features, fit_labels, features)
    if labels.max() == 0:
        return np.ones((len(scored), 1))
    return _fit(_regression().set_params(C=PENALTY), fit, labels).predict_proba(scored)


def discriminant(
    fit_features: Floats, fit_labels: Integers, features: Floats, *, seed: int
) -> Doubles:
    """Linear discriminant analysis with classes taken as equally likely: quick on many folds.

    The covariance is shrunk a tenth of the way to its diagonal mean. Deterministic: `seed` is there
    for the contract.
    """
    del seed
    fit, scored, labels = _prepare(fit_features, fit_labels, features)
    if labels.max() == 0:
        return np.ones((len(scored), 1))
    analysis = eval_extra("sklearn.discriminant_analysis").LinearDiscriminantAnalysis
    equal = np.full(labels.max() + 1, 1 / (labels.max() + 1))
    model = analysis(solver="lsqr", shrinkage=_SHRINKAGE, priors=equal)
    with warnings.catch_warnings():  # a class of one window adds nothing to the covariance
        warnings.filterwarnings("ignore", message="Only one sample available", category=UserWarning)
        return model.fit(fit, labels).predict_proba(scored)


def few_shot_draws(
    fit_features: Floats,
    fit_labels: Integers,
    features: Floats,
    *,
    shots: int = 5,
    draws: int = 10,
    seed: int,
) -> Doubles:
    """Fit a logistic probe (C = 1) on `shots` windows of each class, `draws` times over.

    Features are standardised by all of `fit_features`: unlabelled windows are free. A class with
    fewer windows gives all it has.

    Returns:
        Probabilities, (draws, m, k). `rare_slice` averages its metrics over the draws.
    """
    fit, scored, labels = _prepare(fit_features, fit_labels, features)
    if shots < 1 or draws < 1:
        raise ValueError(f"shots and draws must be positive, got {shots} and {draws}")
    if labels.max() == 0:
        return np.ones((draws, len(scored), 1))
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]
    result = []
    for _ in range(draws):
        chosen = np.concatenate([generator.permutation(rows)[:shots] for rows in members])
        model = _fit(_regression().set_params(C=1.0), fit[chosen], labels[chosen])
        result.append(model.predict_proba(scored))
    return np.stack(result)


def few_shot_logistic(
    fit_features: Floats, fit_labels: Integers, features: Floats, *, seed: int
) -> Doubles:
    """Average probabilities of ten 5-shot logistic probes, (m, k).

    This is a small ensemble. To report the expected metric of a *single* few-shot probe, hand the
    (draws, m) scores of `few_shot_draws` to `rare_slice`.
    """
    return few_shot_draws(fit_features, fit_labels, features, seed=seed).mean(axis=0)


def few_shot_ridge(
    fit_features: Floats,
    fit_labels: Integers,
    features: Floats,
    *,
    shots: int = 6,
    draws: int = 20,
    seed: int,
) -> Doubles:
    """As `few_shot_draws`, with a ridge regression on the classes in closed form: for many folds.

    Labels are coded -1 and 1 and centred over the chosen windows; the penalty is 1 a dimension.

    Returns:
        Scores, (draws, m, k): they rank, and are no probabilities.
    """
    fit, scored, labels = _prepare(fit_features, fit_labels, features)
    if shots < 1 or draws < 1:
        raise ValueError(f"shots and draws must be positive, got {shots} and {draws}")
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]
    coded = 2.0 * np.eye(labels.max() + 1)[labels] - 1
    result = []
    for _ in range(draws):
        chosen = np.concatenate([generator.permutation(rows)[:shots] for rows in members])
        centre, level = fit[chosen].mean(axis=0), coded[chosen].mean(axis=0)
        some = fit[chosen] - centre
        kernel = some @ some.T + fit.shape[1] * np.eye(len(chosen))  # fewer windows than dimensions
        weights = some.T @ np.linalg.solve(kernel, coded[chosen] - level)
        result.append((scored - centre) @ weights + level)
    return np.stack(result)


def knn(fit_features: Floats, fit_labels: Integers, features: Floats, *, seed: int) -> Doubles:
    """Soft votes of the 20 nearest labelled windows, Euclidean on standardised features.

    A vote weighs exp(-(d / d_20)^2), where d_20 is the distance of the 20th neighbour. Euclidean
    rather than cosine, because magnitude is part of what tells an event. Deterministic: `seed` is
    there for the contract.
    """
    del seed
    fit, scored, labels = _prepare(fit_features, fit_labels, features)
    votes = np.eye(labels.max() + 1)[labels]
    k = min(_NEIGHBOURS, len(fit))
    at_once = max(1, 4_000_000 // len(fit))
    result = np.empty((len(scored), votes.shape[1]))
    for first in range(0, len(scored), at_once):
        rows = scored[first : first + at_once]
        squared = (rows**2).sum(1)[:, None] - 2 * rows @ fit.T + (fit**2).sum(1)
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        near = np.maximum(np.take_along_axis(squared, nearest, axis=1), 0)
        reach = near.max(axis=1, keepdims=True)
        weight = np.exp(-near / np.where(reach > 0, reach, 1))
        weight /= weight.sum(axis=1, keepdims=True)
        result[first : first + at_once] = np.einsum("mk,mkc->mc", weight, votes[nearest])
    return result


PROBES: dict[str, Probe] = {
    "logistic": logistic,
    "few-shot logistic": few_shot_logistic,
    "knn": knn,
}


def _prepare(
    fit_features: Floats, fit_labels: Integers, features: Floats
) -> tuple[Doubles, Doubles, Integers]:
    """Check, standardise, and number the classes 0..k-1."""
    fit, scored = as_features(fit_features, "fit_features"), as_features(features)
    check_rows(len(fit), fit_labels=fit_labels)
    if fit_labels.ndim != 1 or len(fit) == 0:
        raise ValueError(f"fit_labels must be (n,) with n > 0, got shape {fit_labels.shape}")
    if fit.shape[1] != scored.shape[1]:
        raise ValueError(f"features must have {fit.shape[1]} columns, got {scored.shape}")
    labels = np.unique(fit_labels, return_inverse=True)[1].reshape(-1)
    mean, scale = moments(fit)
    return (fit - mean) / scale, (scored - mean) / scale, labels


def _regression() -> Any:  # scikit-learn is imported inside functions only, its types with it
    linear = eval_extra("sklearn.linear_model")
    return linear.LogisticRegression(max_iter=_ITERATIONS, tol=1e-3)


def _fit(model: Any, features: Doubles, labels: Integers) -> Any:
    """Fit for a fixed budget of iterations: a probe that stops there is only more regularised."""
    convergence = eval_extra("sklearn.exceptions").ConvergenceWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=convergence)
        return model.fit(features, labels)
