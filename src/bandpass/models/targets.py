"""What the predictor is asked for: the swappable part of a JEPA.

A target maps a window to one vector per token. The masked raw-patch control needs no target: it
is a JEPA whose latent loss has weight 0 and whose raw readout has weight 1.

Every target declares ``forwards``: what it costs, in forwards of the encoder over the tokens.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bandpass._types import Observed, TokenIndex, Tokens, Windows
from bandpass.models.encoder import PatchEncoder, take

RENEWAL = 0.1
"""Share that a batch has in the running statistics of a standardised target."""

FAINT = 0.1
"""Of the mean deviation, added to every one: noise shall not be blown up to a signal."""

EXTREME = 5.0
"""Deviations at which a standardised target is cut."""


def layer_norm(tokens: Tokens) -> Tokens:
    """Layer-norm without affine, so that no direction can grow without bound."""
    return F.layer_norm(tokens, tokens.shape[-1:])


class EMATeacher(nn.Module):
    """Layer-normed tokens of a slow copy of the encoder (I-JEPA section 3; V-JEPA section 3.1).

    Args:
        encoder: The encoder that is trained; it is copied.
    """

    forwards: float = 1.0

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, encoder: PatchEncoder, momentum: float, tokens: Tokens | None = None) -> None:
        """Move the teacher toward ``encoder``: ``teacher <- m teacher + (1 - m) encoder``."""
        slow: list[Tensor] = list(self.encoder.parameters())
        fast: list[Tensor] = list(encoder.parameters())
        torch._foreach_lerp_(slow, fast, 1 - momentum)

    @torch.no_grad()
    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Encode the window, or only the tokens in ``keep``, with the teacher; no gradient."""
        return self.encoder(values, observed, keep)

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Layer-norm without affine."""
        return layer_norm(tokens)


class RawTeacher(EMATeacher):
    """Tokens of the teacher as they are.

    Their scale is free, so that the cheapest way to a low error is to shrink them: the schedule
    reference does (``docs/schedule.md``). Layer-normed targets cannot.
    """

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Leave the tokens as they are."""
        return tokens


class StandardTeacher(EMATeacher):
    """Tokens of the teacher, every dimension standardised at every place of the window.

    Where windows are mostly alike, such as days that are mostly empty, nearly all that a token
    holds is its place, and a predictor that knows the places has a low error already. What is left
    after each place's mean is what tells windows apart, and it cannot be made small by shrinking.

    Mean and deviation are running ones over the batches of the training, so that the target of a
    window does not depend on the others of its batch.

    Args:
        encoder: The encoder that is trained; it is copied.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__(encoder)
        self.register_buffer("mean", torch.zeros_like(encoder.positions))
        self.register_buffer("variance", torch.ones_like(encoder.positions))

    @torch.no_grad()
    def update(self, encoder: PatchEncoder, momentum: float, tokens: Tokens | None = None) -> None:
        """Move the teacher toward ``encoder``, and the running statistics toward ``tokens``."""
        super().update(encoder, momentum)
        if tokens is not None:
            self.mean.lerp_(tokens.float().mean(dim=0), RENEWAL)
            self.variance.lerp_(tokens.float().var(dim=0, correction=0), RENEWAL)

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Standardise by place; dimensions that hardly vary stay small, and nothing is extreme."""
        deviation = self.variance.sqrt()
        scale = deviation + FAINT * deviation.mean()
        mean = self.mean.expand(len(tokens), -1, -1)
        scale = scale.expand(len(tokens), -1, -1)
        if keep is not None:
            mean, scale = take(mean, keep), take(scale, keep)
        return ((tokens - mean) / scale).clamp(-EXTREME, EXTREME)


class LayerTeacher(EMATeacher):
    """Layer-normed tokens of an internal layer of the teacher, the middle one.

    Less abstract than the last layer, and it costs half. A teacher of one block has no internal
    layer: its only one is taken.

    Args:
        encoder: The encoder that is trained; it is copied.
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__(encoder)
        depth = encoder.settings.depth
        self.layer = max(1, depth // 2)
        self.forwards = self.layer / depth

    @torch.no_grad()
    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Encode up to the internal layer; no gradient."""
        return self.encoder.layers(values, observed, keep, self.layer)[-1]


class ContextualTeacher(EMATeacher):
    """Mean of the teacher's top layers, each layer-normed (data2vec, arXiv 2202.03555, part 3.3).

    The top half of the layers and one more: 2 of 2, 3 of 4, 7 of 12. A teacher of one block has
    one layer only, and is then the EMA teacher.

    Args:
        encoder: The encoder that is trained; it is copied.
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__(encoder)
        depth = encoder.settings.depth
        self.top = min(depth, depth // 2 + 1)

    @torch.no_grad()
    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Encode the window and average its top layers; no gradient."""
        top = self.encoder.layers(values, observed, keep)[-self.top :]
        return torch.stack([layer_norm(tokens) for tokens in top]).mean(dim=0)


class SameEncoder(nn.Module):
    """Tokens of the trained encoder itself, with gradient (LeJEPA, arXiv 2511.08544).

    Nothing here prevents collapse: train it with SIGReg or VICReg.

    Args:
        encoder: The encoder that is trained.
    """

    forwards: float = 1.0

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()

    def update(self, encoder: PatchEncoder, momentum: float, tokens: Tokens | None = None) -> None:
        """Nothing to move."""

    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Encode the window; the gradient flows into the encoder."""
        return encoder(values, observed, keep)

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Leave the tokens as they are: the regulariser owns their law."""
        return tokens


class OwnTokens(SameEncoder):
    """Tokens of the trained encoder, gradient stopped, layer-normed: an embedding, not a target.

    What stands for windows where something else than their tokens is predicted.

    Args:
        encoder: The encoder that is trained.
    """

    @torch.no_grad()
    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Encode the window; no gradient."""
        return encoder(values, observed, keep)

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Layer-norm without affine."""
        return layer_norm(tokens)


class PatchTarget(nn.Module):
    """The encoder's own embedding of each patch alone, gradient stopped, layer-normed (as NEPA).

    No other patch and no position has a part in it, so what is surprising is the signal of the
    patch and never its context; it costs no forward. Next-embedding prediction (NEPA) shows that
    the stopped gradient alone keeps such a target from collapse.

    Args:
        encoder: The encoder that is trained.
    """

    forwards: float = 0.0

    def __init__(self, encoder: PatchEncoder) -> None:
        super().__init__()

    def update(self, encoder: PatchEncoder, momentum: float, tokens: Tokens | None = None) -> None:
        """Nothing to move."""

    @torch.no_grad()
    def forward(
        self,
        encoder: PatchEncoder,
        values: Windows,
        observed: Observed,
        keep: TokenIndex | None = None,
    ) -> Tokens:
        """Embed the patches; no gradient."""
        tokens = encoder.patches(values, observed)
        return tokens if keep is None else take(tokens, keep)

    def normalise(self, tokens: Tokens, keep: TokenIndex | None = None) -> Tokens:
        """Layer-norm without affine."""
        return layer_norm(tokens)


Target = EMATeacher | SameEncoder | PatchTarget
TARGETS: dict[str, Callable[[PatchEncoder], Target]] = {
    "ema": EMATeacher,
    "ema-raw": RawTeacher,
    "same-encoder": SameEncoder,
    "patch": PatchTarget,
    "ema-standard": StandardTeacher,
    "layer": LayerTeacher,
    "contextual": ContextualTeacher,
}
