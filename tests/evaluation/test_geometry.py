import numpy as np
import pytest

from bandpass.evaluation import (
    coverage,
    effective_rank,
    positive_pairs,
    rankme,
    regime_geometry,
)


def normal(n: int, d: int, *, seed: int = 0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_rankme_golden_values():
    # Equal singular values: p = 1/d + 1e-7, so exp(-sum p ln p) is d up to the epsilon's share.
    assert rankme(np.eye(64)) == pytest.approx(64, abs=2e-3)
    assert rankme(np.ones((10, 4))) == pytest.approx(1, abs=1e-4)
    # sigma = 3, 1: p = .75, .25, by hand 4 / 3**.75.
    assert rankme(np.diag([3.0, 1.0])) == pytest.approx(4 / 3**0.75, abs=1e-5)
    epsilon = np.array([0.75, 0.25]) + 1e-7
    expected = np.exp(-(epsilon * np.log(epsilon)).sum())
    assert rankme(np.diag([3.0, 1.0])) == pytest.approx(expected, abs=1e-12)


def test_rankme_does_not_see_shrinkage():
    z = normal(3000, 64)
    assert rankme(z) == pytest.approx(rankme(0.01 * z), abs=1e-6)
    assert rankme(0.01 * z) > 63.5


def test_rankme_of_a_dead_encoder():
    assert rankme(np.zeros((8, 3))) == 0


def test_effective_rank_by_hand():
    # Columns orthogonal, of variances 3 : 1, about a far mean that must not matter.
    z = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt([3, 1]) + 100
    assert effective_rank(z) == pytest.approx(4 / 3**0.75)
    assert effective_rank(np.full((9, 5), 0.1)) == 0
    assert np.isnan(effective_rank(np.ones((1, 5))))
    assert effective_rank(np.arange(5.0)[:, None] * np.ones(4)) == pytest.approx(1)


def test_geometry_per_regime():
    z = np.concatenate([normal(4000, 8), normal(4000, 8) * [3, 0, 0, 0, 0, 0, 0, 0]])
    regimes = np.repeat([2, 5], 4000)
    z, regimes = np.append(z, z[:2], axis=0), np.append(regimes, [-1, 9])
    found = regime_geometry(z, regimes)
    assert set(found) == {2, 5, 9}
    sphere, line, single = found[2], found[5], found[9]
    assert sphere.rank == pytest.approx(8, abs=0.05)
    assert sphere.isotropy == pytest.approx(1, abs=0.02)
    assert sphere.trace == pytest.approx(8, rel=0.05)
    assert line.rank == pytest.approx(1)
    assert line.isotropy == pytest.approx(1 / 8)
    assert line.trace == pytest.approx(9, rel=0.1)
    assert single.count == 1
    assert np.isnan([single.rank, single.trace, single.isotropy]).all()


def test_identical_windows_have_no_isotropy():
    found = regime_geometry(np.full((5, 3), 0.3), np.zeros(5, dtype=int))[0]
    assert (found.rank, found.trace) == (0, 0)
    assert np.isnan(found.isotropy)


def test_positive_pairs_of_an_autoregressive_process():
    rho, generator = 0.9, np.random.default_rng(0)
    series, starts = np.repeat(np.arange(20), 200), np.tile(np.arange(200) * 4, 20)
    z = generator.normal(size=(20, 200, 32))
    for t in range(1, 200):
        z[:, t] = rho * z[:, t - 1] + np.sqrt(1 - rho**2) * z[:, t]
    order = generator.permutation(4000)  # the order of the rows must not matter
    z = z.reshape(4000, 32)[order]
    found = positive_pairs(z, series[order], starts[order], 4, seed=0)
    assert found["positive"].value == pytest.approx(rho, abs=0.02)
    assert found["random"].value == pytest.approx(0, abs=0.02)
    assert found["difference"].value == pytest.approx(rho, abs=0.03)
    assert found["difference"].low < found["difference"].value < found["difference"].high
    assert found["positive"].count == 20 * 199
    twice = positive_pairs(z, series[order], starts[order], 8, seed=0)
    assert twice["positive"].value == pytest.approx(rho**2, abs=0.02)


def test_pairs_stay_within_a_series_and_within_reach():
    z = normal(4, 3)
    starts = np.array([0, 10, 0, 25])
    found = positive_pairs(z, np.array([0, 0, 1, 1]), starts, 10, seed=0)
    assert found["positive"].count == 1  # 25 rows are 2 lags or more, and series are not mixed
    none = positive_pairs(z, np.arange(4), starts, 10, seed=0)
    assert none["difference"].count == 0
    assert np.isnan(none["difference"].value)
    assert np.isnan(found["positive"].low)


def test_coverage_by_hand():
    reference = np.array([[0.0], [1], [2], [10], [11], [12]])
    assert coverage(reference, np.array([[1.5]]), neighbours=1) == pytest.approx(2 / 6)
    assert coverage(reference, np.array([[1.5], [11]]), neighbours=1) == pytest.approx(5 / 6)
    assert coverage(reference, np.empty((0, 1)), neighbours=1) == 0
    assert np.isnan(coverage(reference[:2], reference, neighbours=2))


def test_coverage_falls_when_a_mode_is_never_drawn():
    reference = np.concatenate([normal(300, 4), normal(100, 4) + 20])
    everything = np.concatenate([normal(2000, 4, seed=1), normal(2000, 4, seed=2) + 20])
    assert coverage(reference, everything) > 0.95
    assert coverage(reference, everything[:2000]) == pytest.approx(0.75, abs=0.02)


def test_malformed_input_is_named():
    with pytest.raises(ValueError, match=r"must have shape \(n, d\), got \(3,\)"):
        rankme(np.zeros(3))
    with pytest.raises(ValueError, match="1 of 2 rows hold NaN"):
        effective_rank(np.array([[1.0, np.nan], [0, 0]]))
    with pytest.raises(ValueError, match=r"must not be empty, got shape \(0, 3\)"):
        rankme(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="regimes must have 4 rows"):
        regime_geometry(np.zeros((4, 2)), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="drawn must have 2 columns"):
        coverage(np.zeros((9, 2)), np.zeros((9, 3)))
    with pytest.raises(ValueError, match="lag must be a positive"):
        positive_pairs(np.zeros((4, 2)), np.zeros(4, dtype=int), np.arange(4), 0, seed=0)
    with pytest.raises(ValueError, match="neighbours must be positive"):
        coverage(np.zeros((9, 2)), np.zeros((9, 2)), neighbours=0)
