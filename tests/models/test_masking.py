import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bandpass.models import MASKS

STEPS = ("span", "shared-span", "future")
drawing = pytest.mark.parametrize("name", [n for n in MASKS if n != "next"])
all_strategies = pytest.mark.parametrize("name", MASKS)


@st.composite
def sizes(draw, axes=(1, 3)):
    """(batch, grid, ratio) with a ratio that hides some of any axis or of all and leaves some."""
    sides = [draw(st.integers(2, 9)) for _ in range(draw(st.sampled_from(axes)))]
    return draw(st.integers(1, 9)), tuple(sides), draw(st.floats(0.26, 0.74))


def drawn(name, size, seed=0):
    if name == "tube" and len(size[1]) == 1:
        return None
    return MASKS[name](*size, torch.Generator().manual_seed(seed))


def hidden_places(mask, grid):
    """(batch, time, places) bool."""
    batch = len(mask.target)
    hidden = torch.zeros(batch, math.prod(grid), dtype=torch.bool).scatter(1, mask.target, True)
    return hidden.view(batch, grid[0], -1)


@drawing
@given(size=sizes(), seed=st.integers(0, 99))
def test_context_and_target_are_disjoint_tokens_of_the_window(name, size, seed):
    batch, grid, _ = size
    mask = drawn(name, size, seed)
    if mask is None:
        return
    assert len(mask.context) == len(mask.target) == batch
    assert mask.context.shape[1] >= 1
    assert mask.target.shape[1] >= 1
    for visible, hidden in zip(mask.context.tolist(), mask.target.tolist(), strict=True):
        both = visible + hidden
        assert len(set(both)) == len(both)
        assert set(both) <= set(range(math.prod(grid)))


@all_strategies
@given(size=sizes(), seed=st.integers(0, 99))
def test_the_generator_alone_determines_the_mask(name, size, seed):
    first, second = drawn(name, size, seed), drawn(name, size, seed)
    assert first is second is None or torch.equal(first.context, second.context)
    assert first is second is None or torch.equal(first.target, second.target)


@pytest.mark.parametrize("name", STEPS)
@given(size=sizes(axes=(3,)), seed=st.integers(0, 99))
def test_what_is_said_of_time_hides_whole_steps_and_those_of_a_series(name, size, seed):
    batch, grid, ratio = size
    mask, of_series = drawn(name, size, seed), drawn(name, (batch, grid[:1], ratio), seed)
    steps = hidden_places(mask, grid)
    assert torch.equal(steps.any(dim=2), steps.all(dim=2))
    assert torch.equal(steps.any(dim=2), hidden_places(of_series, grid[:1])[..., 0])
    assert mask.context.shape[1] + mask.target.shape[1] == math.prod(grid)


@given(size=sizes(axes=(1,)), seed=st.integers(0, 99))
def test_span_is_contiguous_and_of_the_asked_length(size, seed):
    _, (tokens,), ratio = size
    hidden = drawn("span", size, seed).target
    assert hidden.shape[1] == round(tokens * ratio)
    assert (hidden.diff(dim=1) == 1).all()


def test_spans_differ_between_samples_and_reach_both_ends():
    starts = drawn("span", (400, (10,), 0.4)).target[:, 0]
    assert set(starts.tolist()) == set(range(7))


@given(size=sizes(axes=(1,)))
def test_future_is_the_end_of_the_window(size):
    batch, (tokens,), ratio = size
    hidden = round(tokens * ratio)
    mask = drawn("future", size)
    assert torch.equal(mask.target, torch.arange(tokens - hidden, tokens).expand(batch, -1))
    assert torch.equal(mask.context, torch.arange(tokens - hidden).expand(batch, -1))


@given(size=sizes())
def test_next_sees_all_steps_but_the_last_and_predicts_all_but_the_first(size):
    batch, grid, _ = size
    mask, places = drawn("next", size), math.prod(grid[1:])
    assert mask.context.shape == mask.target.shape == (batch, math.prod(grid) - places)
    assert torch.equal(mask.context + places, mask.target)
    assert (mask.context[:, 0] == 0).all()


def test_next_needs_a_next_step():
    with pytest.raises(ValueError, match="next masks need two time steps"):
        drawn("next", (2, (1, 3, 4), 0.4))


@given(size=sizes(), seed=st.integers(0, 99))
def test_multi_block_covers_at_most_the_ratio(size, seed):
    _, grid, ratio = size
    assert 1 <= drawn("multi-block", size, seed).target.shape[1] <= round(math.prod(grid) * ratio)


def test_blocks_of_a_flat_clip_are_no_larger_than_asked():
    """With two steps and large frames a block has no room in time to make up for its sides."""
    mask = drawn("multi-block", (1, (2, 10, 10), 0.02))
    assert mask.target.shape[1] <= 4


def test_blocks_of_multi_block_lie_apart():
    """Else it would be a span: some sample must hide more than one run of tokens."""
    hidden = drawn("multi-block", (50, (40,), 0.4)).target
    assert (hidden.diff(dim=1) > 1).any()


def test_blocks_of_a_clip_reach_over_time_height_and_width():
    grid = (8, 6, 6)
    hidden = hidden_places(drawn("multi-block", (1, grid, 0.1)), grid).view(grid)
    neighbours = [(hidden.roll(1, axis) & hidden).any() for axis in range(3)]
    assert all(neighbours)


def test_what_clips_leave_out_to_be_of_one_size_is_of_any_time():
    """Else the last frames would be context and the first would be predicted more rarely."""
    grid = (8, 3, 4)
    mask = drawn("multi-block", (20_000, grid, 0.4))
    for index in (mask.context, mask.target):
        often = torch.bincount((index // 12).flatten(), minlength=8).float()
        torch.testing.assert_close(often, often.flip(0), rtol=0.1, atol=0)


@given(size=sizes(axes=(3,)), seed=st.integers(0, 99))
def test_tube_hides_its_share_of_the_places_over_all_time(size, seed):
    _, grid, ratio = size
    mask = drawn("tube", size, seed)
    places = hidden_places(mask, grid)
    assert torch.equal(places.any(dim=1), places.all(dim=1))
    assert (places[:, 0].sum(dim=1) == round(grid[1] * grid[2] * ratio)).all()
    assert mask.context.shape[1] + mask.target.shape[1] == math.prod(grid)


def test_a_series_has_no_place_for_a_tube():
    with pytest.raises(ValueError, match="a series has none: take span"):
        MASKS["tube"](2, (8,), 0.4, torch.Generator())


@drawing
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.99, 1.0])
def test_refuses_a_ratio_that_hides_nothing_or_all(name, ratio):
    grid = (3, 5, 2) if name == "tube" else (10,)
    with pytest.raises(ValueError, match=rf"mask ratio {ratio} hides (0|10) of 10 tokens"):
        MASKS[name](2, grid, ratio, torch.Generator())


def test_a_shared_span_is_at_the_same_place_for_every_sample_and_moves_between_batches():
    generator = torch.Generator().manual_seed(0)
    masks = [MASKS["shared-span"](8, (24,), 0.4, generator) for _ in range(20)]
    assert all((mask.context == mask.context[0]).all() for mask in masks)
    assert all((mask.target == mask.target[0]).all() for mask in masks)
    assert len({int(mask.target[0, 0]) for mask in masks}) > 3


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("span", [[3, 4, 5], [6, 7, 8]]),
        ("shared-span", [[3, 4, 5], [3, 4, 5]]),
        ("multi-block", [[1, 4, 7], [0, 5, 6]]),
    ],
)
def test_masks_of_a_series_are_those_of_earlier_runs(name, target):
    """A run that was started before clips came is continued under the same masks."""
    mask = MASKS[name](2, (10,), 0.3, torch.Generator().manual_seed(5))
    assert mask.target.tolist() == target
    rest = [sorted(set(range(10)) - set(hidden)) for hidden in target]
    assert mask.context.tolist() == rest
