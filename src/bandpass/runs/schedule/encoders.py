"""Encoders that probes are asked of, and the controls that stand beside them."""

from collections.abc import Callable

import torch
from torch import Tensor

from bandpass.models import JEPA
from bandpass.scoring.frozen import POOLINGS

Encode = Callable[[Tensor], Tensor]
"""(B, 96, 16) windows to (B, d) vectors, on the CPU."""


def raw(values: Tensor) -> Tensor:
    """Mean, standard deviation and maximum of each feature over the slots: (B, 48)."""
    return torch.cat([values.mean(dim=1), values.std(dim=1), values.amax(dim=1)], dim=1)


def raw_hourly(values: Tensor) -> Tensor:
    """`raw`, and the sum of each feature but the positions over every hour: (B, 48 + 336)."""
    hours = values[:, :, 2:].unflatten(1, (24, -1)).sum(dim=2)
    return torch.cat([raw(values), hours.flatten(1)], dim=1)


def frozen(jepa: JEPA, pooling: str) -> Encode:
    """The encoder of a JEPA with its tokens pooled."""

    def encode(values: Tensor) -> Tensor:
        seen = values.to(jepa.device)
        tokens = jepa.embed(seen, torch.ones_like(seen, dtype=torch.bool))
        return POOLINGS[pooling](tokens.float()).cpu()

    return encode
