"""What a model gets to see of a few windows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Ids = Sequence[int] | np.ndarray
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Windows on their way into a model; what is known about them is left out on purpose.

    Attributes:
        values: (B, T, C) float32, normalised, 0 where nothing was observed.
        observed: (B, T, C) bool.
        draw: The very sequence of ids that was asked for, with whatever it carries.
        part: Which part of a mixed corpus they are of; 0 of any other.
        context: What beside the window its target needs, (B, questions, 2, text) float32; None
            unless the corpus was given `captions`.
    """

    values: Tensor
    observed: Tensor
    draw: Ids
    part: int = 0
    context: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """Copy the tensors to a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Pin the tensors; called by a DataLoader with ``pin_memory=True``."""
        return self._each(Tensor.pin_memory)

    def chosen(self, places: Tensor, draw: Ids) -> "Batch":
        """Keep the windows at some places, under the ids ``draw``."""
        return replace(self._each(lambda tensor: tensor[places]), draw=draw)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        context = None if self.context is None else change(self.context)
        values, observed = change(self.values), change(self.observed)
        return replace(self, values=values, observed=observed, context=context)


def as_is(batch: T) -> T:
    """Collate function for a DataLoader: batches come whole out of `Windows`."""
    return batch
