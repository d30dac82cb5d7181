"""Forward passes under the settings of a run: masks, precision, and the loss of each window."""

import torch
from torch import Generator, Tensor

from bandpass.data import Batch
from bandpass.models import JEPA, MASKS, Mask, Output
from bandpass.scoring.collect import ScoringSettings
from bandpass.training.lr_schedule import linear
from bandpass.training.settings import TrainSettings


def forward(
    jepa: JEPA,
    batch: Batch,
    settings: TrainSettings,
    step: int,
    tokens: Tensor | None = None,
) -> Output:
    """Run the model on a batch under the masks of a step.

    Args:
        jepa: The model.
        batch: B windows.
        settings: Masks and precision.
        step: With the seed it determines the masks.
        tokens: The target's view of the windows, if it is known already.
    """
    batch = batch.to(jepa.device)
    strategy = MASKS[settings.masks[step % len(settings.masks)]]
    generator = step_generator(settings, step)
    mask = strategy(len(batch.values), jepa.grid, settings.mask_ratio, generator).to(jepa.device)
    with autocast(jepa, settings):
        return jepa(batch.values, batch.observed, mask, tokens=tokens, context=batch.context)


def window_losses(output: Output, settings: TrainSettings, step: int) -> Tensor:
    """(B,) what is minimised for each window: latent error and raw readout, as weighted now."""
    losses = settings.prediction * output.prediction
    if settings.grounded:
        fraction = step / settings.steps
        weight = linear(fraction, start=settings.grounding, end=settings.final_grounding)
        losses = losses + weight * output.grounding
    return losses


def shared_mask(jepa: JEPA, windows: int, settings: TrainSettings, step: int) -> Mask:
    """One mask for all windows, so that none scores low for an easy one."""
    strategy = MASKS[settings.masks[step % len(settings.masks)]]
    mask = strategy(1, jepa.grid, settings.mask_ratio, step_generator(settings, step))
    shared = Mask(mask.context.expand(windows, -1), mask.target.expand(windows, -1))
    return shared.to(jepa.device)


def scoring(settings: TrainSettings) -> ScoringSettings:
    """Score as one trains."""
    return ScoringSettings(
        mask=settings.masks[0],
        mask_ratio=settings.mask_ratio,
        prediction=settings.prediction,
        grounding=settings.grounding,
        seed=settings.seed,
    )


def step_generator(settings: TrainSettings, step: int) -> Generator:
    """Return the generator of one step, a function of the seed and the step alone."""
    return Generator().manual_seed(settings.seed * 1_000_003 + step)


def autocast(jepa: JEPA, settings: TrainSettings) -> torch.autocast:
    """Context of the precision that is asked for."""
    kind = jepa.device.type
    return torch.autocast(kind, torch.bfloat16, enabled=settings.precision == "bf16")
