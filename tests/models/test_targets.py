import copy

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


def test_the_standard_target_is_of_running_statistics_by_place(build):
    jepa = build(target="ema-standard")
    target, generator = jepa.target, torch.Generator().manual_seed(0)
    places = torch.arange(8.0)[:, None]
    tokens = (1 + places) * torch.randn(64, 8, 16, generator=generator) + 10 * places
    before = copy.deepcopy(target.state_dict())
    target.update(jepa.encoder, 1.0)
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
    target.update(jepa.encoder, 1.0, tokens)
    moved = target.state_dict()
    torch.testing.assert_close(moved["mean"], 0.1 * tokens.mean(dim=0).view_as(moved["mean"]))
    assert not torch.equal(moved["variance"], before["variance"])
    for _ in range(200):
        target.update(jepa.encoder, 1.0, tokens)
    normal = target.normalise(tokens)
    torch.testing.assert_close(normal.mean(dim=0), torch.zeros(8, 16), rtol=0, atol=1e-4)
    spread = normal.std(dim=0).mean(dim=1)
    assert ((spread > 0.6) & (spread < 1)).all(), "places are alike, and nothing is blown up"
    assert normal.abs().max() <= 5


def test_a_standard_target_depends_on_no_other_window_of_its_batch(build):
    jepa = build(target="ema-standard")
    tokens = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(0))
    jepa.target.update(jepa.encoder, 1.0, tokens)
    whole = jepa.target.normalise(tokens)
    assert torch.equal(jepa.target.normalise(tokens[:1]), whole[:1])
    keep = torch.tensor([[1, 5]]).expand(4, -1)
    assert torch.equal(jepa.target.normalise(tokens[:, [1, 5]], keep), whole[:, [1, 5]])


def test_all_but_the_raw_ones_normalise(build, windows, mask):
    tokens = 3 * torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0)) + 1
    for name in set(TARGETS) - {"same-encoder", "ema-raw", "ema-standard"}:
        normal = build(target=name).target.normalise(tokens)
        torch.testing.assert_close(normal.mean(dim=-1), torch.zeros(2, 8), rtol=0, atol=1e-5)
        torch.testing.assert_close(normal.var(dim=-1, correction=0), torch.ones(2, 8))
    for name in ("same-encoder", "ema-raw"):
        assert build(target=name).target.normalise(tokens) is tokens


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"same-encoder"}))
def test_no_gradient_flows_through_any_other_target(build, windows, mask, name):
    assert not build(target=name)(*windows, mask).tokens.requires_grad


def test_patch_target_knows_neither_the_other_patches_nor_the_place(build, windows):
    values, observed = windows
    jepa = build(target="patch")
    tokens = jepa.target(jepa.encoder, values, observed)
    rolled = jepa.target(jepa.encoder, values.roll(4, dims=1), observed.roll(4, dims=1))
    torch.testing.assert_close(rolled, tokens.roll(1, dims=1))
    other = values.clone()
    other[:, 4:] += 3
    changed = jepa.target(jepa.encoder, other, observed)
    torch.testing.assert_close(changed[:, 0], tokens[:, 0])
    assert not torch.allclose(changed[:, 1:], tokens[:, 1:])


def test_layer_target_is_the_middle_of_the_teacher(deep, windows):
    jepa = deep("layer")
    teacher = jepa.target.encoder
    tokens = teacher.patches(*windows) + teacher.positions
    for block in teacher.blocks[:2]:
        tokens = block(tokens)
    torch.testing.assert_close(jepa.target(jepa.encoder, *windows), tokens)
    assert jepa.target.forwards == 0.5


def test_contextual_target_averages_the_top_layers_each_normalised(deep, windows):
    jepa = deep("contextual")
    layers = jepa.target.encoder.layers(*windows)
    assert len(layers) == 4
    assert torch.equal(layers[-1], jepa.target.encoder(*windows))
    normal = [torch.nn.functional.layer_norm(tokens, (16,)) for tokens in layers[1:]]
    expected = (normal[0] + normal[1] + normal[2]) / 3
    torch.testing.assert_close(jepa.target(jepa.encoder, *windows), expected)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_can_see_a_part_of_the_tokens(deep, windows, mask, name):
    """Only those tokens have a part in what it gives, in the order asked for."""
    values, observed = windows
    jepa = deep(name)
    found = jepa.target(jepa.encoder, values, observed, mask.context)
    assert found.shape == (5, 5, 16)
    hidden = torch.zeros(5, 8, dtype=torch.bool).scatter(1, mask.target, True)
    other = values + 5 * hidden.repeat_interleave(4, dim=1)[..., None]
    torch.testing.assert_close(jepa.target(jepa.encoder, other, observed, mask.context), found)


@pytest.mark.parametrize("name", TARGETS)
def test_trains_resumes_and_keeps_its_names(deep, windows, mask, name):
    def step(jepa, optimizer):
        optimizer.zero_grad()
        loss = jepa(*windows, mask).prediction.mean()
        loss.backward()
        optimizer.step()
        jepa.target.update(jepa.encoder, 0.9)
        return float(loss.detach())

    jepa = deep(name)
    optimizer = torch.optim.AdamW(jepa.parameters(), lr=3e-3)
    losses = [step(jepa, optimizer) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]

    names = {key for key in jepa.state_dict() if key.startswith("target.")}
    teacher = name in ("ema", "ema-raw", "ema-standard", "layer", "contextual")
    kept = {f"target.encoder.{key}" for key in jepa.encoder.state_dict() if teacher}
    running = {"target.mean", "target.variance"} if name == "ema-standard" else set()
    assert names == kept | running

    other = deep(name)
    other.load_state_dict(jepa.state_dict())
    again = torch.optim.AdamW(other.parameters(), lr=3e-3)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [step(jepa, optimizer) for _ in range(3)] == [step(other, again) for _ in range(3)]


def test_unknown_target_names_the_known(build):
    with pytest.raises(ValueError, match=r"'emma' is none of \['contextual', 'ema', 'ema-raw', "):
        build(target="emma")
