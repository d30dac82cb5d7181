import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import Ridge as ReferenceRidge
from sklearn.metrics import r2_score

from bandpass.evaluation import fit_ridge, persistence_skill, r2, readout_r2


def linear(n: int, d: int = 6, k: int = 3, noise: float = 0.5, *, seed: int = 0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d))
    w = np.random.default_rng(99).normal(size=(d, k))
    return x, x @ w + 4 + noise * generator.normal(size=(n, k))


def test_ridge_agrees_with_scikit_learn():
    x, y = linear(200)
    ours = fit_ridge(x, y)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = ReferenceRidge(alpha=ours.alpha * len(x)).fit(z, y)
    np.testing.assert_allclose(ours.predict(x), reference.predict(z), atol=1e-9)


def test_alpha_grows_with_noise():
    quiet = fit_ridge(*linear(100, d=60, noise=0.01))
    loud = fit_ridge(*linear(100, d=60, noise=30))
    assert quiet.alpha < 0.01 < 0.1 <= loud.alpha


def test_each_channel_is_fitted_on_its_own_measured_rows():
    x, y = linear(400, noise=0.1)
    y[::3, 0] = np.nan
    y[100:300, 2] = np.nan
    found = fit_ridge(x, y)
    for channel in range(3):
        rows = np.isfinite(y[:, channel])
        expected = LinearRegression().fit(x[rows], y[rows, channel])
        np.testing.assert_allclose(
            found.coefficients[:, channel], expected.coef_, atol=2e-3 + found.alpha * 5
        )


def test_r2_agrees_with_scikit_learn():
    _, y = linear(300)
    prediction = y + np.random.default_rng(1).normal(size=y.shape)
    estimate, per_channel = r2(prediction, y, seed=0)
    np.testing.assert_allclose(per_channel, r2_score(y, prediction, multioutput="raw_values"))
    expected = r2_score(y, prediction, multioutput="variance_weighted")
    assert estimate.value == pytest.approx(expected)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.count == 300


def test_r2_is_unmoved_by_a_large_offset():
    _, y = linear(300)
    prediction = y + np.random.default_rng(1).normal(size=y.shape)
    plain, shifted = r2(prediction, y, seed=0)[0], r2(prediction + 1e7, y + 1e7, seed=0)[0]
    assert shifted.value == pytest.approx(plain.value, abs=1e-6)
    assert shifted.low == pytest.approx(plain.low, abs=1e-6)


def test_r2_leaves_out_what_was_not_measured():
    _, y = linear(300)
    prediction = y + np.random.default_rng(1).normal(size=y.shape)
    holes = y.copy()
    holes[:50, 0] = np.nan
    holes[:20] = np.nan
    estimate, per_channel = r2(prediction, holes, seed=0)
    assert per_channel[0] == pytest.approx(r2_score(y[50:, 0], prediction[50:, 0]))
    assert per_channel[1] == pytest.approx(r2_score(y[20:, 1], prediction[20:, 1]))
    assert estimate.count == 280


def test_constant_and_unmeasured_channels_have_no_r2():
    x, y = linear(300)
    y[:, 0], y[:, 1] = 0.1, np.nan
    found = readout_r2(x[:200], y[:200], x[200:], y[200:], seed=0)
    assert np.isnan(found.per_channel[:2]).all()
    assert np.isnan(found.prediction[:, 1]).all()
    assert found.r2.value == pytest.approx(found.per_channel[2])
    nothing = r2(np.zeros((5, 1)), np.full((5, 1), np.nan), seed=0)[0]
    assert np.isnan(nothing.value)
    assert nothing.count == 0
    assert nothing.note


def test_readout_of_a_linear_signal_is_near_its_ceiling():
    x, y = linear(3000, noise=1)
    found = readout_r2(x[:2000], y[:2000], x[2000:], y[2000:], seed=0)
    ceiling = 1 - 1 / y[2000:].var(axis=0).mean()
    assert found.r2.value == pytest.approx(ceiling, abs=0.02)
    unrelated = np.random.default_rng(3).normal(size=(3000, 6))
    chance = readout_r2(unrelated[:2000], y[:2000], unrelated[2000:], y[2000:], seed=0)
    assert abs(chance.r2.value) < 0.02


def test_collinear_and_constant_features_are_no_trouble():
    x, y = linear(300)
    doubled = np.concatenate([x, x, np.full((300, 1), 7.0)], axis=1)
    plain = readout_r2(x[:200], y[:200], x[200:], y[200:], seed=0).r2.value
    more = readout_r2(doubled[:200], y[:200], doubled[200:], y[200:], seed=0).r2.value
    assert more == pytest.approx(plain, abs=0.01)


def test_few_fit_rows_give_a_strong_penalty():
    x, y = linear(5)
    assert fit_ridge(x, y).alpha == 1.0
    lone = fit_ridge(x[:1], y[:1])
    assert np.isnan(lone.intercept).all()


def test_groups_widen_the_interval():
    generator = np.random.default_rng(0)
    y = generator.normal(size=(400, 2))
    prediction = y + np.repeat(generator.normal(size=(8, 2)), 50, axis=0)  # an offset per series
    plain = r2(prediction, y, seed=0)[0]
    blocked = r2(prediction, y, np.arange(400) // 50, seed=0)[0]
    assert blocked.high - blocked.low > 2 * (plain.high - plain.low)


def test_skill_by_hand():
    y, last = np.array([[1.0], [2.0], [np.nan]]), np.array([[0.0], [0.0], [0.0]])
    half = persistence_skill(y / 2, y, last, seed=0)
    assert half.value == pytest.approx(1 - (0.25 + 1) / (1 + 4))
    assert half.count == 2
    assert persistence_skill(last, y, last, seed=0).value == 0
    assert persistence_skill(np.nan_to_num(y), y, last, seed=0).value == 1


def test_skill_without_error_to_beat_is_nan():
    flat = np.zeros((4, 2))
    found = persistence_skill(flat + 1, flat, flat, seed=0)
    assert np.isnan(found.value)
    assert found.count == 0
    unmeasured = persistence_skill(flat, flat, flat * np.nan, seed=0)
    assert np.isnan(unmeasured.value)


def test_skill_interval_survives_resamples_without_error():
    y, last = np.array([[1.0], [0.0]]), np.zeros((2, 1))
    found = persistence_skill(y / 2, y, last, seed=0)
    assert found.low == found.high == found.value == 0.75


def test_malformed_input_is_named():
    x, y = linear(20)
    with pytest.raises(ValueError, match=r"targets must have shape \(20, k\), got \(19, 3\)"):
        fit_ridge(x, y[:19])
    with pytest.raises(ValueError, match="infinities"):
        fit_ridge(x, y * np.inf)
    with pytest.raises(ValueError, match=r"prediction must have shape \(20, 3\)"):
        r2(y[:, :1], y, seed=0)
    with pytest.raises(ValueError, match="share a shape"):
        persistence_skill(y, y, y[:, :1], seed=0)
    with pytest.raises(ValueError, match="targets must have 20 rows"):
        readout_r2(x, y, x, y[:3], seed=0)
