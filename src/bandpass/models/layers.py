"""The transformer block that encoder and predictor share, and fixed sin-cos positions.

Attention is plain linear layers and ``scaled_dot_product_attention``, positions are fixed and
nothing keeps batch statistics, so per-sample gradients of the model are well defined.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bandpass._types import Allowed, Tokens


def sincos_positions(count: int, dim: int) -> Tensor:
    """Return fixed sine-cosine positions (count, dim) of Vaswani et al. 2017, section 3.5."""
    frequency = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000.0) / dim))
    angle = torch.arange(count)[:, None] * frequency[None]
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :dim].contiguous()


def sincos_grid(grid: tuple[int, ...], dim: int) -> Tensor:
    """Return fixed sine-cosine positions (places, dim) of a grid, its last axis fastest.

    An axis has an equal part of the dimensions, time what is left over: as in V-JEPA (arXiv
    2404.08471, section 3.3). Of one axis they are those of `sincos_positions`.

    Raises:
        ValueError: If an axis is left without a sine and a cosine.
    """
    if dim < 2 * len(grid):
        raise ValueError(f"dim {dim} is too small for positions on {len(grid)} axes")
    part = 2 * (dim // (2 * len(grid)))
    parts = [dim - part * (len(grid) - 1), *[part] * (len(grid) - 1)]
    places = torch.cartesian_prod(*(torch.arange(side) for side in grid)).view(-1, len(grid))
    axes = [
        sincos_positions(side, size)[places[:, axis]]
        for axis, (side, size) in enumerate(zip(grid, parts, strict=True))
    ]
    return torch.cat(axes, dim=1)


class Attention(nn.Module):
    """Multi-head self-attention over (batch, tokens, dim)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} is not divisible by heads {heads}")
        self.heads = heads
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, tokens: Tokens, allowed: Allowed | None = None) -> Tokens:
        """Let every token attend to every token, or to those that it is allowed to."""
        batch, count, dim = tokens.shape
        query, key, value = (
            self.query_key_value(tokens)
            .view(batch, count, 3, self.heads, dim // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, allowed)
        return self.project(mixed.transpose(1, 2).reshape(batch, count, dim))


class Block(nn.Module):
    """A pre-norm transformer block: attention, then a GELU MLP."""

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, mlp)
        self.contract = nn.Linear(mlp, dim)

    def forward(self, tokens: Tokens, allowed: Allowed | None = None) -> Tokens:
        """Add attention and MLP to the residual stream.

        Args:
            tokens: (batch, tokens, dim).
            allowed: (batch, 1, tokens, tokens) bool, whether a row attends to a column; None for
                all.
        """
        tokens = tokens + self.attention(self.attention_norm(tokens), allowed)
        return tokens + self.contract(F.gelu(self.expand(self.mlp_norm(tokens))))


def initialise(module: nn.Module, blocks: nn.ModuleList) -> None:
    """Truncated normal .02 everywhere; residual projections shrink with depth (I-JEPA)."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            nn.init.zeros_(part.bias)
    for layer, block in enumerate(blocks, start=1):
        if isinstance(block, Block):
            with torch.no_grad():
                for residual in (block.attention.project, block.contract):
                    residual.weight.div_(math.sqrt(2 * layer))
