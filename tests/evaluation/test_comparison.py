import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.evaluation import (
    equal_arms,
    exchanged,
    holm,
    interquartile_mean,
    minimum_detectable_effect,
    non_inferior,
    paired_difference,
    paired_iqm,
    rejection_rate,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # .01*3; .03*2; .04*1 raised to .06
        ([0.5, 0.9, 0.4], [1, 1, 1]),  # 1.2 and 1.0 are cut to 1; .9 is raised
        ([0.02, NAN, 0.01], [0.02, NAN, 0.02]),  # a family of two
        ([NAN, 0.3, NAN], [NAN, 0.3, NAN]),
        ([NAN, NAN], [NAN, NAN]),
        ([], []),
    ],
)
def test_holm_by_hand(p, adjusted):
    np.testing.assert_allclose(holm(np.array(p, dtype=float)), adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_keeps_order_and_lies_between_plain_and_bonferroni(values):
    p = np.array(values)
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * p, 1)).all()
    np.testing.assert_array_equal(holm(np.stack([p, p[::-1]])), [adjusted, holm(p[::-1])])


def test_no_probability():
    with pytest.raises(ValueError, match=r"\[0, 1\], got 1.5"):
        holm(np.array([0.1, 1.5]))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_equal_arms_are_told_apart_in_at_most_a_twentieth_of_the_tables(correlation):
    found = rejection_rate(equal_arms((500, 8, 3), correlation=correlation, seed=1))
    assert found.low <= 0.05
    assert 0 < found.value <= 0.05
    assert found.count == 500


def test_without_holm_equal_arms_would_be_told_apart_too_often():
    tables = equal_arms((2000, 8, 3), correlation=0.0, seed=0)
    plain = [rejection_rate(tables[:, :, [metric]]).value for metric in range(3)]
    assert 0.03 < min(plain) <= max(plain) < 0.06  # 12 of 256 patterns: .047
    assert sum(plain) > 0.1 > 2 * rejection_rate(tables).value


def test_measured_differences_exchanged_are_those_of_equal_arms():
    generator = np.random.default_rng(0)
    measured = generator.normal(0.4, 1, (8, 3)) * [1, 10, 100]
    assert paired_difference(measured[:, 0], np.zeros(8)).mean > 0.2
    tables = exchanged(measured, (500, 8), seed=0)
    assert tables.shape == (500, 8, 3)
    rows = np.abs(tables).reshape(-1, 1, 3)
    assert (rows == np.abs(measured)).all(axis=2).any(axis=1).all()
    assert np.abs(tables.mean(axis=(0, 1))).max() < 0.05 * np.abs(measured).max()
    assert rejection_rate(tables).low <= 0.05
    with pytest.raises(ValueError, match="uniform-again"):
        exchanged(measured[:0], (5, 8), seed=0)


def test_simulated_arms_have_the_correlation_and_tails_asked_for():
    tables = equal_arms((5000, 8, 2), correlation=0.6, freedom=8.0, seed=0).reshape(-1, 2)
    assert np.corrcoef(tables.T)[0, 1] == pytest.approx(0.6, abs=0.02)
    assert tables.var() == pytest.approx(2 * 8 / 6, rel=0.05)
    scaled = tables[:, 0] / tables[:, 0].std()
    assert (scaled**4).mean() > 3.3  # of a normal it is 3


@pytest.mark.parametrize(
    ("n", "alpha", "power"),
    [(8, 0.05, 0.78), (12, 0.05, 0.8), (20, 0.05, 0.8), (8, 0.05 / 3, 0.75), (12, 0.05 / 3, 0.8)],
)
def test_a_planted_effect_of_the_stated_size_is_found_in_four_of_five_tables(n, alpha, power):
    effect = minimum_detectable_effect(3.0, n, alpha=alpha)
    tables = np.random.default_rng(n).normal(effect, 3.0, (600, n, 1))
    found = rejection_rate(tables, alpha=alpha)
    assert found.low <= power <= found.high
    half = rejection_rate(tables - effect / 2, alpha=alpha)
    assert half.high < 0.5


def test_what_can_be_detected_follows_pairs_and_power():
    assert minimum_detectable_effect(1.0, 8) == pytest.approx(1.1728, abs=1e-4)
    assert minimum_detectable_effect(2.0, 8) == 2 * minimum_detectable_effect(1.0, 8)
    assert minimum_detectable_effect(1.0, 8, power=0.9) > minimum_detectable_effect(1.0, 8)
    # The normal approximation: (1.960 + 0.8416) / sqrt(n).
    assert minimum_detectable_effect(1.0, 4000) == pytest.approx(2.8016 / 4000**0.5, rel=1e-3)
    assert np.isnan(minimum_detectable_effect(NAN, 8))


@pytest.mark.parametrize(("alpha", "enough"), [(0.05, 6), (0.05 / 3, 7)])
def test_too_few_pairs_detect_nothing(alpha, enough):
    assert minimum_detectable_effect(1.0, enough - 1, alpha=alpha) == np.inf
    assert minimum_detectable_effect(1.0, enough, alpha=alpha) < 2
    assert minimum_detectable_effect(1.0, 0) == np.inf
    assert rejection_rate(np.ones((3, enough, 1)), alpha=alpha).value == 1
    assert rejection_rate(np.ones((3, enough - 1, 1)), alpha=alpha).value == 0
    with pytest.raises(ValueError, match=r"got 0\.05 and 1\.0"):
        minimum_detectable_effect(1.0, 8, power=1.0)


def test_non_inferiority_by_hand():
    baseline = np.array([0.5, 0.6, 0.7, 0.8])
    arm = baseline + np.array([-0.01, 0.01, -0.02, 0.0])
    # mean -.005, standard deviation .01291, t(.95, 3) = 2.3534: bound -.005 - .01519
    found = non_inferior(arm, baseline, 0.03)
    assert found.mean == pytest.approx(-0.005)
    assert found.bound == pytest.approx(-0.02019, abs=1e-5)
    assert found.holds
    assert found.count == 4
    assert not non_inferior(arm, baseline, 0.02).holds
    assert non_inferior(arm + 0.03, baseline, 0.0).holds
    assert non_inferior(np.append(arm, NAN), np.append(baseline, 1), 0.03) == found


def test_non_inferiority_needs_pairs_and_a_margin():
    one = non_inferior(np.ones(1), np.zeros(1), 0.1)
    assert (one.mean, one.holds, one.count) == (1, False, 1)
    assert np.isnan(one.bound)
    assert np.isnan(non_inferior(np.ones(0), np.ones(0), 0.1).mean)
    with pytest.raises(ValueError, match=r"got -1\.0"):
        non_inferior(np.ones(3), np.zeros(3), -1.0)
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        non_inferior(np.ones(3), np.zeros(2), 1.0)


def test_iqm_of_pairs_is_that_of_the_differences():
    generator = np.random.default_rng(0)
    baseline = generator.normal(size=(8, 3))
    arm = baseline + generator.normal(0.5, 0.1, (8, 3))
    arm[0, 0] += 100  # one seed of one task does not decide
    found = paired_iqm(arm, baseline)
    assert found == interquartile_mean(arm - baseline)
    assert 0.4 < found.low < found.value < found.high < 0.7
    arm[2, 1] = NAN
    assert paired_iqm(arm, baseline).note == "1 of 24 scores are not finite"
    with pytest.raises(ValueError, match="differ in shape"):
        paired_iqm(arm, baseline[:2])


def test_no_table_has_no_rate():
    assert rejection_rate(np.zeros((0, 8, 3))).note == "no tables"
    assert rejection_rate(np.zeros((5, 8, 3)))[:2] == (0, 0)


def test_the_interval_of_a_share_is_exact():
    tables = np.where(np.arange(20)[:, None, None] < 3, 1.0, 0.0) * np.ones((20, 8, 1))
    found = rejection_rate(tables)
    assert found.value == pytest.approx(0.15)
    assert (found.low, found.high) == pytest.approx((0.0321, 0.3789), abs=1e-4)
