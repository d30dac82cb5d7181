"""What a step of training costs in floating-point operations, before it is run."""

import math

from bandpass.models import JEPA, MASKS
from bandpass.scoring.flops import Shape, train_step
from bandpass.scoring.operations import Flops
from bandpass.training.passes import step_generator
from bandpass.training.settings import TrainSettings

TYPICAL = 16
"""Steps whose masks are drawn for the mean: blocks do not always hide as many tokens."""


def step_flops(jepa: JEPA, settings: TrainSettings, asked: int = 0) -> Flops:
    """Operations of one step, the mean over the masks of the first 16 or a few more.

    Scoring is not in it: `Feed.spent` counts that as it happens.

    Args:
        jepa: The model.
        settings: Batch, masks, regulariser and what is grounded.
        asked: Questions about each window, of a `TextJEPA`.
    """
    kinds = len(settings.masks)
    steps = kinds * math.ceil(TYPICAL / kinds)
    total = Flops()
    for step in range(steps):
        mask = MASKS[settings.masks[step % kinds]](
            settings.batch, jepa.grid, settings.mask_ratio, step_generator(settings, step)
        )
        windows, visible = mask.context.shape
        shape = Shape(windows, visible, mask.target.shape[1], asked)
        total += train_step(
            jepa, shape, regulariser=settings.regulariser, grounded=settings.grounded
        )
    return total * (1 / steps)
