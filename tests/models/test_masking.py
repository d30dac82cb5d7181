import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bandpass.models import MASKS

strategies = pytest.mark.parametrize("strategy", MASKS.values(), ids=MASKS)


@st.composite
def sizes(draw):
    """(batch, tokens, ratio) with a ratio that hides some and leaves some."""
    tokens = draw(st.integers(2, 40))
    return draw(st.integers(1, 9)), tokens, draw(st.integers(1, tokens - 1)) / tokens


def drawn(strategy, size, seed=0):
    return strategy(*size, torch.Generator().manual_seed(seed))


@strategies
@given(size=sizes(), seed=st.integers(0, 99))
def test_context_and_target_are_disjoint_tokens_of_the_window(strategy, size, seed):
    batch, tokens, ratio = size
    mask = drawn(strategy, size, seed)
    assert len(mask.context) == len(mask.target) == batch
    assert mask.context.shape[1] >= 1
    assert 1 <= mask.target.shape[1] <= round(tokens * ratio)
    for visible, hidden in zip(mask.context.tolist(), mask.target.tolist(), strict=True):
        both = visible + hidden
        assert len(set(both)) == len(both)
        assert set(both) <= set(range(tokens))


@strategies
@given(size=sizes(), seed=st.integers(0, 99))
def test_the_generator_alone_determines_the_mask(strategy, size, seed):
    first, second = drawn(strategy, size, seed), drawn(strategy, size, seed)
    assert torch.equal(first.context, second.context)
    assert torch.equal(first.target, second.target)


@given(size=sizes(), seed=st.integers(0, 99))
def test_span_is_contiguous_and_of_the_asked_length(size, seed):
    _, tokens, ratio = size
    hidden = drawn(MASKS["span"], size, seed).target
    assert hidden.shape[1] == round(tokens * ratio)
    assert (hidden.diff(dim=1) == 1).all()


def test_spans_differ_between_samples_and_reach_both_ends():
    starts = drawn(MASKS["span"], (400, 10, 0.4)).target[:, 0]
    assert set(starts.tolist()) == set(range(7))


@given(size=sizes())
def test_future_is_the_end_of_the_window(size):
    batch, tokens, ratio = size
    hidden = round(tokens * ratio)
    mask = drawn(MASKS["future"], size)
    assert torch.equal(mask.target, torch.arange(tokens - hidden, tokens).expand(batch, -1))
    assert torch.equal(mask.context, torch.arange(tokens - hidden).expand(batch, -1))


def test_blocks_of_multi_block_lie_apart():
    """Else it would be a span: some sample must hide more than one run of tokens."""
    hidden = drawn(MASKS["multi-block"], (50, 40, 0.4)).target
    assert (hidden.diff(dim=1) > 1).any()


@strategies
@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.99, 1.0])
def test_refuses_a_ratio_that_hides_nothing_or_all(strategy, ratio):
    with pytest.raises(ValueError, match=rf"mask ratio {ratio} hides (0|10) of 10 tokens"):
        drawn(strategy, (2, 10, ratio))


def test_a_shared_span_is_at_the_same_place_for_every_sample_and_moves_between_batches():
    generator = torch.Generator().manual_seed(0)
    masks = [MASKS["shared-span"](8, 24, 0.4, generator) for _ in range(20)]
    assert all((mask.context == mask.context[0]).all() for mask in masks)
    assert all((mask.target == mask.target[0]).all() for mask in masks)
    assert len({int(mask.target[0, 0]) for mask in masks}) > 3
