import numpy as np
import pytest

from bandpass.evaluation import _arrays, few_shot_draws, few_shot_logistic, knn, logistic


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
