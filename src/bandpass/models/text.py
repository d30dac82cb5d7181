"""The text form of a JEPA: predict what would be said of a window, not what is hidden in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from bandpass._types import (
    Asked,
    HiddenErrors,
    HiddenLatents,
    HiddenTokens,
    Observed,
    PerSample,
    Tokens,
    VisibleTokens,
    Windows,
)
from bandpass.models.encoder import PatchEncoder
from bandpass.models.jepa import JEPA, JEPASettings, Output
from bandpass.models.masking import Mask
from bandpass.models.targets import OwnTokens, Target

TEXT = "text"


class TextJEPA(JEPA):
    """Predict the frozen text vector of an answer from what is visible and from a question.

    As in VL-JEPA (arXiv 2512.10942, section 3): the predictor is conditioned on a question, and
    the loss is taken between text vectors, where answers that mean the same lie close together.
    Here the text vectors come from outside and stay as they are, so nothing can collapse.

    ``context`` is (batch, questions, 2, text): vectors of a question, then of its answer; NaN where
    the answer is not known. A window has the mean error of the answers that are known, 0 without
    any. Hidden tokens are not predicted: a mask says what the model does without.

    Args:
        shape: As of `JEPA`.
        time: As of `JEPA`.
        settings: What to build; ``target`` is "text".
        distance: As of `JEPA`.
    """

    targets: ClassVar[dict[str, Callable[[PatchEncoder], Target]]] = {TEXT: OwnTokens}

    def __init__(
        self,
        shape: int | tuple[int, ...],
        time: int,
        settings: JEPASettings,
        distance: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        if not settings.latent:
            raise ValueError("target 'text' is a latent one: it has no part in latent=False")
        super().__init__(shape, time, settings, distance)

    def add_readouts(self, width: int) -> None:
        """Add what reads answers, and what asks for them: no hidden patch is predicted."""
        features, text = self.settings.predictor.dim, self.settings.text
        self.to_latent = nn.Linear(features, text)
        self.ask = nn.Linear(text, features)

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
        """As `JEPA.forward`; what is not known is ``wanted`` as it is ``foreseen``."""
        output = super().forward(
            values, observed, mask, sparse=sparse, tokens=tokens, context=context
        )
        assert output.foreseen is not None  # refused in __init__
        known = output.wanted.isfinite()
        return replace(output, wanted=output.wanted.where(known, output.foreseen))

    def predict(
        self, visible: VisibleTokens, mask: Mask, context: Asked | None = None
    ) -> HiddenTokens:
        """Return (batch, questions, predictor dim) features of the answers."""
        return self.predictor.answer(visible, mask.context, self.ask(_given(context)[:, :, 0]))

    def want(self, hidden: Tensor, context: Asked | None = None) -> Tensor:
        """Return the (batch, questions, text) answers, NaN where one is not known."""
        return _given(context)[:, :, 1]

    def compare(
        self, features: HiddenTokens, wanted: HiddenLatents
    ) -> tuple[HiddenLatents, HiddenErrors]:
        """Return foreseen answers and their errors, 0 where the answer is not known.

        Errors are scaled so that their mean over all questions is that over the known ones.
        """
        foreseen = self.to_latent(features)
        known = wanted.isfinite().all(dim=2)
        errors = self.distance(foreseen, wanted.where(known[..., None], foreseen.detach()))
        share = known.float().mean(dim=1, keepdim=True)
        return foreseen, errors * known / share.clamp(min=1 / known.shape[1])

    def ground(
        self, features: HiddenTokens, values: Windows, observed: Observed, mask: Mask
    ) -> PerSample:
        """Return zeros: no hidden patch is predicted."""
        return values.new_zeros(len(values))

    @torch.no_grad()
    def answer(self, values: Windows, observed: Observed, question: Tensor) -> Tensor:
        """Return the (batch, text) answers to one question, of windows that are seen as a whole.

        Args:
            values: (batch, time, channels), 0 where missing.
            observed: (batch, time, channels), False where missing.
            question: (text,) its vector.
        """
        every = torch.arange(self.tokens, device=values.device).expand(len(values), -1)
        asked = self.ask(question.expand(len(values), 1, -1))
        visible = self.encoder(values, observed)
        return self.to_latent(self.predictor.answer(visible, every, asked))[:, 0]


def _given(context: Asked | None) -> Asked:
    if context is None:
        raise ValueError("a text target needs questions and answers: Batch.context of windows")
    return context
