"""How far a window lies from recent ones in the teacher's space: a score without the student."""

from typing import Any

import torch
from torch import Tensor

RECENT, NEIGHBOUR = 1024, 5


class Novelty:
    """Log distance of embeddings to their fifth nearest among the last 1024 that were seen.

    The first embeddings of a run have nobody to be compared with: they score NaN.
    """

    def __init__(self) -> None:
        self._recent: Tensor = torch.empty(0)

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Return (B,) scores of (B, E) embeddings, then remember them; float64, on the CPU."""
        if len(self._recent) >= NEIGHBOUR:
            distance = torch.cdist(embeddings, self._recent.to(embeddings))
            nearest = distance.topk(NEIGHBOUR, dim=1, largest=False).values
            scores = nearest[:, -1].log().double().cpu()
        else:
            scores = torch.full((len(embeddings),), torch.nan, dtype=torch.float64)
        usable = embeddings[embeddings.isfinite().all(dim=1)]
        known = self._recent.to(embeddings).reshape(-1, embeddings.shape[1])
        self._recent = torch.cat([known, usable])[-RECENT:]
        return scores

    def __len__(self) -> int:
        """Embeddings that are remembered, and that others are compared with."""
        return len(self._recent)

    def state_dict(self) -> dict[str, Any]:
        """The embeddings that are remembered."""
        return {"recent": self._recent.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the saved embeddings."""
        self._recent = state["recent"]
