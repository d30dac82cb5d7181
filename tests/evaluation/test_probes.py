import numpy as np
import pytest

from bandpass.evaluation import (
    _arrays,
    discriminant,
    few_shot_draws,
    few_shot_logistic,
    few_shot_ridge,
    knn,
    logistic,
)


def noisy(n: int, d: int, *, seed: int = 0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d))
    return x, (x[:, 0] + generator.normal(size=n) > 0).astype(int)


def test_logistic_is_penalised_enough_for_many_features():
    # 200 rows in 150 dimensions, one of which tells: an unpenalised fit would reach about 0.9.
    x, y = noisy(1200, 150)
    p = logistic(x[:200], y[:200], x[200:], seed=0)
    log_loss = -np.log(p[np.arange(1000), y[200:]]).mean()
    assert log_loss < np.log(2)


def test_logistic_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = noisy(3000, 5)
    scaler = StandardScaler().fit(x[:2000])
    reference = (
        LogisticRegression(C=0.05, tol=1e-8)
        .fit(scaler.transform(x[:2000]), y[:2000])
        .predict_proba(scaler.transform(x[2000:]))
    )
    np.testing.assert_allclose(logistic(x[:2000], y[:2000], x[2000:], seed=0), reference, atol=5e-3)


def test_few_shot_draws_differ_and_more_shots_help():
    x, y = noisy(2000, 20)
    few = few_shot_draws(x[:1000], y[:1000], x[1000:], shots=2, draws=8, seed=0)
    many = few_shot_draws(x[:1000], y[:1000], x[1000:], shots=200, draws=8, seed=0)
    assert few.shape == (8, 1000, 2)
    assert np.abs(few[0] - few[1]).max() > 0.1
    accuracy = [(p.argmax(axis=2) == y[1000:]).mean() for p in (few, many)]
    assert accuracy[1] > accuracy[0] + 0.05


def test_few_shot_logistic_averages_the_draws():
    x, y = noisy(400, 8)
    draws = few_shot_draws(x[:200], y[:200], x[200:], seed=3)
    np.testing.assert_allclose(
        few_shot_logistic(x[:200], y[:200], x[200:], seed=3), draws.mean(axis=0)
    )


def test_few_shot_refuses_no_shots():
    x, y = noisy(40, 3)
    with pytest.raises(ValueError, match="shots and draws must be positive, got 0 and 10"):
        few_shot_draws(x, y, x, shots=0, seed=0)


def test_few_shot_refuses_a_ridge_on_no_shots():
    x, y = noisy(40, 3)
    with pytest.raises(ValueError, match="shots and draws must be positive, got 6 and 0"):
        few_shot_ridge(x, y, x, draws=0, seed=0)


def test_few_shot_ridge_is_a_ridge_with_an_intercept():
    """By scikit-learn on the same windows: more shots than a class has leave nothing to chance."""
    from sklearn.linear_model import Ridge

    x, y = noisy(30, 7)
    y = 3 * y + (x[:, 1] > 1)  # any codes, and classes of different sizes
    scored = np.random.default_rng(1).normal(size=(50, 7))
    z, s = ((some - x.mean(axis=0)) / x.std(axis=0) for some in (x, scored))
    coded = np.where(y[:, None] == np.unique(y), 1.0, -1.0)
    expected = Ridge(alpha=7).fit(z, coded).predict(s)
    found = few_shot_ridge(x, y, scored, shots=1000, draws=3, seed=0)
    assert found.shape == (3, 50, len(np.unique(y)))
    for draw in found:  # each of all windows, in another order
        np.testing.assert_allclose(draw, expected, atol=1e-10)


def test_few_shot_ridge_takes_so_many_of_each_class():
    """Where classes are points it does not matter which windows are drawn, but how many are."""
    x = np.repeat([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]], [50, 30, 2], axis=0)
    y = np.repeat([0, 1, 2], [50, 30, 2])
    few = few_shot_ridge(x, y, x, shots=4, draws=5, seed=0)
    np.testing.assert_allclose(few, np.broadcast_to(few[:1], few.shape), atol=1e-12)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    shown = z[[0] * 4 + [50] * 4 + [80] * 2]
    coded = np.where(np.repeat([0, 1, 2], [4, 4, 2])[:, None] == np.arange(3), 1.0, -1.0)
    centred, level = shown - shown.mean(axis=0), coded.mean(axis=0)
    slope = np.linalg.solve(centred.T @ centred + 2 * np.eye(2), centred.T @ (coded - level))
    np.testing.assert_allclose(few[0], (z - shown.mean(axis=0)) @ slope + level, atol=1e-12)


def test_few_shot_ridge_does_not_mind_scale_and_knows_its_seed():
    x, y = noisy(300, 6)
    first = few_shot_ridge(x[:200], y[:200], x[200:], seed=0)
    moved = 1000 * x + 5
    again = few_shot_ridge(moved[:200], y[:200], moved[200:], seed=0)
    np.testing.assert_allclose(again, first, atol=1e-9)
    other = few_shot_ridge(x[:200], y[:200], x[200:], seed=1)
    assert first.shape == other.shape == (20, 100, 2)
    assert np.abs(first - other).max() > 0.1
    assert np.abs(first[0] - first[1]).max() > 0.1


def test_few_shot_ridge_ranks_by_a_class_and_more_shots_help():
    x, y = noisy(2000, 20)
    few, many = (
        few_shot_ridge(x[:1000], y[:1000], x[1000:], shots=shots, seed=0) for shots in (2, 200)
    )
    accuracy = [(scores.argmax(axis=2) == y[1000:]).mean() for scores in (few, many)]
    assert accuracy[1] > accuracy[0] + 0.05


def test_few_shot_ridge_of_one_class_ranks_nothing():
    x, _ = noisy(40, 3)
    found = few_shot_ridge(x, np.full(40, 4), x, draws=2, seed=0)
    np.testing.assert_array_equal(found, np.ones((2, 40, 1)))


def clouds(sizes: tuple[int, ...], *, seed: int = 0):
    """Round clouds of one size about points that are far apart, as many windows each as said."""
    generator = np.random.default_rng(seed)
    means = 6.0 * np.eye(len(sizes))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return means[labels] + generator.normal(size=(len(labels), len(sizes))), labels


def test_discriminant_goes_by_the_nearest_mean():
    """Where the clouds are round that is what linear discriminant analysis comes to."""
    x, y = clouds((400, 400, 400))
    scored = np.random.default_rng(1).normal(2, 3, size=(500, 3))
    found = discriminant(x, y + 10, scored, seed=0)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    means = np.stack([x[y == k].mean(axis=0) for k in range(3)])
    nearest = ((scored[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (found.argmax(axis=1) == nearest).mean() > 0.95


def test_discriminant_takes_classes_as_equally_likely():
    """Half-way between a class of 4000 and one of 40 neither is the likelier one."""
    x, y = clouds((4000, 40))
    middle = (x[y == 0].mean(axis=0) + x[y == 1].mean(axis=0)) / 2
    assert discriminant(x, y, middle[None], seed=0)[0] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_discriminant_survives_a_single_window_and_a_single_class():
    x, y = clouds((50, 50, 1))
    found = discriminant(x, y, x, seed=0)
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == y).all()
    np.testing.assert_array_equal(discriminant(x[:9], y[:9], x, seed=0), np.ones((101, 1)))


def test_knn_agrees_with_a_plain_loop():
    x, y = noisy(300, 4)
    z = (x - x[:200].mean(axis=0)) / x[:200].std(axis=0)
    expected = []
    for row in z[200:]:
        squared = ((z[:200] - row) ** 2).sum(axis=1)
        near = np.argsort(squared)[:20]
        weight = np.exp(-squared[near] / squared[near].max())
        expected.append((weight * y[near]).sum() / weight.sum())
    np.testing.assert_allclose(knn(x[:200], y[:200], x[200:], seed=0)[:, 1], expected)


def test_a_missing_extra_is_named(monkeypatch):
    def absent(module: str):
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(_arrays, "import_module", absent)
    x, y = noisy(40, 3)
    with pytest.raises(ModuleNotFoundError, match=r"pip install bandpass\[eval\]"):
        logistic(x, y, x, seed=0)
