import numpy as np
import pytest

from bandpass.evaluation import leave_one_out
from bandpass.evaluation.folds import PENALTY


def cloud(seed: int = 0):
    generator = np.random.default_rng(seed)
    recordings = generator.integers(0, 4, 120)
    labels = generator.integers(0, 3, 120) * 10
    features = generator.normal(size=(120, 5)) + labels[:, None] * [0.2, 0, -0.1, 0, 0]
    return features, labels, recordings


def test_equals_a_ridge_regression_fitted_on_the_other_recordings():
    from sklearn.linear_model import Ridge

    features, labels, recordings = cloud()
    x = (features - features.mean(axis=0)) / features.std(axis=0)
    scores = leave_one_out(features, labels, recordings)
    for one in range(4):
        left = recordings == one
        ridge = Ridge(alpha=PENALTY * (~left).sum())
        ridge.fit(x[~left], (labels[~left, None] == [0, 10, 20]).astype(float))
        assert scores[left] == pytest.approx(ridge.predict(x[left]))


def test_a_recording_never_sees_its_own_labels():
    features, labels, recordings = cloud()
    other = np.where(recordings == 2, np.random.default_rng(1).permutation(labels), labels)
    one, two = (leave_one_out(features, each, recordings) for each in (labels, other))
    assert one[recordings == 2] == pytest.approx(two[recordings == 2])
    assert one[recordings != 2] != pytest.approx(two[recordings != 2])


def test_a_single_recording_is_refused():
    features, labels, _ = cloud()
    with pytest.raises(ValueError, match="1 recording"):
        leave_one_out(features, labels, np.zeros(120, int))
