"""Prediction of the next latent state: what is to come reaches no prediction of it."""

import copy

import pytest
import torch
from torch import Tensor

from bandpass.losses import PREDICTION_LOSSES, sigreg
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, Mask, PredictorSettings

FRAME, TIME, PATCH, STEPS, PLACES = (8, 12, 1), 8, 2, 4, 6


def build(shape=FRAME, time=TIME, target="same-encoder", attention="step", causal=True) -> JEPA:
    settings = JEPASettings(
        encoder=EncoderSettings(PATCH, 4, dim=24, depth=2, heads=2, mlp=32, attention=attention),
        predictor=PredictorSettings(dim=24, depth=2, heads=2, mlp=32, causal=causal),
        target=target,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return JEPA(shape, time, settings, PREDICTION_LOSSES["mse"])


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    values = torch.randn(3, TIME, 96, generator=torch.Generator().manual_seed(1))
    return values, torch.ones(1, dtype=torch.bool).expand_as(values)


def mask(jepa: JEPA, name: str = "next", batch: int = 3):
    return MASKS[name](batch, jepa.grid, 0.5, torch.Generator().manual_seed(2))


@pytest.mark.parametrize("step", range(1, STEPS))
def test_what_is_to_come_leaves_earlier_predictions_as_they_are(clips, step):
    """Step ``step`` and all after it are others: nothing that is foreseen up to it may notice."""
    values, observed = clips
    jepa = build()
    changed = values.clone()
    changed[:, step * PATCH :] += 3
    before, after = (jepa(each, observed, mask(jepa)).foreseen for each in (values, changed))
    foreseen = step * PLACES  # predictions begin with step 1
    assert torch.equal(after[:, :foreseen], before[:, :foreseen])
    if step + 1 < STEPS:
        following = slice(foreseen, foreseen + PLACES)
        assert (after[:, following] - before[:, following]).abs().amax(dim=2).min() > 1e-6


def test_no_gradient_leads_from_a_prediction_to_what_it_is_asked_for(clips):
    """Context and target overlap, so the identity would be the best predictor if it could be."""
    jepa, (values, observed) = build(), clips
    values = values.clone().requires_grad_()
    features = jepa.predict(
        jepa.encoder(values, observed, mask(jepa).context), mask(jepa)
    ).unflatten(1, (STEPS - 1, PLACES))
    for step in range(1, STEPS):
        own = features[:, step - 1].square().sum()
        (gradient,) = torch.autograd.grad(own, values, retain_graph=True)
        by_step = gradient.unflatten(1, (STEPS, PATCH)).abs().sum(dim=(0, 2, 3))
        assert (by_step[:step] > 0).all(), "all of the past has a part in it"
        assert torch.equal(by_step[step:], torch.zeros(STEPS - step))


def test_neither_part_alone_is_enough(clips):
    """With a window-wide encoder, or a predictor that looks ahead, the future does leak in."""
    values, observed = clips
    changed = values.clone()
    changed[:, -PATCH - 1] += 3  # the last step but one, which is context
    for model in (build(attention="window"), build(causal=False)):
        first = [
            model(each, observed, mask(model)).foreseen[:, :PLACES] for each in (values, changed)
        ]
        assert not torch.equal(*first)


def test_a_step_is_encoded_by_itself(clips):
    values, observed = clips
    jepa = build()
    whole = jepa.encoder(values, observed)
    other = values.clone()
    other[:, :PATCH] += 3
    changed = jepa.encoder(other, observed)
    assert torch.equal(changed[:, PLACES:], whole[:, PLACES:])
    assert (changed[:, :PLACES] - whole[:, :PLACES]).abs().amax(dim=2).min() > 1e-6


@pytest.mark.parametrize("name", MASKS)
def test_every_mask_leaves_a_step_encoded_by_itself(clips, name):
    """Also where a mask leaves only some places of a step."""
    values, observed = clips
    jepa = build()
    keep = mask(jepa, name).context
    seen = jepa.encoder(values, observed, keep)
    other = values.clone()
    other[:, :PATCH] += 3
    same = torch.isclose(jepa.encoder(other, observed, keep), seen).all(dim=2)
    assert torch.equal(same, keep >= PLACES)


def test_whole_steps_are_encoded_alike_alone_and_in_the_window(clips):
    jepa = build()
    keep = mask(jepa).context
    whole = jepa.encoder(*clips).gather(1, keep[..., None].expand(-1, -1, 24))
    torch.testing.assert_close(jepa.encoder(*clips, keep), whole)


def test_a_span_is_foreseen_from_what_was_before_it(clips):
    """The predictor is causal under every mask, so that evaluation may hide what it likes."""
    values, observed = clips
    jepa = build()
    step = torch.arange(STEPS * PLACES) // PLACES
    spans = Mask(*(where.nonzero()[:, 0].expand(3, -1) for where in (step != 2, step == 2)))
    later, earlier = values.clone(), values.clone()
    later[:, 3 * PATCH :] += 3
    earlier[:, : 2 * PATCH] += 3
    expected = jepa.foresee(values, observed, spans)
    assert torch.equal(jepa.foresee(later, observed, spans), expected)
    assert not torch.allclose(jepa.foresee(earlier, observed, spans), expected)


def fit(jepa: JEPA, draw, steps: int) -> float:
    """Train the predictor alone on fresh clips; error relative to that of the mean."""
    torch.manual_seed(0)
    parameters = [*jepa.predictor.parameters(), *jepa.to_latent.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.0)
    errors = []
    for _ in range(steps):
        values = draw()
        observed = torch.ones(1, dtype=torch.bool).expand_as(values)
        output = jepa(values, observed, mask(jepa, batch=len(values)))
        optimizer.zero_grad()
        output.prediction.mean().backward()
        optimizer.step()
        errors.append(
            float(output.prediction.detach().mean()) / float(output.wanted.var(dim=0).mean())
        )
    return sum(errors[-10:]) / 10


def test_a_still_is_foreseen_and_noise_is_not():
    """If the identity could leak, independent frames would be as easy as repeated ones."""
    generator = torch.Generator().manual_seed(3)

    def noise() -> Tensor:
        return torch.randn(16, TIME, 96, generator=generator)

    def still() -> Tensor:
        return torch.randn(16, 1, 96, generator=generator).expand(-1, TIME, -1)

    jepa = build()
    assert fit(copy.deepcopy(jepa), noise, 80) > 0.97
    assert fit(copy.deepcopy(jepa), still, 80) < 0.7


def test_series_too_have_a_next_state():
    jepa = build(shape=3, time=16)
    assert jepa.grid == (8,)
    values = torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(0))
    changed = values.clone()
    changed[:, 8:] += 3
    observed = torch.ones_like(values, dtype=torch.bool)
    before, after = (
        jepa(each, observed, mask(jepa, batch=2)).foreseen for each in (values, changed)
    )
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize(
    ("target", "strategy", "attention", "causal"),
    [
        ("ema", "multi-block", "window", False),
        ("ema-standard", "tube", "window", False),
        ("same-encoder", "next", "step", True),
        ("patch", "future", "window", True),
    ],
)
def test_clips_train_and_resume_bit_for_bit(clips, target, strategy, attention, causal):
    def step(jepa: JEPA, optimizer: torch.optim.Optimizer) -> float:
        output = jepa(*clips, mask(jepa, strategy))
        tokens = output.tokens if output.tokens.requires_grad else output.visible
        generator = torch.Generator().manual_seed(4)
        loss = output.prediction.mean() + 0.09 * sigreg(tokens.transpose(0, 1), generator=generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        jepa.target.update(jepa.encoder, 0.9, output.tokens.detach())
        return float(loss.detach())

    def start(**state) -> tuple[JEPA, torch.optim.Optimizer]:
        jepa = build(target=target, attention=attention, causal=causal)
        return jepa, torch.optim.AdamW(jepa.parameters(), lr=3e-3)

    jepa, optimizer = start()
    losses = [step(jepa, optimizer) for _ in range(12)]
    assert losses[-1] < 0.95 * losses[0]
    other, again = start()
    other.load_state_dict(jepa.state_dict())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [step(jepa, optimizer) for _ in range(3)] == [step(other, again) for _ in range(3)]
