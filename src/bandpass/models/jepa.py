"""The JEPA: predict the representation of what is hidden from what is visible."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bandpass._types import (
    Asked,
    Embeddings,
    HiddenErrors,
    HiddenLatents,
    HiddenTokens,
    Observed,
    PerSample,
    TokenIndex,
    Tokens,
    VisibleTokens,
    Windows,
)
from bandpass.models.encoder import EncoderSettings, PatchEncoder, take
from bandpass.models.fronts import front
from bandpass.models.masking import Mask
from bandpass.models.predictor import Predictor, PredictorSettings
from bandpass.models.targets import TARGETS, Target


@dataclass(frozen=True)
class JEPASettings:
    """What a JEPA is made of.

    Attributes:
        encoder: Size of the encoder.
        predictor: Size of the predictor.
        target: A name in ``TARGETS``, or "text" of a `TextJEPA`.
        latent: Whether the predictor is asked for latent targets at all; without it the model
            is the masked raw-patch control.
        text: Width of the text vectors of a `TextJEPA`; has no part in others.
    """

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    predictor: PredictorSettings = field(default_factory=PredictorSettings)
    target: str = "ema"
    latent: bool = True
    text: int = 256


@dataclass(frozen=True)
class Output:
    """What one forward pass gives.

    Attributes:
        prediction: (batch,) mean latent prediction error over the hidden tokens.
        grounding: (batch,) mean error of the linear readout of the hidden raw patches, over
            observed values; 0 for a window that hides none.
        embedding: (batch, dim) mean of the normalised target tokens, detached.
        tokens: (batch, tokens, dim) target tokens before normalisation.
        visible: (batch, visible, dim) context tokens, with gradient.
        mask: What was visible and what was predicted.
        features: (batch, hidden, predictor dim) of the hidden tokens, detached.
        normal: (batch, tokens, dim) normalised target tokens, detached.
        wanted: (batch, hidden, dim) those of ``normal`` that are hidden.
        foreseen: (batch, hidden, dim) prediction of ``wanted``, detached; None without a latent
            target.
        errors: (batch, hidden) prediction error of each hidden token, detached; None likewise.
    """

    prediction: PerSample
    grounding: PerSample
    embedding: Embeddings
    tokens: Tokens
    visible: VisibleTokens
    mask: Mask
    features: HiddenTokens
    normal: Tokens
    wanted: HiddenLatents
    foreseen: HiddenLatents | None
    errors: HiddenErrors | None

    @property
    def pooled(self) -> Tensor:
        """(batch, 2 dim) mean, then standard deviation, of ``normal`` over the tokens."""
        return pool(self.normal)


def pool(tokens: Tokens) -> Tensor:
    """Mean, then standard deviation, over tokens: (batch, tokens, dim) to (batch, 2 dim)."""
    tokens = tokens.float()
    return torch.cat([tokens.mean(dim=1), tokens.std(dim=1, correction=0)], dim=1)


class JEPA(nn.Module):
    """Encoder, predictor and target in one module.

    Args:
        shape: Channels of a row of a window, or (height, width, colours) of a frame of a clip.
        time: Rows of a window, a whole number of patches.
        settings: What to build.
        distance: ``distance(prediction, target)``: (batch, tokens, dim) twice to (batch, tokens).

    Attributes:
        grid: Of the tokens of a window: (tokens,), or (time, height, width).
        tokens: How many they are.
    """

    targets: ClassVar[dict[str, Callable[[PatchEncoder], Target]]] = TARGETS
    to_latent: nn.Linear
    to_raw: nn.Linear

    def __init__(
        self,
        shape: int | tuple[int, ...],
        time: int,
        settings: JEPASettings,
        distance: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        super().__init__()
        size = settings.encoder
        cut = front(shape, time, size.patch, size.space)
        if settings.target not in self.targets:
            raise ValueError(f"target {settings.target!r} is none of {sorted(self.targets)}")
        self.settings = settings
        self.distance = distance
        self.grid = cut.grid
        self.tokens = math.prod(cut.grid)
        self.encoder = PatchEncoder(cut, size)
        self.predictor = Predictor(size.dim, cut.grid, settings.predictor)
        self.add_readouts(cut.width)
        self.target = self.targets[settings.target](self.encoder)

    def add_readouts(self, width: int) -> None:
        """Add what reads latents, and raw patches of ``width`` values, from predictor features."""
        features = self.settings.predictor.dim
        self.to_latent = nn.Linear(features, self.settings.encoder.dim)
        self.to_raw = nn.Linear(features, width)

    @property
    def members(self) -> tuple["JEPA", ...]:
        """Itself alone; a `MixedJEPA` has several."""
        return (self,)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.to_latent.weight.device

    def forward(
        self,
        values: Windows,
        observed: Observed,
        mask: Mask,
        *,
        sparse: bool = False,
        tokens: Tokens | None = None,
        context: Asked | None = None,
    ) -> Output:
        """Return per-sample losses and the target's view of the windows.

        Args:
            values: (batch, time, channels), 0 where missing.
            observed: (batch, time, channels), False where missing.
            mask: What is visible and what must be predicted.
            sparse: Whether the target too sees the tokens of the mask alone (visible, then
                hidden); else it sees all.
            tokens: What the target makes of the whole windows, if that is known already.
            context: What beside the windows their target needs; most need nothing.
        """
        visible = self.encoder(values, observed, mask.context)
        features = self.predict(visible, mask, context)
        seen = torch.cat([mask.context, mask.target], dim=1) if sparse else None
        if tokens is None:
            tokens = self.target(self.encoder, values, observed, seen)
        normal = self.target.normalise(tokens, seen)
        hidden = normal[:, mask.context.shape[1] :] if sparse else take(normal, mask.target)
        wanted = self.want(hidden, context)
        foreseen = errors = None
        prediction = values.new_zeros(len(values))
        if self.settings.latent:
            foreseen, errors = self.compare(features, wanted)
            prediction = errors.mean(dim=1)
            foreseen, errors = foreseen.detach(), errors.detach()
        return Output(
            prediction=prediction,
            grounding=self.ground(features, values, observed, mask),
            embedding=normal.detach().mean(dim=1),
            tokens=tokens,
            visible=visible,
            mask=mask,
            features=features.detach(),
            normal=normal.detach(),
            wanted=wanted.detach(),
            foreseen=foreseen,
            errors=errors,
        )

    def predict(
        self, visible: VisibleTokens, mask: Mask, context: Asked | None = None
    ) -> HiddenTokens:
        """Return predictor features of what the visible tokens leave to be told."""
        return self.predictor(visible, mask.context, mask.target)

    def want(self, hidden: HiddenLatents, context: Asked | None = None) -> HiddenLatents:
        """Return the latents that are asked for, given those of the hidden tokens."""
        return hidden

    def compare(
        self, features: HiddenTokens, wanted: HiddenLatents
    ) -> tuple[HiddenLatents, HiddenErrors]:
        """Return predictor features as (batch, hidden, dim) latents, and each token's error."""
        foreseen = self.to_latent(features)
        return foreseen, self.distance(foreseen, wanted)

    def ground(
        self, features: HiddenTokens, values: Windows, observed: Observed, mask: Mask
    ) -> PerSample:
        """Return the (batch,) error of the raw readout of the hidden patches."""
        cut = self.encoder.front.cut
        wanted = take(cut(values), mask.target)
        counted = take(cut(observed.to(values.dtype)), mask.target)
        error = F.smooth_l1_loss(self.to_raw(features).float(), wanted, reduction="none")
        return (error * counted).sum(dim=(1, 2)) / counted.sum(dim=(1, 2)).clamp(min=1)

    @torch.no_grad()
    def embed(self, values: Windows, observed: Observed, keep: TokenIndex | None = None) -> Tokens:
        """Return (batch, visible, dim) tokens of the trained encoder: what probes and users get.

        The teacher is not used: on a short budget it still remembers its random start.
        """
        return self.encoder(values, observed, keep)

    @torch.no_grad()
    def foresee(
        self, values: Windows, observed: Observed, mask: Mask, context: Asked | None = None
    ) -> HiddenTokens:
        """Return (batch, hidden, predictor dim) features the predictor has of the hidden part."""
        return self.predict(self.encoder(values, observed, mask.context), mask, context)
