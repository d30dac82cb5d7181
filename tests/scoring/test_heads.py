import pytest
import torch

from bandpass.data import Batch
from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, PredictorSettings
from bandpass.scoring.heads import Heads, fit_heads


def build(**settings: object) -> JEPA:
    sizes = JEPASettings(EncoderSettings(dim=16), PredictorSettings(dim=12), **settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return JEPA(3, 32, sizes, PREDICTION_LOSSES["smooth-l1"])


def stream(steps: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    observed = torch.ones(16, 32, 3, dtype=torch.bool)
    return [
        Batch(torch.randn(16, 32, 3, generator=generator), observed, range(16 * k, 16 * k + 16))
        for k in range(steps)
    ]


def forward(jepa: JEPA, batch: Batch):
    mask = MASKS["span"](16, jepa.grid, 0.4, torch.Generator().manual_seed(2))
    return jepa(batch.values, batch.observed, mask)


def test_shapes():
    jepa = build()
    output = forward(jepa, stream(1)[0])
    heads = Heads(jepa, count=3)
    assert heads.predictions(output.features).shape == (3, 16, 3, 16)
    assert heads.log_variance(output.features).shape == (16, 3)


def test_every_head_sees_its_own_half_always_the_same():
    heads = Heads(build(), count=6)
    ids = torch.arange(4000)
    seen = heads._seen(ids)
    assert torch.equal(seen[:, 7:9], heads._seen(ids[7:9]))
    share = seen.double().mean(dim=1)
    torch.testing.assert_close(share, torch.full_like(share, 0.5), rtol=0, atol=0.04)
    correlation = torch.corrcoef(seen.double()) - torch.eye(6)
    assert correlation.abs().max() < 0.06
    neighbours = torch.corrcoef(torch.stack([seen[0, :-1], seen[0, 1:]]).double())[0, 1]
    assert neighbours.abs() < 0.06


def test_no_gradient_reaches_the_model():
    jepa = build()
    heads = Heads(jepa)
    heads.loss(forward(jepa, stream(1)[0]), torch.arange(16)).backward()
    assert all(weights.grad is None for weights in jepa.parameters())
    assert all(weights.grad is not None for weights in heads.parameters())


def test_training_brings_heads_together_where_there_is_data_and_not_far_from_it():
    """After training they agree on windows like those seen, and disagree far outside."""
    jepa = build()
    before, after = Heads(jepa), fit_heads(jepa, stream(300))
    features = forward(jepa, stream(1)[0]).features

    @torch.no_grad()
    def spread(heads: Heads, features: torch.Tensor) -> float:
        return float(heads.predictions(features).var(dim=0).mean())

    assert spread(after, features) < 0.3 * spread(before, features)
    middle = features.mean(dim=(0, 1))
    assert spread(after, middle + 10 * (features - middle)) > 5 * spread(after, features)


def test_variance_head_learns_the_size_of_the_error():
    jepa = build()
    output = forward(jepa, stream(1)[0])
    heads = fit_heads(jepa, stream(300))
    error = (output.foreseen - output.wanted).square().mean()
    expected = heads.log_variance(output.features).exp().mean().detach()
    torch.testing.assert_close(expected, error, rtol=0.2, atol=0)


def test_the_model_is_left_as_it_is_and_a_second_fit_is_the_first():
    jepa = build()
    before = {name: weights.clone() for name, weights in jepa.state_dict().items()}
    first, second = fit_heads(jepa, stream(5)), fit_heads(jepa, stream(5))
    assert all(torch.equal(weights, before[name]) for name, weights in jepa.state_dict().items())
    assert all(
        torch.equal(weights, second.state_dict()[name])
        for name, weights in first.state_dict().items()
    )


def test_refuses_what_cannot_disagree():
    with pytest.raises(ValueError, match="at least 2 heads"):
        Heads(build(), count=1)
    jepa = build(latent=False)
    with pytest.raises(ValueError, match="predicts no latents"):
        Heads(jepa).loss(forward(jepa, stream(1)[0]), torch.arange(16))
