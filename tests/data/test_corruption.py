import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data import corruption
from bandpass.data.corruption import FAULTS, KINDS, LONGEST, SHORTEST, episodes, inject


def recording(rows: int, channels: int, seed: int) -> np.ndarray:
    """Noise on levels far apart, with some values missing."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((rows, channels)) + 10 * np.arange(1, channels + 1)
    values[generator.random(values.shape) < 0.05] = np.nan
    return values.astype(np.float32)


seeds = st.integers(0, 2**32 - 1)


@given(rows=st.integers(0, 3000), channels=st.integers(1, 6), rate=st.floats(0, 0.5), seed=seeds)
def test_only_labelled_rows_change(rows: int, channels: int, rate: float, seed: int) -> None:
    values = recording(rows, channels, seed)
    before = values.copy()
    out, corrupt = inject(values, rate, np.random.default_rng(seed))
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(out[corrupt == 0], values[corrupt == 0])
    assert out.dtype == np.float32
    assert corrupt.dtype == np.int8
    assert corrupt.min(initial=0) >= 0
    assert corrupt.max(initial=0) <= len(KINDS)


@given(rows=st.integers(0, 5000), rate=st.floats(0.001, 0.5), seed=seeds)
def test_episodes_are_disjoint_and_of_realistic_length(rows: int, rate: float, seed: int) -> None:
    last = 0
    for start, stop in episodes(rows, rate, np.random.default_rng(seed)):
        assert last <= start
        assert SHORTEST <= stop - start <= LONGEST
        assert stop <= rows
        last = stop


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.4])
def test_the_rate_is_met_in_the_long_run(rate: float) -> None:
    values = np.zeros((400_000, 2), np.float32)
    _, corrupt = inject(values, rate, np.random.default_rng(0))
    assert np.mean(corrupt > 0) == pytest.approx(rate, rel=0.1)


def test_rate_zero_changes_nothing() -> None:
    values = recording(500, 3, 0)
    out, corrupt = inject(values, 0, np.random.default_rng(0))
    np.testing.assert_array_equal(out, values)
    assert not corrupt.any()


@given(seed=seeds)
def test_same_generator_same_faults(seed: int) -> None:
    values = recording(1000, 4, 1)
    one = inject(values, 0.2, np.random.default_rng(seed))
    two = inject(values, 0.2, np.random.default_rng(seed))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_kinds_take_turns() -> None:
    _, corrupt = inject(recording(20_000, 4, 0), 0.1, np.random.default_rng(0))
    starts = np.flatnonzero(np.diff(np.concatenate([[0], corrupt])) > 0)
    counts = np.bincount(corrupt[starts], minlength=len(KINDS) + 1)[1:]
    assert len(KINDS) >= 5
    assert counts.min() >= counts.max() - 1 > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_its_channels_and_no_other(kind: str) -> None:
    values = recording(60, 6, 0)
    hit = np.array([0, 2, 5])
    out = FAULTS[kind](values, hit, np.random.default_rng(0))
    untouched = np.setdiff1d(np.arange(6), hit)
    np.testing.assert_array_equal(out[:, untouched], values[:, untouched])
    for channel in hit:
        assert not np.array_equal(out[:, channel], values[:, channel], equal_nan=True)


def test_dropout_loses_and_never_invents() -> None:
    values = recording(100, 3, 0)
    out = corruption.dropout(values, np.arange(3), np.random.default_rng(0))
    assert np.isnan(out).mean() > 0.7
    kept = ~np.isnan(out)
    np.testing.assert_array_equal(out[kept], values[kept])


def test_stuck_repeats_the_first_value() -> None:
    values = recording(50, 2, 0)
    out = corruption.stuck(values, np.array([1]), np.random.default_rng(0))
    np.testing.assert_array_equal(out[:, 1], np.full(50, values[0, 1]))


def test_noise_burst_is_at_least_two_deviations() -> None:
    values = recording(100, 3, 0)
    out = corruption.noise_burst(values, np.arange(3), np.random.default_rng(0))
    added = corruption.spread(out - values) / corruption.spread(values)
    assert (added > 1.5).all()
    assert (added < 6).all()


def test_permutation_moves_every_hit_channel() -> None:
    values = recording(40, 4, 0)
    out = corruption.permutation(values, np.array([0, 1, 3]), np.random.default_rng(0))
    np.testing.assert_array_equal(out[:, [0, 1, 3]], values[:, [3, 0, 1]])


def test_permutation_sits_out_for_a_single_channel() -> None:
    _, corrupt = inject(recording(20_000, 1, 0), 0.1, np.random.default_rng(0))
    assert set(corrupt) == set(range(len(KINDS) + 1)) - {1 + KINDS.index("permutation")}


def test_scale_is_one_factor_of_at_least_three() -> None:
    values = recording(40, 2, 0)
    out = corruption.scale(values, np.arange(2), np.random.default_rng(0))
    factor = (out / values)[~np.isnan(values)]
    assert np.ptp(factor) < 1e-4
    assert max(factor[0], 1 / factor[0]) >= 3


@given(rows=st.integers(SHORTEST, LONGEST), seed=seeds)
def test_clock_reorders_rows_and_keeps_them_whole(rows: int, seed: int) -> None:
    values = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    out = corruption.clock(values, np.arange(2), np.random.default_rng(seed))
    assert not np.array_equal(out, values)
    np.testing.assert_array_equal(out[np.argsort(out[:, 0])], values)


def test_spread_of_a_constant_or_absent_channel_is_one() -> None:
    values = np.array([[3, np.nan, 0], [3, np.nan, 2]], np.float32)
    np.testing.assert_allclose(corruption.spread(values), [1, 1, 1])
    np.testing.assert_allclose(corruption.spread(2 * values), [1, 1, 2])


@pytest.mark.parametrize("rate", [-0.1, 0.6, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 0.5\]"):
        inject(recording(100, 2, 0), rate, np.random.default_rng(0))


@pytest.mark.parametrize("kinds", [(), ("melted",)])
def test_unknown_kinds_are_refused(kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must be some of dropout"):
        inject(recording(100, 2, 0), 0.1, np.random.default_rng(0), kinds=kinds)
