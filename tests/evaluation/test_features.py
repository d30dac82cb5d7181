import numpy as np
import pytest

from bandpass.evaluation import raw_features


def test_statistics_by_hand():
    values = np.array([[[0.0], [1.0], [2.0], [5.0]]], dtype=np.float32)
    found = raw_features(values, np.ones_like(values, dtype=bool))
    # The slope is per window, 4 rows: np.polyfit gives 1.6 a row.
    np.testing.assert_allclose(found, [[2, np.std([0, 1, 2, 5]), 6.4, 0, 5, 0]], rtol=1e-6)
    assert found.dtype == np.float32


def test_agrees_with_a_loop_over_the_observed_rows():
    generator = np.random.default_rng(0)
    values, observed = generator.normal(size=(7, 30, 4)), generator.random((7, 30, 4)) > 0.4
    found = raw_features(values, observed).reshape(7, 6, 4)
    for b in range(7):
        for c in range(4):
            rows = np.flatnonzero(observed[b, :, c])
            x = values[b, rows, c]
            slope = np.polyfit(rows / 30, x, 1)[0]
            expected = [x.mean(), x.std(), slope, x.min(), x.max(), 1 - len(x) / 30]
            np.testing.assert_allclose(found[b, :, c], expected, rtol=1e-4, atol=1e-5)


def test_what_stands_at_missing_rows_is_ignored():
    generator = np.random.default_rng(0)
    values, observed = generator.normal(size=(5, 20, 3)), generator.random((5, 20, 3)) > 0.3
    clean = raw_features(np.where(observed, values, 0), observed)
    np.testing.assert_array_equal(raw_features(np.where(observed, values, np.nan), observed), clean)
    np.testing.assert_array_equal(raw_features(np.where(observed, values, 1e9), observed), clean)


def test_channels_with_nothing_or_one_value():
    values, observed = np.full((1, 8, 2), 3.0), np.zeros((1, 8, 2), dtype=bool)
    observed[0, 5, 1] = True
    found = raw_features(values, observed).reshape(6, 2)
    np.testing.assert_allclose(found[:, 0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(found[:, 1], [3, 0, 0, 3, 3, 7 / 8])


def test_malformed_input_is_named():
    values = np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match=r"got \(2, 3, 4\) and \(2, 3, 1\)"):
        raw_features(values, np.ones((2, 3, 1), dtype=bool))
    values[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="mark it as missing"):
        raw_features(values, np.ones_like(values, dtype=bool))
