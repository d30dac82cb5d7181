"""What every probe promises; a new entry of `PROBES` is tested by being there."""

import numpy as np
import pytest

from bandpass.evaluation import PROBES

PROBE = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())


def clusters(classes: int, distance: float, *, seed: int = 0, n: int = 600, d: int = 16):
    """Gaussian clusters `distance` standard deviations from the origin; labels 3, 4, ..."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, size=n)
    centres = np.eye(d)[:classes] * distance
    return centres[labels] + generator.normal(size=(n, d)), labels + 3


@PROBE
@pytest.mark.parametrize("classes", [2, 4])
def test_separable_classes_are_told_apart(probe, classes):
    x, y = clusters(classes, distance=10)
    predicted = probe(x[:300], y[:300], x[300:], seed=0).argmax(axis=1) + 3
    assert (predicted == y[300:]).mean() > 0.97


@PROBE
def test_shuffled_labels_score_chance(probe):
    x, y = clusters(2, distance=10, n=2000)
    y = np.random.default_rng(1).permutation(y)
    predicted = probe(x[:1000], y[:1000], x[1000:], seed=0).argmax(axis=1) + 3
    assert abs((predicted == y[1000:]).mean() - 0.5) < 0.06


@PROBE
def test_rows_are_probabilities_of_the_sorted_classes(probe):
    x, y = clusters(3, distance=1)
    probabilities = probe(x[:300], y[:300], x[300:], seed=0)
    assert probabilities.shape == (300, 3)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@PROBE
def test_the_seed_decides(probe):
    x, y = clusters(2, distance=1)
    first, again = (probe(x[:300], y[:300], x[300:], seed=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@PROBE
def test_units_of_the_features_do_not_matter(probe):
    x, y = clusters(2, distance=2)
    units = 10.0 ** np.arange(-8, 8)
    plain = probe(x[:300], y[:300], x[300:], seed=0)
    scaled = probe(x[:300] * units + 3, y[:300], x[300:] * units + 3, seed=0)
    np.testing.assert_allclose(plain, scaled, atol=1e-3)


@PROBE
def test_one_class_and_constant_features_and_a_single_row_are_no_crash(probe):
    x, y = clusters(2, distance=2)
    one = probe(x[:300], np.zeros(300, dtype=int), x[300:], seed=0)
    np.testing.assert_allclose(one, np.ones((300, 1)))
    flat = probe(np.full((300, 4), 0.1), y[:300], np.zeros((10, 4)), seed=0)
    assert np.isfinite(flat).all()
    assert probe(x[:1], y[:1], x[300:], seed=0).shape == (300, 1)
    lone = np.where(np.arange(300) == 7, 9, 0)  # a class with one window
    assert np.isfinite(probe(x[:300], lone, x[300:], seed=0)).all()


@PROBE
def test_malformed_input_is_named(probe):
    x, y = clusters(2, distance=2)
    with pytest.raises(ValueError, match="features must have 16 columns"):
        probe(x, y, x[:, :3], seed=0)
    with pytest.raises(ValueError, match="fit_labels must have 600 rows"):
        probe(x, y[:5], x, seed=0)
    with pytest.raises(ValueError, match="n > 0"):
        probe(x[:0], y[:0], x, seed=0)
    x[4, 2] = np.nan
    with pytest.raises(ValueError, match="fit_features: 1 of 600 rows hold NaN"):
        probe(x, y, x[5:], seed=0)
