import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bandpass.evaluation import (
    block_groups,
    bootstrap_weights,
    interquartile_mean,
    interval,
    paired_difference,
)


def mean_of(values):
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def weights_of(groups, strata=None, resamples=50):
    generator = np.random.default_rng(0)
    chunks = bootstrap_weights(groups, strata=strata, resamples=resamples, generator=generator)
    return np.concatenate(list(chunks))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_groups_are_drawn_whole_and_as_many_as_there_are(groups):
    groups = np.array(groups)
    weights = weights_of(groups)
    assert weights.shape == (50, len(groups))
    first = np.array([np.flatnonzero(groups == g)[0] for g in groups])
    np.testing.assert_array_equal(weights, weights[:, first])
    np.testing.assert_array_equal(
        weights[:, np.unique(groups, return_index=True)[1]].sum(axis=1), len(np.unique(groups))
    )


def test_strata_keep_their_size():
    strata = np.arange(20) < 3
    weights = weights_of(np.arange(20), strata)
    np.testing.assert_array_equal(weights[:, strata].sum(axis=1), 3)
    np.testing.assert_array_equal(weights[:, ~strata].sum(axis=1), 17)


def test_large_problems_come_in_chunks_of_bounded_size():
    generator = np.random.default_rng(0)
    chunks = bootstrap_weights(np.arange(500_000), resamples=10, generator=generator)
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]


def test_interval_of_a_mean_agrees_with_theory():
    values = np.random.default_rng(0).normal(size=500)
    low, high = interval(mean_of(values), np.arange(500), seed=0, resamples=4000)
    half = 1.96 * values.std() / 500**0.5
    assert low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_leaves_out_undefined_resamples():
    low, high = interval(lambda w: np.where(w[:, :1] > 0, 7.0, np.nan), np.arange(5), seed=0)
    assert (low[0], high[0]) == (7, 7)
    low, high = interval(lambda w: np.full((len(w), 1), np.nan), np.arange(5), seed=0)
    assert np.isnan([low[0], high[0]]).all()


def test_one_group_has_no_interval():
    low, high = interval(mean_of(np.arange(4.0)), np.zeros(4, dtype=int), seed=0)
    assert np.isnan([low[0], high[0]]).all()


def test_blocks_do_not_cross_series():
    groups = block_groups(np.array([0, 0, 0, 1, 1]), np.array([0, 90, 100, 0, 100]), 100)
    np.testing.assert_array_equal(groups, [0, 0, 1, 2, 3])


def test_malformed_input_is_named():
    with pytest.raises(ValueError, match="block must be a positive"):
        block_groups(np.zeros(2, dtype=int), np.zeros(2, dtype=int), 0)
    with pytest.raises(ValueError, match="no rows to resample"):
        weights_of(np.zeros(0, dtype=int))
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        paired_difference(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"\(seeds, tasks\), got \(3,\)"):
        interquartile_mean(np.zeros(3))


def test_paired_difference_agrees_with_scipy():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.5, 1, 8), generator.normal(size=8)
    found = paired_difference(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert found.mean == pytest.approx((a - b).mean())
    assert (found.t_low, found.t_high) == pytest.approx((expected.low, expected.high))
    exact = stats.permutation_test(
        (a, b), lambda x, y: (x - y).mean(), permutation_type="samples", n_resamples=np.inf
    )
    assert found.p == pytest.approx(exact.pvalue)
    assert found.t_low < found.bootstrap_low < found.mean < found.bootstrap_high < found.t_high
    assert found.count == 8


def test_eight_clear_seeds_reach_the_smallest_p():
    found = paired_difference(np.arange(8) + 1.0, np.zeros(8))
    assert found.p == pytest.approx(0.0078125)


def test_many_pairs_draw_their_sign_flips():
    difference = np.random.default_rng(0).normal(0.5, 1, 30)
    found = paired_difference(difference, np.zeros(30))
    assert found.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue, abs=0.01)
    assert found == paired_difference(difference, np.zeros(30))


def test_pairs_with_a_missing_arm_are_left_out():
    a, b = np.array([1.0, 2.0, np.nan, 5.0]), np.array([0.0, 1.5, 3.0, np.nan])
    assert paired_difference(a, b).count == 2
    assert paired_difference(a, b).mean == 0.75
    one = paired_difference(a[:1], b[:1])
    assert one.mean == 1
    assert np.isnan(one[1:6]).all()
    assert np.isnan(paired_difference(a[2:], b[2:]).mean)


def test_equal_arms_differ_by_nothing():
    found = paired_difference(np.ones(5), np.ones(5))
    assert (found.mean, found.t_low, found.t_high, found.p) == (0, 0, 0, 1)


def test_interquartile_mean_agrees_with_the_trimmed_mean():
    values = np.random.default_rng(0).standard_cauchy((9, 3))
    found = interquartile_mean(values)
    assert found.value == pytest.approx(stats.trim_mean(values, 0.25, axis=None))
    assert found.low < found.value < found.high
    assert found.count == 27


def test_interquartile_mean_of_missing_or_single_scores():
    assert np.isnan(interquartile_mean(np.array([[1.0, np.nan]])).value)
    assert interquartile_mean(np.array([[1.0, np.nan]])).note == "1 of 2 scores are not finite"
    single = interquartile_mean(np.array([[1.0, 2.0, 3.0, 4.0]]))
    assert single.value == 2.5
    assert np.isnan(single.low)
