import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import f1_score

from bandpass.evaluation import classify, confusion_matrix


def one_hot(predictions, classes):
    return (predictions[:, None] == classes).astype(float)


def test_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    classes = np.array([2, 5, 7])
    truth = generator.choice(classes, 300)
    predicted = np.where(generator.random(300) < 0.6, truth, generator.choice(classes, 300))
    found = classify(truth, one_hot(predicted, classes), classes, seed=0)
    assert found["macro_f1"].value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["accuracy"].value == pytest.approx((truth == predicted).mean())
    assert found["macro_f1"].low < found["macro_f1"].value < found["macro_f1"].high
    np.testing.assert_array_equal(
        confusion_matrix(truth, predicted, classes), reference_matrix(truth, predicted)
    )


def test_only_classes_of_the_test_split_count():
    # Class 9 was never seen by the probe, class 3 is absent from the test split.
    truth = np.array([1, 1, 2, 2, 9])
    predicted = np.array([1, 3, 2, 2, 2])
    classes = np.array([1, 2, 3])
    found = classify(truth, one_hot(predicted, classes), classes, seed=0)
    assert found["macro_f1"].value == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert found["macro_f1"].count == 5


def test_unknown_classes_are_left_out_and_none_left_is_nan():
    classes = np.array([0, 1])
    found = classify(np.array([0, 1, -1]), one_hot(np.array([0, 1, 1]), classes), classes, seed=0)
    assert found["accuracy"].value == 1
    assert found["accuracy"].count == 2
    none = classify(np.full(3, -1), np.zeros((3, 2)), classes, seed=0)
    assert np.isnan(none["macro_f1"].value)
    assert none["macro_f1"].note == "0 of 3 windows have a known class"


def test_groups_widen_the_interval():
    truth = np.tile([0, 1], 100)
    predicted = truth.copy()
    predicted[:60] = 1 - predicted[:60]  # all errors in a few series
    p, classes = one_hot(predicted, np.array([0, 1])), np.array([0, 1])
    plain = classify(truth, p, classes, seed=0)["accuracy"]
    blocked = classify(truth, p, classes, np.arange(200) // 20, seed=0)["accuracy"]
    assert blocked.high - blocked.low > 2 * (plain.high - plain.low)
    single = classify(truth, p, classes, np.zeros(200, dtype=int), seed=0)["accuracy"]
    assert np.isnan(single.low)


def test_malformed_input_is_named():
    with pytest.raises(ValueError, match=r"shape \(3, 2\).*got \(3, 4\)"):
        classify(np.array([0, 1, 0]), np.zeros((3, 4)), np.array([0, 1]), seed=0)
    with pytest.raises(ValueError, match=r"class 4 is not among the classes \[0, 1\]"):
        confusion_matrix(np.array([0, 4]), np.array([0, 1]), np.array([0, 1]))
