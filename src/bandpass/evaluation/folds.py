"""Every recording scored by a probe that was fitted on all others."""

import numpy as np

from bandpass.evaluation._arrays import (
    Doubles,
    Floats,
    Integers,
    as_features,
    check_rows,
    moments,
)

PENALTY = 0.1
"""Ridge penalty per row, for standardised features."""


def leave_one_out(features: Floats, labels: Integers, recordings: Integers) -> Doubles:
    """Score classes by ridge regression on one-hot labels, leaving one recording out at a time.

    In closed form: the moments of the left-out recording are taken off those of all. Features are
    standardised by all rows, which needs no label.

    Args:
        features: Embeddings, (n, d).
        labels: Their classes, (n,).
        recordings: Recording of each, (n,); two at least.

    Returns:
        (n, k) scores, columns as ``numpy.unique(labels)``; not probabilities.

    Raises:
        ValueError: On shapes that do not match, or a single recording.
    """
    matrix = as_features(features)
    check_rows(len(matrix), labels=labels, recordings=recordings)
    names, fold = np.unique(recordings, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} recording: there is no other to fit on")
    mean, scale = moments(matrix)
    x = (matrix - mean) / scale
    y = np.eye(len(np.unique(labels)))[np.unique(labels, return_inverse=True)[1].reshape(-1)]
    whole = _sums(x, y)
    scores = np.empty_like(y)
    for one in range(len(names)):
        left = fold.reshape(-1) == one
        own = _sums(x[left], y[left])
        square, cross, first, total, count = (a - b for a, b in zip(whole, own, strict=True))
        centre, level = first / count, total / count
        covariance = square / count - np.outer(centre, centre)
        slope = np.linalg.solve(
            covariance + PENALTY * np.eye(len(covariance)),
            cross / count - np.outer(centre, level),
        )
        scores[left] = (x[left] - centre) @ slope + level
    return scores


def _sums(x: Doubles, y: Doubles) -> tuple[Doubles, Doubles, Doubles, Doubles, int]:
    return x.T @ x, x.T @ y, x.sum(axis=0), y.sum(axis=0), len(x)
