"""Prediction of what would be said of a window."""

import copy

import pytest
import torch
from torch import Tensor

from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import (
    JEPA,
    MASKS,
    EncoderSettings,
    JEPASettings,
    Mask,
    PredictorSettings,
    TextJEPA,
)

CHANNELS, TIME, BATCH, TEXT = 2, 16, 6, 8


def build(distance: str = "cosine", causal: bool = False) -> TextJEPA:
    settings = JEPASettings(
        encoder=EncoderSettings(patch=2, dim=16, depth=1, heads=2, mlp=32),
        predictor=PredictorSettings(dim=16, depth=2, heads=2, mlp=32, causal=causal),
        target="text",
        text=TEXT,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TextJEPA(CHANNELS, TIME, settings, PREDICTION_LOSSES[distance])


def unit(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(*shape, TEXT, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


@pytest.fixture
def windows() -> tuple[Tensor, Tensor]:
    values = torch.randn(BATCH, TIME, CHANNELS, generator=torch.Generator().manual_seed(1))
    return values, torch.ones_like(values, dtype=torch.bool)


@pytest.fixture
def mask() -> Mask:
    return MASKS["span"](BATCH, (TIME // 2,), 0.4, torch.Generator().manual_seed(2))


@pytest.fixture
def context() -> Tensor:
    """Two questions; window 0 has no answer, window 1 only the second."""
    questions = unit(2).expand(BATCH, -1, -1)
    answers = unit(BATCH, 2, seed=1)
    answers[0], answers[1, 0] = torch.nan, torch.nan
    return torch.stack([questions, answers], dim=2)


@pytest.mark.parametrize("distance", PREDICTION_LOSSES)
def test_a_window_has_the_mean_error_of_the_answers_that_are_known(
    windows, mask, context, distance
):
    jepa = build(distance)
    output = jepa(*windows, mask, context=context)
    errors = jepa.distance(output.foreseen, context[:, :, 1])
    torch.testing.assert_close(output.prediction[2:], errors[2:].mean(dim=1))
    torch.testing.assert_close(output.prediction[1], errors[1, 1])
    assert output.prediction[0] == 0
    torch.testing.assert_close(output.errors.mean(dim=1), output.prediction)
    assert torch.equal(output.grounding, torch.zeros(BATCH))


def test_what_is_not_known_is_wanted_as_it_is_foreseen(windows, mask, context):
    """So that no score of latents takes a window without a label for a surprising one."""
    output = build()(*windows, mask, context=context)
    assert torch.equal(output.wanted[0], output.foreseen[0])
    assert torch.equal(output.wanted[1, 0], output.foreseen[1, 0])
    assert torch.equal(output.wanted[2:], context[2:, :, 1])
    assert output.tokens.shape == (BATCH, 8, 16)
    assert not output.tokens.requires_grad
    assert output.features.shape == (BATCH, 2, 16)


def test_windows_without_an_answer_teach_nothing(windows, mask, context):
    jepa = build()
    output = jepa(*windows, mask, context=context)
    output.prediction[0].backward()
    assert all(w.grad is None or not w.grad.any() for w in jepa.parameters())
    jepa(*windows, mask, context=context).prediction[2].backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in jepa.parameters())
    assert jepa.encoder.embed.weight.grad.any()
    assert jepa.ask.weight.grad.any()


@pytest.mark.parametrize("causal", [False, True])
def test_an_answer_does_not_depend_on_what_else_is_asked(windows, mask, context, causal):
    jepa = build(causal=causal)
    both = jepa(*windows, mask, context=context).foreseen
    alone = jepa(*windows, mask, context=context[:, 1:]).foreseen
    torch.testing.assert_close(alone, both[:, 1:])
    assert not torch.allclose(both[:, 0], both[:, 1]), "the question has a part in it"


def test_answers_are_of_the_whole_window(windows, context):
    jepa = build()
    every = torch.arange(8).expand(BATCH, -1)
    whole = Mask(every, every[:, :1])
    expected = jepa(*windows, whole, context=context).foreseen[:, 0]
    question = context[0, 0, 0]
    torch.testing.assert_close(jepa.answer(*windows, question), expected)
    later = windows[0].clone()
    later[:, -1] += 3
    assert not torch.allclose(jepa.answer(later, windows[1], question), expected)


def test_a_sample_is_the_same_alone_as_in_its_batch(windows, mask, context):
    jepa = build()
    together = jepa(*windows, mask, context=context)
    for i in range(BATCH):
        own = slice(i, i + 1)
        one = Mask(mask.context[own], mask.target[own])
        alone = jepa(*(part[own] for part in windows), one, context=context[own])
        torch.testing.assert_close(alone.prediction, together.prediction[own])


def test_is_refused_without_questions_or_without_latents(windows, mask):
    with pytest.raises(ValueError, match=r"needs questions and answers: Batch\.context"):
        build()(*windows, mask)
    with pytest.raises(ValueError, match="'text' is a latent one"):
        TextJEPA(2, 16, JEPASettings(target="text", latent=False), PREDICTION_LOSSES["mse"])
    with pytest.raises(ValueError, match="target 'text' is none of"):
        JEPA(2, 16, JEPASettings(target="text"), PREDICTION_LOSSES["mse"])
    with pytest.raises(ValueError, match=r"target 'ema' is none of \['text'\]"):
        TextJEPA(2, 16, JEPASettings(), PREDICTION_LOSSES["mse"])


def test_learns_to_answer_by_the_question_and_resumes_bit_for_bit():
    """One question asks for the sign of one channel, the other for that of the other."""
    questions, said = unit(2), unit(2, 2, seed=1)
    generator = torch.Generator().manual_seed(5)

    def draw() -> tuple[Tensor, Tensor, Tensor]:
        signs = torch.randint(0, 2, (32, 2), generator=generator)
        noise = 0.5 * torch.randn(32, TIME, CHANNELS, generator=generator)
        return (2.0 * signs - 1)[:, None] + noise, signs, _pairs(signs)

    def _pairs(signs: Tensor) -> Tensor:
        answers = torch.stack([said[kind, signs[:, kind]] for kind in (0, 1)], dim=1)
        return torch.stack([questions.expand(32, -1, -1), answers], dim=2)

    def step(jepa: TextJEPA, optimizer: torch.optim.Optimizer, number: int) -> float:
        values, _, context = draw()
        drawn = MASKS["span"](32, jepa.grid, 0.4, torch.Generator().manual_seed(number))
        present = torch.ones_like(values, dtype=torch.bool)
        loss = jepa(values, present, drawn, context=context).prediction.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    jepa = build()
    optimizer = torch.optim.AdamW(jepa.parameters(), lr=3e-3)
    for number in range(100):
        step(jepa, optimizer, number)
    values, signs, _ = draw()
    present = torch.ones_like(values, dtype=torch.bool)
    for kind in (0, 1):
        cosines = jepa.answer(values, present, questions[kind]) @ said[kind].T
        assert (cosines.argmax(dim=1) == signs[:, kind]).float().mean() > 0.95

    other = build()
    other.load_state_dict(jepa.state_dict())
    again = torch.optim.AdamW(other.parameters(), lr=3e-3)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    state = generator.get_state()
    expected = [step(jepa, optimizer, number) for number in range(3)]
    generator.set_state(state)
    assert [step(other, again, number) for number in range(3)] == expected
