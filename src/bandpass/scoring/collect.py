"""Signals of a batch under a JEPA, for the scores of the curriculum, with their cost counted."""

from collections.abc import Collection
from dataclasses import fields, replace

import torch
from torch import Tensor

from bandpass.curriculum.signals import Signals
from bandpass.data import Batch
from bandpass.models import JEPA, Output, pool
from bandpass.scoring.cost import Cost
from bandpass.scoring.scorer import MEASURED, Scorer, spread
from bandpass.scoring.settings import AS_IN_TRAINING, Aids, ScoringSettings

__all__ = ["Aids", "ScoringSettings", "collect", "of_output", "teacher_embedding"]


def of_output(output: Output, losses: Tensor | None = None) -> Signals:
    """Return the signals that a training forward holds already; nothing is computed or copied.

    Args:
        output: The forward pass.
        losses: (B,) what the step minimises for each window; the latent loss if None.
    """
    return Signals(
        prediction=output.foreseen,
        target=output.wanted,
        losses=(output.prediction if losses is None else losses).detach(),
        token_losses=output.errors,
    )


@torch.no_grad()
def teacher_embedding(
    jepa: JEPA, values: Tensor, observed: Tensor, keep: float = 1.0, cost: Cost | None = None
) -> Tensor:
    """Embed windows with the target alone: no student, no predictor, no mask.

    Args:
        jepa: The model.
        values: (B, time, channels), 0 where missing.
        observed: (B, time, channels), False where missing.
        keep: Share of the tokens that the target sees, evenly spaced.
        cost: Counts the forward: ``keep`` times that of the target.

    Returns:
        (B, 2 dim) float32: mean, then standard deviation, of the normalised target tokens.
    """
    index = spread(jepa.tokens, keep).expand(len(values), -1).to(jepa.device)
    seen = None if keep == 1 else index
    tokens = jepa.target(jepa.encoder, values.to(jepa.device), observed.to(jepa.device), seen)
    if cost is not None:
        cost.windows += len(values)
        cost.teacher(jepa, len(index), index.shape[1])
    return pool(jepa.target.normalise(tokens, seen))


@torch.no_grad()
def collect(
    jepa: JEPA,
    batch: Batch,
    needs: Collection[str],
    settings: ScoringSettings = AS_IN_TRAINING,
    aids: Aids | None = None,
    output: Output | None = None,
) -> Signals:
    """Run just the forwards that the needed signals require, without gradients.

    Args:
        jepa: The model.
        batch: B windows.
        needs: Names of fields of ``Signals``, for instance ``SCORES["progress"].needs``. Latents
            and losses under the first mask always come along. What no forward can give (density,
            probe losses) stays None: ``dataclasses.replace`` puts it in.
        settings: Masks and weights.
        aids: The slow student, heads or reference that some signals need; counts the cost.
        output: The training forward of this very batch; its signals are then taken over and cost
            nothing, and the others are measured under its masks and target.

    Raises:
        ValueError: If a signal is asked for that there is none of, or that needs an aid that is
            not there.
    """
    known = {part.name for part in fields(Signals)}
    if unknown := sorted(set(needs) - known):
        raise ValueError(f"needs names no signal: {unknown}; known: {sorted(known)}")
    aids = aids or Aids()
    aids.cost.windows += len(batch.values)
    scorer = Scorer(jepa, batch, settings, aids)
    if output is None:
        output = scorer.forward(jepa, scorer.mask(0))
    signals = of_output(output, scorer.weigh(output.prediction, output.grounding))
    return replace(signals, **{n: of(scorer, output) for n, of in MEASURED.items() if n in needs})
