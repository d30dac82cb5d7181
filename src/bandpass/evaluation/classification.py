"""Multi-class scores of a probe: macro-F1, accuracy, the confusion matrix."""

import numpy as np
import numpy.typing as npt

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

_METRICS = ("macro_f1", "accuracy")


def confusion_matrix(
    labels: Integers, predictions: Integers, classes: Integers
) -> npt.NDArray[np.int64]:
    """Count windows by true class (row) and predicted class (column), (k, k).

    Args:
        labels: True classes, (n,).
        predictions: Predicted classes, (n,).
        classes: The k classes, sorted, each at most once.

    Raises:
        ValueError: when a label or a prediction is not among `classes`.
    """
    check_rows(len(labels), predictions=predictions)
    cells = _place(labels, classes) * len(classes) + _place(predictions, classes)
    counts = np.bincount(cells, minlength=len(classes) ** 2)
    return counts.reshape(len(classes), len(classes))


def classify(
    labels: Integers,
    probabilities: Floats,
    classes: Integers,
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Macro-F1 and accuracy of the most probable class, with bootstrap 95% intervals.

    Macro-F1 averages over the classes present in `labels`. A class the probe never saw scores 0;
    a class it predicts that is absent from `labels` costs the others but has no term of its own.
    A resample averages over the classes that it holds.

    Args:
        labels: True classes, (n,); negative ones are unknown and left out.
        probabilities: A probe's output, (n, k).
        classes: Class of each column, (k,): `numpy.unique(fit_labels)`.
        groups: Resampled as wholes when given, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Estimates macro_f1 and accuracy, whose `count` is the number of labelled windows. NaN with
        count 0 and a note when there are none; NaN intervals with a single group.

    Raises:
        ValueError: when the shapes do not match.
    """
    check_rows(len(labels), probabilities=probabilities, groups=groups)
    if probabilities.shape != (len(labels), len(classes)):
        raise ValueError(
            f"probabilities must have shape ({len(labels)}, {len(classes)}): a row per label and "
            f"a column per class, got {probabilities.shape}"
        )
    known = labels >= 0
    if not known.any():
        return dict.fromkeys(_METRICS, missing(f"0 of {len(labels)} windows have a known class"))
    truth = labels[known]
    predicted = classes[probabilities[known].argmax(axis=1)]
    every = np.union1d(truth, classes)
    size = len(every)
    cells = np.eye(size**2)[_place(truth, every) * size + _place(predicted, every)]

    def statistic(weights: Doubles) -> Doubles:
        matrix = (weights @ cells).reshape(-1, size, size)
        accuracy = np.trace(matrix, axis1=1, axis2=2) / matrix.sum(axis=(1, 2))
        return np.stack([macro_f1(matrix), accuracy], axis=1)

    member = np.arange(len(truth)) if groups is None else groups[known]
    values = statistic(np.ones((1, len(truth))))[0]
    low, high = interval(statistic, member, resamples=resamples, seed=seed)
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    return {
        name: Estimate(float(values[i]), float(low[i]), float(high[i]), len(truth), note)
        for i, name in enumerate(_METRICS)
    }


def macro_f1(matrices: npt.NDArray[np.number]) -> Doubles:
    """Mean F1 of the classes with a true window, from confusion matrices (..., k, k)."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    truth, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    score = 2 * hits / np.maximum(truth + predicted, 1e-300)
    present = truth > 0
    return (score * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


def _place(labels: Integers, classes: Integers) -> npt.NDArray[np.intp]:
    place = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = labels[classes[place] != labels]
    if len(unknown):
        raise ValueError(f"class {unknown[0]} is not among the classes {classes.tolist()}")
    return place
