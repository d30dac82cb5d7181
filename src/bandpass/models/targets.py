"""What the predictor is asked for: the swappable part of a JEPA.

A target maps a whole window to one vector per token. The masked raw-patch control needs no
target: it is a JEPA whose latent loss has weight 0 and whose raw readout has weight 1.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bandpass._types import Observed, Tokens, Windows
from bandpass.models.encoder import PatchEncoder


class EMATeacher(nn.Module):
    """Layer-normed tokens of a slow copy of the encoder (I-JEPA section 3; V-JEPA section 3.1).

    Args:
        encoder: The encoder that is trained; it is copied.
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, encoder: PatchEncoder, momentum: float) -> None:
        """Move the teacher toward ``encoder``: ``teacher <- m teacher + (1 - m) encoder``."""
        slow: list[Tensor] = list(self.encoder.parameters())
        fast: list[Tensor] = list(encoder.parameters())
        torch._foreach_lerp_(slow, fast, 1 - momentum)

    @torch.no_grad()
    def forward(self, encoder: PatchEncoder, values: Windows, observed: Observed) -> Tokens:
        """Encode the whole window with the teacher; no gradient."""
        return self.encoder(values, observed)

    def normalise(self, tokens: Tokens) -> Tokens:
        """Layer-norm without affine, so that no direction can grow without bound."""
        return F.layer_norm(tokens, tokens.shape[-1:])


class SameEncoder(nn.Module):
    """Tokens of the trained encoder itself, with gradient (LeJEPA, arXiv 2511.08544).

    Nothing here prevents collapse: train it with SIGReg or VICReg.

    Args:
        encoder: The encoder that is trained.
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()

    def update(self, encoder: PatchEncoder, momentum: float) -> None:
        """Nothing to move."""

    def forward(self, encoder: PatchEncoder, values: Windows, observed: Observed) -> Tokens:
        """Encode the whole window; the gradient flows into the encoder."""
        return encoder(values, observed)

    def normalise(self, tokens: Tokens) -> Tokens:
        """Leave the tokens as they are: the regulariser owns their law."""
        return tokens


Target = EMATeacher | SameEncoder
TARGETS: dict[str, Callable[[PatchEncoder], Target]] = {
    "ema": EMATeacher,
    "same-encoder": SameEncoder,
}
