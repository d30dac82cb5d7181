"""What is remembered of every window: its score, its visits, when it was last touched."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Memory:
    """Remembered scores (in bins of the histogram's axis): 12 bytes a window.

    Args:
        n: Number of windows.
    """

    def __init__(self, n: int) -> None:
        self.score = np.full(n, np.nan, dtype=np.float32)
        self.visits = np.zeros(n, dtype=np.int32)
        self._touched = np.zeros(n, dtype=np.int32)

    def visit(self, ids: Ints, scores: Floats, step: int) -> Floats:
        """Take a new score of each of the (distinct) ids; returns what is remembered now.

        The first score is taken as it is, later ones are averaged half and half with the
        memory: a single mask's loss is noisy.
        """
        first = self.visits[ids] == 0
        self.score[ids] = np.where(first, scores, (self.score[ids] + scores) / 2)
        self.visits[ids] += 1
        self._touched[ids] = step
        return self.score[ids].astype(np.float64)

    def fade(self, ids: Ints, toward: Floats, step: int, tau: float) -> Floats:
        """Pull scores toward typical ones, by 1 - exp(-age / tau); returns what is left.

        Age counts from the last visit or pull, so pulls add up to the same decay however
        often they come.
        """
        keep = np.exp((self._touched[ids] - step) / tau)
        self.score[ids] = keep * self.score[ids] + (1 - keep) * toward
        self._touched[ids] = step
        return self.score[ids].astype(np.float64)

    def state_dict(self) -> dict[str, Any]:
        """The three columns."""
        return {
            "score": torch.tensor(self.score),
            "visits": torch.tensor(self.visits),
            "touched": torch.tensor(self._touched),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved columns."""
        self.score = state["score"].numpy().copy()
        self.visits = state["visits"].numpy().copy()
        self._touched = state["touched"].numpy().copy()
