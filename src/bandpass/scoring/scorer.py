"""The forwards behind each signal, each counted."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Generator, Tensor

from bandpass.data import Batch
from bandpass.models import JEPA, MASKS, Mask, Output
from bandpass.models.encoder import take
from bandpass.scoring.settings import Aids, ScoringSettings

_HEADS = "heads=fit_heads(jepa, batches), or Heads trained beside the model"


class Scorer:
    """The forwards behind each signal, on one batch; each adds to the cost."""

    def __init__(self, jepa: JEPA, batch: Batch, settings: ScoringSettings, aids: Aids) -> None:
        self.jepa, self.settings, self.aids, self.cost = jepa, settings, aids, aids.cost
        batch = batch.to(jepa.device)
        self.values, self.observed, self.context = batch.values, batch.observed, batch.context

    def mask(self, number: int) -> Mask:
        """One mask for all windows, the same at every call, thinned to what is kept."""
        settings, jepa = self.settings, self.jepa
        generator = Generator().manual_seed(settings.seed * 1_000_003 + number)
        mask = MASKS[settings.mask](1, jepa.grid, settings.mask_ratio, generator)
        visible, hidden = (
            index[:, spread(index.shape[1], settings.keep)].expand(len(self.values), -1)
            for index in (mask.context, mask.target)
        )
        return Mask(visible, hidden).to(jepa.device)

    def forward(self, jepa: JEPA, mask: Mask) -> Output:
        """A whole forward of the model or of the reference, under the mask."""
        sparse = self.settings.keep < 1
        seen = mask.context.shape[1] + mask.target.shape[1]
        self.cost.teacher(jepa, len(self.values), seen if sparse else jepa.tokens, self.jepa)
        self.cost.student(jepa, mask, self.jepa, self.context)
        return jepa(self.values, self.observed, mask, sparse=sparse, context=self.context)

    def weigh(self, prediction: Tensor, grounding: Tensor) -> Tensor:
        """(B,) what the training minimises."""
        return self.settings.prediction * prediction + self.settings.grounding * grounding

    def mask_losses(self, output: Output) -> Tensor:
        """The losses of ``output`` and those under further masks, (K, B)."""
        found = [self.weigh(output.prediction, output.grounding).detach()]
        for number in range(1, self.settings.masks):
            found.append(self._losses_under(self.mask(number), output))
        return torch.stack(found)

    def _losses_under(self, mask: Mask, output: Output) -> Tensor:
        jepa = self.jepa
        if output.normal.shape[1] < jepa.tokens:  # the target saw the tokens of one mask alone
            other = self.forward(jepa, mask)
            return self.weigh(other.prediction, other.grounding)
        self.cost.student(jepa, mask, context=self.context)
        features = jepa.foresee(self.values, self.observed, mask, self.context)
        grounding = jepa.ground(features, self.values, self.observed, mask)
        if output.foreseen is None:
            return self.weigh(torch.zeros_like(grounding), grounding)
        wanted = jepa.want(take(output.normal, mask.target), self.context)
        errors = jepa.compare(features, wanted)[1]
        return self.weigh(errors.mean(dim=1), grounding)

    def slow_losses(self, output: Output) -> Tensor:
        """(B,) losses of the slow weights under the mask and target of ``output``."""
        slow = _aid(self.aids.slow, "slow_losses", "slow=SlowStudent(jepa), updated as it trained")
        self.cost.student(self.jepa, output.mask, context=self.context, kind="slow")
        return self.weigh(*slow.losses(self.values, self.observed, output, self.context))

    def head_predictions(self, output: Output) -> Tensor:
        """(H, B, N, D) what the heads make of the predictor's features."""
        heads = _aid(self.aids.heads, "head_predictions", _HEADS)
        self.cost.linear(self.jepa, heads.weight.numel(), output.mask)
        return heads.predictions(output.features.float())

    def log_variance(self, output: Output) -> Tensor:
        """(B, N) log of the error that the variance head expects."""
        heads = _aid(self.aids.heads, "log_variance", _HEADS)
        self.cost.linear(self.jepa, heads.variance.weight.numel(), output.mask)
        return heads.log_variance(output.features.float())

    def reference_losses(self, output: Output) -> Tensor:
        """(B,) losses of the reference under the mask of ``output`` and its own target."""
        reference = _aid(self.aids.reference, "reference_losses", "reference=a trained JEPA")
        if reference.tokens != self.jepa.tokens:
            raise ValueError(
                f"the reference cuts a window into {reference.tokens} tokens and the model into "
                f"{self.jepa.tokens}: no mask fits both; use a reference of the same patch"
            )
        other = self.forward(reference, output.mask)
        return self.weigh(other.prediction, other.grounding)


MEASURED: dict[str, Callable[[Scorer, Output], Tensor]] = {
    "mask_losses": Scorer.mask_losses,
    "slow_losses": Scorer.slow_losses,
    "head_predictions": Scorer.head_predictions,
    "log_variance": Scorer.log_variance,
    "reference_losses": Scorer.reference_losses,
}
_Aid = TypeVar("_Aid")


def _aid(aid: _Aid | None, signal: str, how: str) -> _Aid:
    if aid is None:
        raise ValueError(f"{signal} needs an aid: pass aids=Aids({how})")
    return aid


def spread(count: int, keep: float) -> Tensor:
    """Indices of an evenly spaced share of ``count`` tokens, at least one."""
    kept = max(1, round(keep * count))
    return ((torch.arange(kept) + 0.5) * count / kept).long()
