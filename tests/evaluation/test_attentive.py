import numpy as np
import pytest
import torch

from bandpass.evaluation import attentive


def clips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One marked token of twelve tells the class; its place says nothing, nor does the mean."""
    generator = np.random.default_rng(seed)
    tokens = generator.normal(size=(count, 12, 16)).astype(np.float32)
    labels = generator.integers(0, 3, count)
    place = generator.integers(0, 12, count)
    tokens[np.arange(count), place, 0] += 8
    tokens[np.arange(count), place, 1 + labels] += 6
    return tokens, labels


def test_finds_the_token_that_matters():
    fit, labels = clips(300, 0)
    tokens, truth = clips(200, 1)
    chance = attentive(fit, labels, tokens, seed=0)
    assert chance.shape == (200, 3)
    assert chance.sum(axis=1) == pytest.approx(np.ones(200), abs=1e-5)
    assert (chance.argmax(axis=1) == truth).mean() > 0.9


def test_is_determined_by_the_seed_and_leaves_the_global_generator_alone():
    fit, labels = clips(40, 0)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, again, other = (attentive(fit, labels, fit[:9], seed=seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert torch.equal(state, torch.get_rng_state())


def test_columns_are_the_sorted_classes():
    fit, labels = clips(200, 0)
    names = np.array([30, 10, 20])
    chance = attentive(fit, names[labels], fit, seed=0)
    assert (np.array([10, 20, 30])[chance.argmax(axis=1)] == names[labels]).mean() > 0.9


def test_one_class_needs_no_probe():
    fit, _ = clips(5, 0)
    assert attentive(fit, np.zeros(5, int), fit, seed=0).tolist() == [[1.0]] * 5


def test_broken_tokens_are_refused():
    fit, labels = clips(10, 0)
    fit[3, 0, 0] = np.nan
    with pytest.raises(ValueError, match="tokens hold NaN"):
        attentive(fit, labels, fit, seed=0)
