"""What a prototype's windows scored: the score of those that have none of their own."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST = 32  # observations that a running mean looks back on
PRIOR = 2.0  # observations that the bucket's typical score counts for


class Prototypes:
    """Running mean of the scores (in bins) of each prototype's windows.

    A prototype is a cluster of windows that looked alike before any model saw them. Where a window
    is hardly ever drawn twice, what is learned about one must serve its likes.

    Args:
        count: Number of prototypes.
    """

    def __init__(self, count: int) -> None:
        self._seen: Ints = np.zeros(count, np.int64)
        self._mean: Floats = np.zeros(count)

    def add(self, prototypes: Ints, bins: Floats, weights: Floats) -> None:
        """Count observations (all (B,)): those of a batch enter as their weighted mean.

        Args:
            prototypes: Of each observed window.
            bins: Its score.
            weights: Windows of the population that it stands for.
        """
        kinds, slot = np.unique(prototypes, return_inverse=True)
        fresh = np.bincount(slot)
        means = np.bincount(slot, weights=bins * weights) / np.bincount(slot, weights=weights)
        self._seen[kinds] += fresh
        share = np.minimum(1.0, fresh / np.minimum(self._seen[kinds], LONGEST))
        self._mean[kinds] += share * (means - self._mean[kinds])

    def positions(self, typical: Floats) -> Floats:
        """(prototypes,) scores in bins, drawn toward the typical one while observations are few.

        Args:
            typical: (prototypes,) typical score of each one's bucket.
        """
        weight = np.minimum(self._seen, LONGEST)
        return (weight * self._mean + PRIOR * typical) / (weight + PRIOR)

    def state_dict(self) -> dict[str, Any]:
        """Counts and means."""
        return {"seen": torch.tensor(self._seen), "mean": torch.tensor(self._mean)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved counts and means."""
        self._seen = state["seen"].numpy().copy()
        self._mean = state["mean"].numpy().copy()
