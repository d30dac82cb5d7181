"""Which tokens the encoder sees and which the predictor must fill in.

Every strategy returns the same number of context and of target tokens for all samples of a
batch, so that both are plain index tensors and no attention mask is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from bandpass._types import HiddenIndex, VisibleIndex


@dataclass(frozen=True)
class Mask:
    """Token indices of one batch: what is visible and what is predicted.

    Attributes:
        context: (batch, visible) int64 indices into the tokens of a window.
        target: (batch, hidden) int64 indices, disjoint from ``context``.
    """

    context: VisibleIndex
    target: HiddenIndex

    def to(self, device: torch.device) -> "Mask":
        """Move both index tensors."""
        return Mask(self.context.to(device), self.target.to(device))


def span(batch: int, tokens: int, ratio: float, generator: Generator) -> Mask:
    """Hide one contiguous span of ``ratio`` of the tokens, at a random place per sample."""
    hidden = _hidden_count(tokens, ratio)
    start = torch.randint(0, tokens - hidden + 1, (batch, 1), generator=generator)
    position = torch.arange(tokens)
    return _split((position >= start) & (position < start + hidden), hidden, tokens - hidden)


def shared_span(batch: int, tokens: int, ratio: float, generator: Generator) -> Mask:
    """Hide the same contiguous span of every sample.

    The visible tokens of a batch then stand at the same places, so that a regulariser sees how
    windows differ there: where every sample has a span of its own, places differ too, and that
    alone satisfies it.
    """
    one = span(1, tokens, ratio, generator)
    return Mask(one.context.expand(batch, -1), one.target.expand(batch, -1))


def future(batch: int, tokens: int, ratio: float, generator: Generator) -> Mask:
    """Hide the last ``ratio`` of the tokens of every sample."""
    hidden = _hidden_count(tokens, ratio)
    is_hidden = (torch.arange(tokens) >= tokens - hidden).expand(batch, tokens)
    return _split(is_hidden, hidden, tokens - hidden)


def multi_block(batch: int, tokens: int, ratio: float, generator: Generator) -> Mask:
    """Hide up to four random blocks that together cover at most ``ratio`` of the tokens.

    Blocks may overlap; as in I-JEPA (section 3) counts are cut to what all samples share.
    """
    most = _hidden_count(tokens, ratio)
    blocks = min(4, most)
    length = most // blocks
    start = torch.randint(0, tokens - length + 1, (batch, blocks, 1), generator=generator)
    position = torch.arange(tokens)
    is_hidden = ((position >= start) & (position < start + length)).any(dim=1)
    hidden = is_hidden.sum(dim=1)
    return _split(is_hidden, int(hidden.min()), tokens - int(hidden.max()))


MASKS: dict[str, Callable[[int, int, float, Generator], Mask]] = {
    "span": span,
    "shared-span": shared_span,
    "future": future,
    "multi-block": multi_block,
}


def _hidden_count(tokens: int, ratio: float) -> int:
    hidden = round(tokens * ratio)
    if not 0 < hidden < tokens:
        raise ValueError(
            f"mask ratio {ratio} hides {hidden} of {tokens} tokens; at least one token must stay "
            "visible and one must be hidden: change the ratio or the patch size"
        )
    return hidden


def _split(is_hidden: Tensor, hidden: int, visible: int) -> Mask:
    order = is_hidden.to(torch.int8).argsort(dim=1, stable=True)
    tokens = is_hidden.shape[1]
    return Mask(context=order[:, :visible], target=order[:, tokens - hidden :])
