"""The loss on held-out windows while a run trains; it has no part in the training."""

import numpy as np
import torch

from bandpass.data import Corpus
from bandpass.models import AnyJEPA
from bandpass.scoring.frozen import batches
from bandpass.training.passes import forward, window_losses
from bandpass.training.settings import TrainSettings

MOST = 512
"""Held-out windows at most."""

_BATCH = 64


class Validation:
    """The same held-out windows under the same masks, whenever it is asked.

    Windows and masks are functions of the seed alone and no other generator is touched, so that
    a run is the same with it and without, and resuming needs nothing of it.

    Args:
        windows: The held-out windows.
        settings: Of the run.
    """

    def __init__(self, windows: Corpus, settings: TrainSettings) -> None:
        self.windows, self.settings = windows, settings
        generator = np.random.default_rng([settings.seed, len(windows)])
        count = min(len(windows), MOST)
        self.ids = np.sort(generator.choice(len(windows), count, replace=False))

    @torch.no_grad()
    def __call__(self, jepa: AnyJEPA, step: int) -> float:
        """Mean loss of the windows, with the weights that the terms of the loss have at ``step``.

        Masks are those of steps after the budget: training never draws them.
        """
        total = 0.0
        for number, batch in enumerate(batches(self.windows, self.ids, _BATCH)):
            place = self.settings.steps + number
            output = forward(jepa.members[batch.part], batch, self.settings, place)
            total += float(window_losses(output, self.settings, step).sum())
        return total / len(self.ids)
