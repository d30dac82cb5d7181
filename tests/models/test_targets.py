import pytest
import torch

from bandpass.models import TARGETS


def test_teacher_follows_by_the_formula(build):
    jepa = build()
    before = [weights.clone() for weights in jepa.target.encoder.parameters()]
    with torch.no_grad():
        for weights in jepa.encoder.parameters():
            weights.add_(1.0)
    jepa.target.update(jepa.encoder, 0.9)
    moved = zip(before, jepa.target.encoder.parameters(), jepa.encoder.parameters(), strict=True)
    for slow, teacher, fast in moved:
        torch.testing.assert_close(teacher, 0.9 * slow + 0.1 * fast)


@pytest.mark.parametrize(("momentum", "follows"), [(1.0, False), (0.0, True)])
def test_teacher_at_the_ends_of_the_momentum(build, momentum, follows):
    jepa = build()
    with torch.no_grad():
        jepa.encoder.embed.weight.add_(1.0)
    jepa.target.update(jepa.encoder, momentum)
    same = torch.equal(jepa.target.encoder.embed.weight, jepa.encoder.embed.weight)
    assert same == follows


def test_teacher_starts_equal_and_apart(build):
    jepa = build()
    pairs = list(zip(jepa.target.encoder.parameters(), jepa.encoder.parameters(), strict=True))
    assert all(torch.equal(slow, fast) for slow, fast in pairs)
    assert all(slow.data_ptr() != fast.data_ptr() for slow, fast in pairs)


def test_gradient_reaches_no_teacher(build, windows, mask):
    jepa = build()
    output = jepa(*windows, mask)
    (output.prediction + output.grounding).mean().backward()
    assert all(weights.grad is None for weights in jepa.target.parameters())
    assert all(weights.grad is not None for weights in jepa.encoder.parameters())
    assert not output.tokens.requires_grad


def test_same_encoder_target_has_a_gradient(build, windows, mask):
    jepa = build(target="same-encoder")
    output = jepa(*windows, mask)
    (found,) = torch.autograd.grad(output.tokens.square().sum(), [jepa.encoder.embed.weight])
    assert found.abs().sum() > 0
    assert torch.equal(output.tokens, jepa.embed(*windows))


def test_only_the_teacher_normalises(build, windows, mask):
    tokens = 3 * torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0)) + 1
    normal = build().target.normalise(tokens)
    torch.testing.assert_close(normal.mean(dim=-1), torch.zeros(2, 8), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.var(dim=-1, correction=0), torch.ones(2, 8))
    assert build(target="same-encoder").target.normalise(tokens) is tokens


def test_unknown_target_names_the_known(build):
    with pytest.raises(ValueError, match=r"'emma' is none of \['ema', 'same-encoder'\]"):
        build(target="emma")
    assert set(TARGETS) == {"ema", "same-encoder"}
