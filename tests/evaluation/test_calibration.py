import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from bandpass.evaluation import calibration_errors, expected_calibration_error, reliability


def test_brier_and_ece_by_hand():
    labels, chance = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    found = calibration_errors(labels, chance, seed=0)
    assert found["brier"].value == pytest.approx((0.01 + 0.09 + 0.16 + 0.04) / 4)
    # 15 bins over 4 distinct values: one bin each.
    assert found["ece"].value == pytest.approx((0.1 + 0.3 + 0.4 + 0.2) / 4)
    assert found["brier_reference"].value == 0.25


def test_two_bins_by_hand():
    table = reliability(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8]), bins=2)
    np.testing.assert_allclose(table.probability, [0.2, 0.7])
    np.testing.assert_allclose(table.frequency, [0, 1])
    np.testing.assert_array_equal(table.count, [2, 2])
    assert expected_calibration_error(table) == pytest.approx(0.25)


def test_bins_have_equal_mass():
    chance = np.random.default_rng(0).random(1500) ** 4
    table = reliability(np.zeros(1500, dtype=int), chance)
    np.testing.assert_array_equal(table.count, np.full(15, 100))
    assert (np.diff(table.probability) > 0).all()


def test_equal_probabilities_share_a_bin():
    labels = np.tile([0, 0, 0, 1], 250)
    table = reliability(labels, np.full(1000, 0.25))
    np.testing.assert_array_equal(table.count, [1000])
    assert expected_calibration_error(table) == 0


def test_calibrated_probabilities_score_well_and_shifted_ones_do_not():
    generator = np.random.default_rng(0)
    chance = generator.random(20_000)
    labels = (generator.random(20_000) < chance).astype(int)
    good = calibration_errors(labels, chance, seed=0, resamples=200)
    bad = calibration_errors(labels, chance**3, seed=0, resamples=200)
    assert good["ece"].value < 0.02 < 0.15 < bad["ece"].value
    assert good["brier"].high < bad["brier"].low
    assert good["brier"].value == pytest.approx(brier_score_loss(labels, chance))
    assert good["brier"].low < good["brier"].value < good["brier"].high


def test_unlabelled_windows_are_left_out_and_none_left_is_nan():
    labels, chance = np.array([0, 1, -1]), np.array([0.2, 0.9, 0.5])
    assert calibration_errors(labels, chance, seed=0)["brier"].count == 2
    found = calibration_errors(np.full(3, -1), chance, seed=0)
    assert all(np.isnan(e.value) and e.count == 0 for e in found.values())
    assert found["ece"].note == "0 of 3 windows are labelled"
    assert np.isnan(expected_calibration_error(reliability(np.full(3, -1), chance)))


def test_a_single_group_has_no_interval():
    found = calibration_errors(np.array([0, 1]), np.array([0.2, 0.9]), np.array([5, 5]), seed=0)
    assert np.isnan(found["brier"].low)
    assert found["brier"].note == "1 group: no interval"


@pytest.mark.parametrize("chance", [[1.5, 0.2], [np.nan, 0.1], [-0.1, 0.1]])
def test_scores_that_are_no_probabilities_are_refused(chance):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        calibration_errors(np.array([0, 1]), np.array(chance), seed=0)


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        calibration_errors(np.array([0, 1]), np.zeros(3), seed=0)
    with pytest.raises(ValueError, match="bins must be positive"):
        reliability(np.array([0, 1]), np.zeros(2), bins=0)
