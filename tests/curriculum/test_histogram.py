import numpy as np
import pytest

from bandpass.curriculum.histogram import (
    BINS,
    WIDTH,
    LogHistogram,
    TargetVariance,
    borrow,
    position,
    ranks,
    tail,
)


def filled(bins: np.ndarray) -> np.ndarray:
    return np.bincount(bins.astype(int), minlength=BINS)[None].astype(float)


def normal(rng: np.random.Generator, mean: float, std: float, size: int) -> np.ndarray:
    return np.clip(rng.normal(mean, std, size), 0, BINS - 1)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.99])
def test_position_is_the_quantile_within_a_bin(q):
    values = normal(np.random.default_rng(0), 250, 40, 20_000)
    assert position(filled(values), q)[0] == pytest.approx(np.quantile(values, q), abs=1)


def test_ranks_are_the_share_below_the_middle_of_a_bin():
    counts = np.zeros((1, BINS))
    counts[0, [3, 7]] = [1, 3]
    np.testing.assert_allclose(ranks(counts)[0, [0, 3, 5, 7, 9]], [0, 0.125, 0.25, 0.625, 1])


def test_tail_is_median_and_mad_of_the_part_above():
    values = normal(np.random.default_rng(0), 200, 30, 50_000)
    above = values[values > np.quantile(values, 0.8)]
    location, scale = tail(filled(values), 0.8)
    assert location[0] == pytest.approx(np.median(above), abs=1)
    mad = np.median(np.abs(above - np.median(above)))
    assert scale[0] == pytest.approx(1.4826 * mad, abs=1.5)


def test_a_signal_poor_stream_does_not_set_the_scale_for_its_rare_states():
    rng = np.random.default_rng(0)
    background, rare = normal(rng, 150, 4, 8500), normal(rng, 250, 20, 1500)
    counts = filled(np.concatenate([background, rare]))
    location, scale = tail(counts, 0.8)
    whole, spread = tail(counts, 0.0)
    assert ((rare - location) / scale).max() < 8
    assert np.median((rare - whole) / spread) > 8, "the test would pass with any scale"


def test_thin_rows_borrow_what_they_lack():
    rows = np.array([[300.0, 100.0], [0.0, 0.0], [0.0, 50.0]])
    full = borrow(rows, rows.sum(axis=1), 200.0)
    pool = np.array([300, 150]) / 450
    np.testing.assert_allclose(full[0], rows[0])
    np.testing.assert_allclose(full[1], 200 * pool)
    np.testing.assert_allclose(full[2], rows[2] + 150 * pool)


def test_axis_is_fixed_by_the_first_batch_and_free_of_units():
    scores = np.random.default_rng(0).normal(size=65)
    near, far = LogHistogram(1, 0.9, 10.0), LogHistogram(1, 0.9, 10.0)
    bins = near.bins(scores)
    np.testing.assert_allclose(far.bins(scores + 30), bins)
    assert bins[np.argsort(scores)[32]] == pytest.approx(BINS / 2)
    np.testing.assert_allclose(near.scores(bins), scores)
    np.testing.assert_allclose(near.bins(scores + WIDTH), bins + 1)


def test_scores_beyond_the_axis_go_to_its_ends():
    histogram = LogHistogram(1, 0.9, 10.0)
    histogram.bins(np.zeros(3))
    bins = histogram.bins(np.array([-np.inf, -1e9, 1e9]))
    np.testing.assert_array_equal(bins.astype(int), [0, 0, BINS - 1])


def test_a_first_batch_of_zeros_is_refused():
    with pytest.raises(ValueError, match="no score of the first batch is finite"):
        LogHistogram(1, 0.9, 10.0).bins(np.full(4, -np.inf))


def test_counts_forget():
    histogram = LogHistogram(2, 0.5, 0.0)
    for _ in range(40):
        histogram.add(np.array([1, 1]), np.array([5.0, 5.0]), np.ones(2))
    counts = histogram.counts()
    assert counts[1, 5] == pytest.approx(4)
    assert counts[0].sum() < 1e-9


def test_target_variance_is_that_of_the_bucket_and_borrows_while_thin():
    rng = np.random.default_rng(0)
    variance = TargetVariance(3, 0.999, 50.0)
    for _ in range(200):
        buckets = rng.integers(0, 2, 64)
        z = rng.normal(5, 1, (64, 6)) * np.where(buckets == 0, 1.0, 0.1)[:, None]
        z += np.where(buckets == 0, 0.0, 4.5)[:, None]
        variance.add(buckets, z, np.ones(64))
    found = np.exp(variance.log())
    np.testing.assert_allclose(found[:2], [1, 0.01], rtol=0.1)
    assert found[1] < found[2] < found[0]
