"""What a model gets to see of a few windows."""

from collections.abc import Sequence
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
    """

    values: Tensor
    observed: Tensor
    draw: Ids

    def to(self, device: torch.device | str) -> "Batch":
        """Copy the tensors to a device."""
        values = self.values.to(device, non_blocking=True)
        return replace(self, values=values, observed=self.observed.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Pin the tensors; called by a DataLoader with ``pin_memory=True``."""
        return replace(self, values=self.values.pin_memory(), observed=self.observed.pin_memory())


def as_is(batch: T) -> T:
    """Collate function for a DataLoader: batches come whole out of `Windows`."""
    return batch
