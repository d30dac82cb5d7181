"""The patch encoder: windows of a multivariate series to tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bandpass._types import Observed, TokenIndex, Tokens, Windows
from bandpass.models.layers import Block, initialise, sincos_positions


@dataclass(frozen=True)
class EncoderSettings:
    """Size of an encoder.

    Attributes:
        patch: Rows in one token.
        dim: Width of a token.
        depth: Transformer blocks.
        heads: Attention heads; must divide ``dim``.
        mlp: Hidden width of the MLP.
    """

    patch: int = 4
    dim: int = 64
    depth: int = 2
    heads: int = 4
    mlp: int = 128


def patchify(series: Tensor, patch: int) -> Tensor:
    """Cut (batch, time, channels) into (batch, time / patch, patch * channels)."""
    batch, time, channels = series.shape
    if time % patch:
        raise ValueError(f"a window of {time} rows is not a whole number of patches of {patch}")
    return series.reshape(batch, time // patch, patch * channels)


def take(tokens: Tensor, index: TokenIndex) -> Tensor:
    """Pick tokens (batch, chosen, dim) by index from (batch, tokens, dim)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


class PatchEncoder(nn.Module):
    """Embed patches of values and of their presence, then let the visible ones attend.

    There is no normalisation after the last block: a final LayerNorm erases magnitude, and
    magnitude is what most events are.

    Args:
        channels: Channels of a window.
        tokens: Patches of a window.
        settings: Size of the encoder.
    """

    positions: Tensor

    def __init__(self, channels: int, tokens: int, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embed = nn.Linear(2 * channels * settings.patch, settings.dim)
        positions = sincos_positions(tokens, settings.dim)
        self.register_buffer("positions", positions, persistent=False)
        self.blocks = nn.ModuleList(
            Block(settings.dim, settings.heads, settings.mlp) for _ in range(settings.depth)
        )
        initialise(self, self.blocks)
        # Patches are wide, so .02 would leave the signal far below the positions.
        nn.init.xavier_uniform_(self.embed.weight)

    def forward(
        self, values: Windows, observed: Observed, keep: TokenIndex | None = None
    ) -> Tokens:
        """Encode the whole window, or only the tokens in ``keep``.

        Args:
            values: (batch, time, channels), 0 where missing.
            observed: (batch, time, channels), False where missing.
            keep: (batch, visible) indices of the tokens to see; None sees all.

        Returns:
            (batch, visible, dim) tokens.
        """
        return self.layers(values, observed, keep)[-1]

    def layers(
        self,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
        count: int | None = None,
    ) -> list[Tokens]:
        """Return the tokens after each of the first ``count`` blocks, all blocks for None."""
        tokens = self.patches(values, observed) + self.positions
        if keep is not None:
            tokens = take(tokens, keep)
        found = []
        for block in self.blocks[:count]:
            tokens = block(tokens)
            found.append(tokens)
        return found

    def patches(self, values: Windows, observed: Observed) -> Tokens:
        """Embed every patch by itself: no position, no other patch, (batch, tokens, dim)."""
        seen = torch.cat([values, observed.to(values.dtype)], dim=-1)
        return self.embed(patchify(seen, self.settings.patch))
