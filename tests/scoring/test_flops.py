"""Counted operations against torch's counter, which sees products of matrices and nothing else."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from bandpass.losses import REGULARISERS
from bandpass.models import JEPA, MASKS, TARGETS, Mask
from bandpass.recipes import Recipe, build_jepa, find, override
from bandpass.scoring import flops, operations
from bandpass.scoring.flops import Shape
from bandpass.scoring.operations import BlockSize, Flops
from bandpass.training import parameter_groups
from bandpass.training.passes import window_losses

WINDOWS, CHANNELS, FRAME = 6, 5, (32, 32, 1)
CHANGES = ("predictor.causal=true", "masks=multi-block", "grounding=0.5", "encoder.depth=5")
RECIPES = [
    *(find(name) for name in ("series", "series-sigreg", "series-vicreg", "series-world")),
    *(find(name) for name in ("video", "video-tube", "video-world", "schedule-large")),
    *(find(name) for name in ("series-text", "video-text", "schedule-base")),
    *(override(find("series"), [f"model.target={name}", "encoder.depth=4"]) for name in TARGETS),
    override(find("video-world"), CHANGES),
]


def named(recipe: Recipe) -> str:
    return f"{recipe.name}-{recipe.model.target}-{recipe.model.encoder.depth}"


def complex_bmm(first: Tensor, second: Tensor, **kwargs: object) -> int:
    """The counter takes a complex multiply-add for a real one."""
    count = first.shape[0] * first.shape[1] * first.shape[2] * second.shape[2]
    return count * (operations.COMPLEX if first.is_complex() else 2)


complex_bmm._get_raw = True


def counter() -> FlopCounterMode:
    return FlopCounterMode(display=False, custom_mapping={torch.ops.aten.bmm: complex_bmm})


def parts(recipe: Recipe) -> tuple[JEPA, Tensor, Tensor, Mask, Tensor | None]:
    """Model, values, presence, mask of a step and questions of a recipe."""
    shape = FRAME if recipe.name.startswith("video") else CHANNELS
    jepa = build_jepa(recipe, shape)
    generator = torch.Generator().manual_seed(0)
    width = math.prod(shape) if isinstance(shape, tuple) else shape
    values = torch.randn(WINDOWS, recipe.windows.length, width, generator=generator)
    mask = MASKS[recipe.train.masks[0]](WINDOWS, jepa.grid, recipe.train.mask_ratio, generator)
    asked = torch.randn(WINDOWS, 3, 2, recipe.model.text, generator=generator)
    context = asked if recipe.model.target == "text" else None
    return jepa, values, torch.ones_like(values, dtype=torch.bool), mask, context


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_products_of_a_forward_are_those_that_torch_counts(recipe):
    jepa, values, observed, mask, context = parts(recipe)
    with sdpa_kernel(SDPBackend.MATH), counter() as counted, torch.no_grad():
        jepa(values, observed, mask, context=context)
    found = flops.forward(jepa, Shape.of(mask, context)).matmul
    assert found == pytest.approx(counted.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_products_of_a_step_are_those_that_torch_counts(recipe):
    """Forward, regulariser and backward of what the step minimises; nothing else has products."""
    jepa, values, observed, mask, context = parts(recipe)
    name, train = recipe.train.regulariser, recipe.train
    with sdpa_kernel(SDPBackend.MATH), counter() as counted:
        output = jepa(values, observed, mask, context=context)
        loss = window_losses(output, train, 0).mean()
        if name != "none":
            tokens = output.tokens if output.tokens.requires_grad else output.visible
            loss = loss + REGULARISERS[name](tokens.transpose(0, 1))
        loss.backward()
    shape = Shape.of(mask, context)
    found = flops.train_step(jepa, shape, regulariser=name, grounded=train.grounded)
    assert found.matmul == pytest.approx(counted.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("name", ["series", "series-sigreg", "video-text"])
def test_the_optimiser_moves_what_is_counted(name):
    """A weight that no gradient reaches is neither clipped nor moved."""
    recipe = find(name)
    jepa, values, observed, mask, context = parts(recipe)
    output = jepa(values, observed, mask, context=context)
    window_losses(output, recipe.train, 0).mean().backward()
    groups = parameter_groups(jepa, 0.1)
    moved = sum(w.numel() for g in groups for w in g["params"] if w.grad is not None)
    slow = sum(w.numel() for w in jepa.target.parameters())
    expected = (operations.CLIP + operations.ADAMW) * moved + operations.LERP * slow
    assert flops.move(jepa).elementwise == expected


@pytest.mark.parametrize("keep", [4, 10])
def test_a_sparse_target_costs_its_tokens(keep):
    jepa, values, observed, _, _ = parts(find("series"))
    some = torch.arange(keep).expand(WINDOWS, -1)
    with sdpa_kernel(SDPBackend.MATH), counter() as counted:
        jepa.target(jepa.encoder, values, observed, some)
    found = flops.target(jepa, WINDOWS, keep)
    assert found.matmul == pytest.approx(counted.get_total_flops(), rel=0.02)
    assert found.matmul < flops.target(jepa, WINDOWS).matmul


def test_steps_attend_to_themselves_alone_where_whole_windows_are_seen():
    video = find("video")
    step = replace(video.model, encoder=replace(video.model.encoder, attention="step"))
    (jepa, *_), (stepwise, *_) = parts(video), parts(replace(video, model=step))
    whole, apart = (flops.encode(j.encoder, WINDOWS).matmul for j in (jepa, stepwise))
    size, (times, *places) = video.model.encoder, jepa.grid
    mixed = 4 * WINDOWS * size.depth * jepa.tokens * size.dim  # times the tokens attended to
    assert whole - apart == mixed * (jepa.tokens - math.prod(places))
    assert times > 1


def test_torch_counts_nothing_of_fused_attention_on_a_cpu():
    """Why operations are counted here: on a CPU the counter sees neither scores nor values."""
    size, sequences, tokens = BlockSize(dim=64, heads=4, mlp=128), 3, 32
    query = torch.randn(sequences, size.heads, tokens, size.dim // size.heads)
    with counter() as fused:
        scaled_dot_product_attention(query, query, query)
    with counter() as curves:
        query.sin().cos().exp()
    with sdpa_kernel(SDPBackend.MATH), counter() as plain:
        scaled_dot_product_attention(query, query, query)
    assert (fused.get_total_flops(), curves.get_total_flops()) == (0, 0)
    rows = sequences * tokens
    layers = operations.linear(rows, 64, 3 * 64) + operations.linear(rows, 64, 64)
    attended = operations.attention(sequences, tokens, size).matmul - layers.matmul
    assert plain.get_total_flops() == attended > 0


def test_elementwise_work_by_hand():
    """One window of 2 tokens of 4 dimensions: every operation of a block written out."""
    size = BlockSize(dim=4, heads=2, mlp=3)
    biases = 2 * (12 + 4 + 3 + 4)
    norms, residuals = 2 * (2 * 4) * (5 + 2), 2 * (2 * 4)
    softmax, gelu = 2 * (2 * 2) * 6, 2 * 3 * 5
    expected = biases + norms + residuals + softmax + gelu
    assert operations.block(1, 2, size).elementwise == expected
    assert operations.block(1, 2, size, masked=True).elementwise == expected + 2 * 2 * 2
    products = 2 * 2 * (4 * 12 + 4 * 4 + 4 * 3 + 3 * 4) + 2 * (2 * 2 * 2 * 4)
    assert operations.block(1, 2, size).matmul == products


def test_arithmetic_of_counts():
    one = Flops(2, 3)
    assert one + Flops(1, 1) == Flops(3, 4)
    assert 2 * one == one * 2 == Flops(4, 6)
    assert one.total == 5


def test_neighbours_are_a_product_and_a_search():
    assert operations.neighbours(3, 7, 5) == Flops(2 * 3 * 7 * 5, 3 * 3 * 7)
