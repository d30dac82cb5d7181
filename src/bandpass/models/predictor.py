"""The predictor: from the visible tokens to what the hidden ones hold."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bandpass._types import HiddenIndex, HiddenTokens, VisibleIndex, VisibleTokens
from bandpass.models.encoder import take
from bandpass.models.layers import Block, initialise, sincos_positions


@dataclass(frozen=True)
class PredictorSettings:
    """Size of a predictor.

    Attributes:
        dim: Width inside the predictor.
        depth: Transformer blocks.
        heads: Attention heads; must divide ``dim``.
        mlp: Hidden width of the MLP.
    """

    dim: int = 64
    depth: int = 2
    heads: int = 4
    mlp: int = 128


class Predictor(nn.Module):
    """Fill mask tokens from context tokens.

    Args:
        encoder_dim: Width of the context tokens.
        tokens: Patches of a window.
        settings: Size of the predictor.
    """

    positions: Tensor

    def __init__(self, encoder_dim: int, tokens: int, settings: PredictorSettings) -> None:
        super().__init__()
        self.embed = nn.Linear(encoder_dim, settings.dim)
        self.mask_token = nn.Parameter(torch.zeros(settings.dim))
        positions = sincos_positions(tokens, settings.dim)
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
        positions = self.positions.expand(len(visible), -1, -1)
        seen = self.embed(visible) + take(positions, context)
        hidden = self.mask_token + take(positions, target)
        tokens = torch.cat([seen, hidden.to(seen.dtype)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens[:, seen.shape[1] :]
