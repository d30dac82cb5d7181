"""The patch encoder: windows of a series, or clips of a video, to tokens."""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from bandpass._types import Allowed, Observed, TokenIndex, Tokens, Windows
from bandpass.models.fronts import Front
from bandpass.models.layers import Block, initialise, sincos_grid


@dataclass(frozen=True)
class EncoderSettings:
    """Size of an encoder.

    Attributes:
        patch: Rows in one token; frames, of a clip.
        space: Pixels along a side of one token of a clip; has no part in series.
        dim: Width of a token.
        depth: Transformer blocks.
        heads: Attention heads; must divide ``dim``.
        mlp: Hidden width of the MLP.
        attention: "window" lets tokens attend to all others, "step" to those of their own time step
            alone, so that a step is encoded without what comes before or after it.
    """

    patch: int = 4
    space: int = 8
    dim: int = 64
    depth: int = 2
    heads: int = 4
    mlp: int = 128
    attention: Literal["window", "step"] = "window"


def take(tokens: Tensor, index: TokenIndex) -> Tensor:
    """Pick tokens (batch, chosen, dim) by index from (batch, tokens, dim)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


class PatchEncoder(nn.Module):
    """Embed patches of values and of their presence, then let the visible ones attend.

    There is no normalisation after the last block: a final LayerNorm erases magnitude, and
    magnitude is what most events are.

    Args:
        front: Cuts a window into patches.
        settings: Size of the encoder.
    """

    positions: Tensor

    def __init__(self, front: Front, settings: EncoderSettings) -> None:
        super().__init__()
        self.front, self.settings = front, settings
        self.embed = nn.Linear(front.inputs, settings.dim)
        positions = sincos_grid(front.grid, settings.dim)
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
        by_step = self.settings.attention == "step"
        allowed = self._same_step(keep) if by_step and keep is not None else None
        steps = self.front.grid[0] if by_step and keep is None else 1
        tokens = tokens.unflatten(1, (steps, -1)).flatten(0, 1)  # whole steps are rows of a batch
        found = []
        for block in self.blocks[:count]:
            tokens = block(tokens, allowed)
            found.append(tokens.unflatten(0, (-1, steps)).flatten(1, 2))
        return found

    def patches(self, values: Windows, observed: Observed) -> Tokens:
        """Embed every patch by itself: no position, no other patch, (batch, tokens, dim)."""
        return self.embed(self.front.see(values, observed))

    def _same_step(self, keep: TokenIndex) -> Allowed:
        step = keep // math.prod(self.front.grid[1:])
        return (step[:, :, None] == step[:, None, :])[:, None]
