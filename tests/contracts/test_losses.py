"""What every regulariser and every prediction loss promises; each new row is tested unasked."""

import pytest
import torch

from bandpass.losses import PREDICTION_LOSSES, REGULARISERS

regularisers = pytest.mark.parametrize("loss", REGULARISERS.values(), ids=REGULARISERS.keys())
predictions = pytest.mark.parametrize(
    "loss", PREDICTION_LOSSES.values(), ids=PREDICTION_LOSSES.keys()
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@regularisers
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_regulariser_is_a_differentiable_scalar_of_its_input_type(loss, dtype):
    z = draw(3, 16, 8).to(dtype).requires_grad_()
    value = loss(z)
    assert value.shape == ()
    assert value.dtype == dtype
    value.backward()
    assert z.grad.isfinite().all()
    assert z.grad.abs().max() > 0


@regularisers
def test_regulariser_averages_over_groups(loss):
    z = draw(2, 3, 16, 8)
    apart = torch.stack([loss(group) for group in z.flatten(0, 1)]).mean()
    torch.testing.assert_close(loss(z), apart)
    strided = z.movedim(0, 2).contiguous().movedim(2, 0)
    torch.testing.assert_close(loss(strided), apart)


@regularisers
def test_regulariser_ignores_the_order_of_samples(loss):
    z = draw(16, 8)
    torch.testing.assert_close(loss(z), loss(z.flip(0)))


@regularisers
def test_regulariser_is_lower_on_gaussian_than_on_collapsed_samples(loss):
    z = draw(64, 8)
    for collapsed in (0.01 * z, z[:1].expand(64, 8), z[:, :1].expand(64, 8)):
        assert loss(collapsed) > 2 * loss(z)


@regularisers
def test_descending_a_regulariser_undoes_collapse(loss):
    z = (0.05 * draw(64, 4)).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(z).backward()
        optimizer.step()
    assert z.detach().std(dim=0).min() > 0.8


@regularisers
def test_regulariser_computes_in_float32_under_autocast(loss):
    z = draw(16, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(z)
        full = loss(z.float())
    assert value.dtype == full.dtype == torch.float32
    torch.testing.assert_close(value, loss(z.float()), rtol=0, atol=0)
    torch.testing.assert_close(full, loss(z.float()), rtol=0, atol=0)


@predictions
def test_prediction_loss_is_per_token_and_zero_at_equality(loss):
    target = draw(3, 5, 8)
    assert loss(target, target).shape == (3, 5)
    torch.testing.assert_close(loss(target, target), torch.zeros(3, 5, dtype=torch.float64))


@predictions
def test_prediction_loss_keeps_tokens_apart(loss):
    target = draw(3, 5, 8)
    prediction = target.clone()
    prediction[1, 2] = -prediction[1, 2]
    wrong = loss(prediction, target) > 1e-6
    assert wrong.nonzero().tolist() == [[1, 2]]


@predictions
def test_prediction_loss_reaches_the_prediction(loss):
    prediction = draw(3, 5, 8).requires_grad_()
    loss(prediction, draw(3, 5, 8, seed=1)).mean().backward()
    assert prediction.grad.isfinite().all()
    assert (prediction.grad.abs().sum(dim=-1) > 0).all()
