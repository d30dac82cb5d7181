import pytest
import torch

from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, TARGETS, EncoderSettings, JEPASettings, PredictorSettings
from bandpass.scoring.slow import SlowStudent


def build(target: str = "ema") -> JEPA:
    sizes = JEPASettings(EncoderSettings(dim=16), PredictorSettings(dim=12), target=target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return JEPA(3, 32, sizes, PREDICTION_LOSSES["smooth-l1"])


def forward(jepa: JEPA):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(4, 32, 3, generator=generator)
    observed = torch.ones(4, 32, 3, dtype=torch.bool)
    mask = MASKS["span"](4, jepa.grid, 0.4, generator)
    return values, observed, jepa(values, observed, mask)


def move(jepa: JEPA) -> None:
    with torch.no_grad():
        for name, weights in jepa.named_parameters():
            if not name.startswith("target."):
                weights.add_(0.05)


@pytest.mark.parametrize("target", TARGETS)
def test_starts_with_the_losses_of_the_model(target):
    jepa = build(target)
    values, observed, output = forward(jepa)
    latent, grounding = SlowStudent(jepa).losses(values, observed, output)
    torch.testing.assert_close(latent, output.prediction)
    torch.testing.assert_close(grounding, output.grounding)
    assert not latent.requires_grad


def test_is_judged_by_the_target_of_today():
    """The student's own old weights against the new target: what it was before, today's task."""
    jepa = build()
    slow, before = SlowStudent(jepa), build()
    move(jepa)
    with torch.no_grad():
        jepa.target.encoder.embed.weight.mul_(2)
    values, observed, output = forward(jepa)
    features = before.foresee(values, observed, output.mask)
    expected = before.compare(features, output.wanted)[1].mean(dim=1)
    torch.testing.assert_close(slow.losses(values, observed, output)[0], expected)


def test_follows_by_the_formula_and_keeps_no_target():
    jepa = build()
    slow = SlowStudent(jepa)
    before = {name: weights.clone() for name, weights in slow.state_dict().items()}
    assert not any(".target." in name for name in before)
    move(jepa)
    slow.update(jepa, 0.9)
    for name, weights in slow.state_dict().items():
        fast = jepa.state_dict()[name.removeprefix("student.")]
        torch.testing.assert_close(weights, 0.9 * before[name] + 0.1 * fast)
    assert not any(weights.requires_grad for weights in slow.parameters())


def test_is_restored_from_its_state():
    jepa = build()
    slow, other = SlowStudent(jepa), SlowStudent(jepa)
    move(jepa)
    slow.update(jepa, 0.5)
    other.load_state_dict(slow.state_dict())
    values, observed, output = forward(jepa)
    for one, two in zip(
        slow.losses(values, observed, output), other.losses(values, observed, output), strict=True
    ):
        assert torch.equal(one, two)
