"""Which tokens the encoder sees and which the predictor must fill in.

Every strategy returns the same number of context and of target tokens for all samples of a
batch, so that both are plain index tensors and no attention mask is needed.

Tokens stand on a grid: (time,) of a series, (time, height, width) of a clip. What is said of time
hides all places of a time step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from bandpass._types import HiddenIndex, VisibleIndex

MOST_BLOCKS = 4

NEXT = "next"
"""Of `following`, which not every model may be asked by."""

Grid = tuple[int, ...]


@dataclass(frozen=True)
class Mask:
    """Token indices of one batch: what is visible and what is predicted.

    The two are disjoint, but for those of `following`: there nearly every step is predicted and is
    context too. Nothing leaks, because only a model whose encoder sees every step by itself and
    whose predictor sees no step before its time may be asked so; `build_jepa` refuses others.

    Attributes:
        context: (batch, visible) int64 indices into the tokens of a window.
        target: (batch, hidden) int64 indices.
    """

    context: VisibleIndex
    target: HiddenIndex

    def to(self, device: torch.device) -> "Mask":
        """Move both index tensors."""
        return Mask(self.context.to(device), self.target.to(device))


def span(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """Hide one contiguous span of ``ratio`` of the time, at a random place per sample."""
    hidden = _hidden_count(grid[0], ratio)
    start = torch.randint(0, grid[0] - hidden + 1, (batch, 1), generator=generator)
    position = torch.arange(grid[0])
    return _steps((position >= start) & (position < start + hidden), grid)


def shared_span(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """Hide the same contiguous span of every sample.

    The visible tokens of a batch then stand at the same places, so that a regulariser sees how
    windows differ there: where every sample has a span of its own, places differ too, and that
    alone satisfies it.
    """
    one = span(1, grid, ratio, generator)
    return Mask(one.context.expand(batch, -1), one.target.expand(batch, -1))


def future(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """Hide the last ``ratio`` of the time of every sample."""
    hidden = _hidden_count(grid[0], ratio)
    return _steps((torch.arange(grid[0]) >= grid[0] - hidden).expand(batch, -1), grid)


def following(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """See all steps but the last and predict all but the first, each from those before it.

    Next-latent-state prediction; ``ratio`` and ``generator`` have no part in it.
    """
    if grid[0] < 2:
        raise ValueError("next masks need two time steps: take longer windows or smaller patches")
    places = math.prod(grid[1:])
    tokens = torch.arange(grid[0] * places).expand(batch, -1)
    return Mask(context=tokens[:, :-places], target=tokens[:, places:])


def multi_block(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """Hide up to four random blocks that together cover at most ``ratio`` of the tokens.

    Blocks may overlap; as in I-JEPA (section 3) counts are cut to what all samples share.
    """
    is_hidden = _blocks(batch, grid, ratio, generator)
    if len(grid) == 1:
        return _cut(is_hidden)
    # What is cut off are the last visible and the first hidden tokens: of clips, which lose more
    # of them, that would nearly always be the last frames and the first.
    order = torch.rand(is_hidden.shape, generator=generator).argsort(dim=1)
    mask = _cut(is_hidden.gather(1, order))
    return Mask(order.gather(1, mask.context), order.gather(1, mask.target))


def tube(batch: int, grid: Grid, ratio: float, generator: Generator) -> Mask:
    """Hide ``ratio`` of the places of a frame over all time: random blocks, then single places.

    What stands still cannot then be copied from the frame before (VideoMAE, arXiv 2203.12602,
    section 3.3; V-JEPA, arXiv 2404.08471, section 3.2).
    """
    if len(grid) == 1:
        raise ValueError("tube masks hide places of frames, and a series has none: take span")
    frame = grid[1:]
    blocks = _blocks(batch, frame, ratio, generator)
    chance = torch.rand(blocks.shape, generator=generator)
    first = (blocks + chance).argsort(dim=1, descending=True)  # blocks cover no more than ratio
    hidden = first[:, : _hidden_count(math.prod(frame), ratio)]
    return _cut(torch.zeros_like(blocks).scatter(1, hidden, value=True).repeat(1, grid[0]))


MASKS: dict[str, Callable[[int, Grid, float, Generator], Mask]] = {
    "span": span,
    "shared-span": shared_span,
    "future": future,
    NEXT: following,
    "multi-block": multi_block,
    "tube": tube,
}


def _hidden_count(tokens: int, ratio: float) -> int:
    hidden = round(tokens * ratio)
    if not 0 < hidden < tokens:
        raise ValueError(
            f"mask ratio {ratio} hides {hidden} of {tokens} tokens; at least one token must stay "
            "visible and one must be hidden: change the ratio or the patch size"
        )
    return hidden


def _blocks(batch: int, grid: Grid, ratio: float, generator: Generator) -> Tensor:
    """(batch, places) bool: in any of a few blocks, about as long in every axis as the grid is."""
    most = _hidden_count(math.prod(grid), ratio)
    blocks = min(MOST_BLOCKS, most)
    inside = torch.ones(batch, blocks, *(1 for _ in grid), dtype=torch.bool)
    for axis, (side, length) in enumerate(zip(grid, _lengths(grid, most // blocks), strict=True)):
        start = torch.randint(0, side - length + 1, (batch, blocks, 1), generator=generator)
        position = torch.arange(side)
        along = (position >= start) & (position < start + length)
        shape = [side if other == axis else 1 for other in range(len(grid))]
        inside = inside & along.view(batch, blocks, *shape)
    return inside.any(dim=1).flatten(1)


def _lengths(grid: Grid, volume: int) -> list[int]:
    """Sides of a block of at most ``volume`` places; the first axis takes what the others leave."""
    share = (volume / math.prod(grid)) ** (1 / len(grid))
    others: list[int] = []
    for side in grid[1:]:
        others.append(max(1, min(round(side * share), volume)))
        volume //= others[-1]
    return [min(grid[0], volume), *others]


def _steps(is_hidden: Tensor, grid: Grid) -> Mask:
    """Hide all places of the (batch, time) hidden steps, as many in every sample."""
    return _cut(is_hidden.repeat_interleave(math.prod(grid[1:]), dim=1))


def _cut(is_hidden: Tensor) -> Mask:
    """Cut counts to what all samples share."""
    tokens, hidden = is_hidden.shape[1], is_hidden.sum(dim=1)
    fewest, visible = int(hidden.min()), tokens - int(hidden.max())
    order = is_hidden.to(torch.int8).argsort(dim=1, stable=True)
    return Mask(context=order[:, :visible], target=order[:, tokens - fewest :])
