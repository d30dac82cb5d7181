"""The predictor: from the visible tokens to what the hidden ones hold."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bandpass._types import Allowed, HiddenIndex, HiddenTokens, VisibleIndex, VisibleTokens
from bandpass.models.encoder import take
from bandpass.models.layers import Block, initialise, sincos_grid


@dataclass(frozen=True)
class PredictorSettings:
    """Size of a predictor.

    Attributes:
        dim: Width inside the predictor.
        depth: Transformer blocks.
        heads: Attention heads; must divide ``dim``.
        mlp: Hidden width of the MLP.
        causal: Whether a time step is predicted from context of earlier steps alone.
    """

    dim: int = 64
    depth: int = 2
    heads: int = 4
    mlp: int = 128
    causal: bool = False


class Predictor(nn.Module):
    """Fill mask tokens from context tokens.

    Args:
        encoder_dim: Width of the context tokens.
        grid: Of the patches of a window.
        settings: Size of the predictor.
    """

    positions: Tensor

    def __init__(
        self, encoder_dim: int, grid: tuple[int, ...], settings: PredictorSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.places = math.prod(grid[1:])
        self.embed = nn.Linear(encoder_dim, settings.dim)
        self.mask_token = nn.Parameter(torch.zeros(settings.dim))
        positions = sincos_grid(grid, settings.dim)
        self.register_buffer("positions", positions, persistent=False)
        self.blocks = nn.ModuleList(
            Block(settings.dim, settings.heads, settings.mlp) for _ in range(settings.depth)
        )
        initialise(self, self.blocks)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(
        self, visible: VisibleTokens, context: VisibleIndex, target: HiddenIndex
    ) -> HiddenTokens:
        """Return (batch, hidden, predictor dim) features of the hidden tokens.

        Args:
            visible: (batch, visible, encoder dim) encoded context.
            context: Where the context tokens stand in the window.
            target: Where the hidden tokens stand in the window.
        """
        seen = self._seen(visible, context)
        positions = self.positions.expand(len(visible), -1, -1)
        hidden = self.mask_token + take(positions, target)
        allowed = self._no_later(context, target) if self.settings.causal else None
        return self._fill(seen, hidden, allowed)

    def answer(
        self, visible: VisibleTokens, context: VisibleIndex, questions: HiddenTokens
    ) -> HiddenTokens:
        """Return (batch, questions, predictor dim) features of questions about the whole window.

        Nothing sees a question but itself, so that an answer does not depend on what else is asked.

        Args:
            visible: (batch, visible, encoder dim) encoded context.
            context: Where the context tokens stand in the window.
            questions: (batch, questions, predictor dim).
        """
        count, asked = context.shape[1], questions.shape[1]
        allowed = torch.eye(count + asked, dtype=torch.bool, device=context.device)
        allowed = allowed.expand(len(context), 1, -1, -1).clone()
        allowed[..., :count] = True
        if self.settings.causal:
            allowed[..., :count, :count] = self._no_later(context, context[:, :0])
        return self._fill(self._seen(visible, context), questions, allowed)

    def _seen(self, visible: VisibleTokens, context: VisibleIndex) -> Tensor:
        return self.embed(visible) + take(self.positions.expand(len(visible), -1, -1), context)

    def _fill(self, seen: Tensor, wanted: Tensor, allowed: Allowed | None) -> HiddenTokens:
        tokens = torch.cat([seen, wanted.to(seen.dtype)], dim=1)
        for block in self.blocks:
            tokens = block(tokens, allowed)
        return tokens[:, seen.shape[1] :]

    def _no_later(self, context: VisibleIndex, target: HiddenIndex) -> Allowed:
        """Whether a token is known no later than another: a hidden one is just before its step."""
        known = torch.cat([2 * (context // self.places), 2 * (target // self.places) - 1], dim=1)
        return (known[:, None, :] <= known[:, :, None])[:, None]
