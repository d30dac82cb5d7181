import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from bandpass.models import JEPA, TARGETS, JEPASettings, Mask
from bandpass.models.encoder import take

targets = pytest.mark.parametrize("target", TARGETS)


@targets
def test_gives_what_it_promises(build, windows, mask, target):
    jepa = build(target=target)
    output = jepa(*windows, mask)
    assert output.prediction.shape == output.grounding.shape == (5,)
    assert output.embedding.shape == (5, 16)
    assert output.tokens.shape == (5, 8, 16)
    assert output.visible.shape == (5, 5, 16)
    assert not output.embedding.requires_grad
    normal = jepa.target.normalise(output.tokens).detach()
    torch.testing.assert_close(output.embedding, normal.mean(dim=1))
    spread = normal.var(dim=1, correction=0).sqrt()
    torch.testing.assert_close(output.pooled, torch.cat([normal.mean(dim=1), spread], dim=1))


@targets
def test_hands_on_what_the_scores_need_detached(build, windows, mask, target):
    jepa = build(target=target)
    output = jepa(*windows, mask)
    torch.testing.assert_close(output.wanted, take(output.normal, mask.target))
    torch.testing.assert_close(output.foreseen, jepa.to_latent(output.features))
    torch.testing.assert_close(output.errors, jepa.distance(output.foreseen, output.wanted))
    torch.testing.assert_close(output.errors.mean(dim=1), output.prediction)
    for name in ("features", "normal", "wanted", "foreseen", "errors"):
        assert not getattr(output, name).requires_grad
    assert output.mask is mask


@targets
def test_sparse_forward_hides_the_other_tokens_from_the_target_too(build, windows, mask, target):
    values, observed = windows
    few = Mask(mask.context[:, ::2], mask.target[:, ::2])
    jepa = build(target=target)
    whole, sparse = (jepa(values, observed, few, sparse=flag) for flag in (False, True))
    assert sparse.tokens.shape == (5, few.context.shape[1] + few.target.shape[1], 16)
    assert sparse.errors.shape == whole.errors.shape
    torch.testing.assert_close(sparse.foreseen, whole.foreseen)
    index = torch.cat([few.context, few.target], dim=1)
    alone = jepa.target.normalise(jepa.target(jepa.encoder, values, observed, index), index)
    torch.testing.assert_close(sparse.wanted, alone[:, few.context.shape[1] :])


def test_hidden_values_reach_no_prediction(build, windows, mask, hidden_rows):
    """Whatever the hidden patches hold, context and predictor must not see it."""
    values, observed = windows
    other = torch.where(hidden_rows, values + 5, values)
    absent = observed & ~hidden_rows
    jepa = build()
    expected = jepa.foresee(values, observed, mask), jepa(values, observed, mask).visible
    for changed in ((other, observed), (values, absent)):
        assert torch.equal(jepa.foresee(*changed, mask), expected[0])
        assert torch.equal(jepa(*changed, mask).visible, expected[1])


def test_visible_values_do_reach_the_prediction(build, windows, mask, hidden_rows):
    values, observed = windows
    other = torch.where(hidden_rows, values, values + 5)
    jepa = build()
    assert not torch.allclose(
        jepa.foresee(values, observed, mask), jepa.foresee(other, observed, mask)
    )


def test_prediction_is_the_distance_to_the_hidden_targets(build, windows, mask):
    jepa = build()
    features = jepa.foresee(*windows, mask)
    wanted = take(jepa.target.normalise(jepa.target(jepa.encoder, *windows)), mask.target)
    error = torch.nn.functional.smooth_l1_loss(jepa.to_latent(features), wanted, reduction="none")
    torch.testing.assert_close(jepa(*windows, mask).prediction, error.mean(dim=(1, 2)))


def test_grounding_counts_observed_hidden_values_alone(build, windows, mask):
    values, observed = windows
    jepa = build()
    read = jepa.to_raw(jepa.foresee(values, observed, mask))
    wanted, counted = (
        take(jepa.encoder.front.cut(part), mask.target) for part in (values, observed)
    )
    error = torch.nn.functional.smooth_l1_loss(read, wanted, reduction="none")
    expected = torch.stack([e[c].mean() for e, c in zip(error, counted, strict=True)])
    torch.testing.assert_close(jepa(values, observed, mask).grounding, expected)


def test_grounding_of_a_window_that_hides_nothing_observed_is_zero(
    build, windows, mask, hidden_rows
):
    values, observed = windows
    grounding = build()(values, observed & ~hidden_rows, mask).grounding
    assert torch.equal(grounding, torch.zeros(5))


def test_without_latent_target_only_grounding_is_left(build, windows, mask):
    jepa = build(latent=False)
    output = jepa(*windows, mask)
    assert torch.equal(output.prediction, torch.zeros(5))
    assert output.foreseen is output.errors is None
    output.grounding.mean().backward()
    assert jepa.to_latent.weight.grad is None
    assert jepa.encoder.embed.weight.grad.abs().sum() > 0


@targets
def test_a_sample_is_the_same_alone_as_in_its_batch(build, windows, mask, target):
    """Nothing may keep batch statistics: the curriculum ranks windows by their own loss."""
    jepa = build(target=target)
    together = jepa(*windows, mask)
    for i in range(5):
        one = slice(i, i + 1)
        alone = jepa(*(part[one] for part in windows), Mask(mask.context[one], mask.target[one]))
        for name in ("prediction", "grounding", "embedding", "tokens"):
            torch.testing.assert_close(
                getattr(alone, name), getattr(together, name)[one], rtol=1e-4, atol=1e-6
            )


@targets
def test_per_sample_gradients(build, windows, mask, target):
    """torch.func sees through the model, and finds what one backward pass per sample finds.

    In the plain kernel of attention: PyTorch cannot batch the fused one.
    """
    jepa = build(target=target)
    weights = {name: w.detach() for name, w in jepa.named_parameters() if w.requires_grad}

    def loss(weights, values, observed, context, hidden):
        one = (part[None] for part in (values, observed))
        output = functional_call(jepa, weights, (*one, Mask(context[None], hidden[None])))
        return (output.prediction + output.grounding).sum()

    batch = (*windows, mask.context, mask.target)
    with sdpa_kernel(SDPBackend.MATH):
        found = vmap(grad(loss), in_dims=(None, 0, 0, 0, 0))(weights, *batch)
    for i in range(5):
        jepa.zero_grad()
        one = [part[i : i + 1] for part in batch]
        output = jepa(*one[:2], Mask(*one[2:]))
        (output.prediction + output.grounding).sum().backward()
        for name, parameter in jepa.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(found[name][i], parameter.grad, rtol=1e-3, atol=1e-5)


@targets
def test_bf16_step_is_finite_and_near_fp32(build, windows, mask, target):
    jepa = build(target=target)
    exact = jepa(*windows, mask)
    with torch.autocast("cpu", torch.bfloat16):
        output = jepa(*windows, mask)
    torch.testing.assert_close(output.prediction.float(), exact.prediction, rtol=0.1, atol=0.02)
    torch.testing.assert_close(output.grounding, exact.grounding, rtol=0.1, atol=0.02)
    (output.prediction + output.grounding).mean().backward()
    grads = [w.grad for w in jepa.parameters() if w.requires_grad]
    assert all(gradient.isfinite().all() for gradient in grads)


@targets
def test_one_step_on_the_gpu_is_that_of_the_cpu(build, windows, mask, target):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    cuda = torch.device("cuda")
    expected = build(target=target)(*windows, mask)
    output = build(target=target).to(cuda)(*(part.to(cuda) for part in windows), mask.to(cuda))
    for name in ("prediction", "grounding", "embedding"):
        torch.testing.assert_close(
            getattr(output, name).cpu(), getattr(expected, name), rtol=1e-3, atol=1e-4
        )


@targets
def test_target_tokens_that_are_known_are_not_computed_again(build, windows, mask, target):
    jepa = build(target=target)
    expected = jepa(*windows, mask)
    found = jepa(*windows, mask, tokens=expected.tokens)
    assert torch.equal(found.prediction, expected.prediction)
    assert found.tokens is expected.tokens


def test_window_must_be_whole_patches():
    with pytest.raises(ValueError, match="window length 30 is not a multiple of the patch size 4"):
        JEPA(3, 30, JEPASettings(), distance=lambda a, b: (a - b).abs().mean(-1))
