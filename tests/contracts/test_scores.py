"""What every score promises; a new entry of `SCORES` is tested by being there."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.curriculum.scores import SCORES, Score
from bandpass.curriculum.signals import MissingSignal, Signals

WINDOWS, TOKENS, DIM, STACK = 6, 5, 3, 4
SHAPES = {
    "prediction": (WINDOWS, TOKENS, DIM),
    "target": (WINDOWS, TOKENS, DIM),
    "token_losses": (WINDOWS, TOKENS),
    "log_variance": (WINDOWS, TOKENS),
    "mask_losses": (STACK, WINDOWS),
    "head_predictions": (STACK, WINDOWS, TOKENS, DIM),
}
WINDOW_DIM = {"mask_losses": 1, "head_predictions": 1}
TOKEN_DIM = {"prediction": 1, "target": 1, "token_losses": 1, "log_variance": 1}
TOKEN_DIM |= {"head_predictions": 2}
REAL = {"prediction", "target", "log_variance", "head_predictions", "density", "density_ratio"}

every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())
seeds = st.integers(0, 2**16)


def signals_for(score: Score, seed: int) -> Signals:
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str) -> torch.Tensor:
        drawn = torch.randn(SHAPES.get(name, (WINDOWS,)), generator=generator, dtype=torch.double)
        return drawn if name in REAL else drawn.exp()

    return Signals(**{name: draw(name) for name in score.needs})


def test_every_score_is_under_its_name_and_told_apart():
    assert {name: score.name for name, score in SCORES.items()} == {name: name for name in SCORES}
    assert len({score.about for score in SCORES.values()}) == len(SCORES)


@every_score
def test_declares_what_it_needs_and_no_more(score):
    known = {part.name for part in fields(Signals)}
    assert score.needs
    assert set(score.needs) <= known
    assert score.forwards >= 0
    whole = signals_for(score, 0)
    for name in score.needs:
        with pytest.raises(MissingSignal, match=f"no {name}; get it by"):
            score(replace(whole, **{name: None}))


@every_score
@given(seed=seeds)
@settings(max_examples=20)
def test_gives_one_finite_number_a_window(score, seed):
    found = score(signals_for(score, seed))
    assert found.shape == (WINDOWS,)
    assert found.isfinite().all()


@every_score
@given(seed=seeds, order=st.permutations(range(WINDOWS)))
@settings(max_examples=20)
def test_follows_a_permutation_of_the_batch(score, seed, order):
    signals, index = signals_for(score, seed), torch.tensor(order)
    torch.testing.assert_close(score(signals.take(index)), score(signals)[index])


@every_score
@given(seed=seeds, order=st.permutations(range(TOKENS)))
@settings(max_examples=20)
def test_does_not_depend_on_the_order_of_the_tokens(score, seed, order):
    signals, index = signals_for(score, seed), torch.tensor(order)
    moved = {
        name: getattr(signals, name).index_select(dim, index)
        for name, dim in TOKEN_DIM.items()
        if name in score.needs
    }
    torch.testing.assert_close(score(replace(signals, **moved)), score(signals))


@every_score
@given(seed=seeds, bad=st.integers(0, WINDOWS - 1))
@settings(max_examples=20)
def test_a_nan_is_the_score_of_its_window_and_of_no_other(score, seed, bad):
    signals = signals_for(score, seed)
    others = torch.tensor([i for i in range(WINDOWS) if i != bad])
    alone = score(signals.take(others))
    for name in score.needs:
        poisoned = getattr(signals, name).clone()
        one_value = poisoned.select(WINDOW_DIM.get(name, 0), bad)
        one_value[(0,) * one_value.ndim] = torch.nan
        found = score(replace(signals, **{name: poisoned}))
        assert found[bad].isnan()
        if name == "target":  # the scale is then that of the others
            torch.testing.assert_close(found[others], alone)
        else:
            torch.testing.assert_close(found[others], score(signals)[others])


@every_score
@pytest.mark.parametrize("value", [torch.inf, -torch.inf, 0.0])
def test_extremes_leave_the_other_windows_alone(score, value):
    signals = signals_for(score, 1)
    for name in score.needs:
        if value == -torch.inf and name not in REAL:
            continue  # a loss has no such value
        extreme = getattr(signals, name).clone()
        extreme.select(WINDOW_DIM.get(name, 0), 2).fill_(value)
        found = score(replace(signals, **{name: extreme}))
        assert found[[0, 1, 3, 4, 5]].isfinite().all()


@every_score
def test_does_not_write_to_the_signals(score):
    signals, before = signals_for(score, 2), signals_for(score, 2)
    score(signals)
    for name in score.needs:
        assert torch.equal(getattr(signals, name), getattr(before, name))
