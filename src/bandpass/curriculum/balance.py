"""Shares of the buckets by how well each is still represented."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Balance:
    """Shares of the buckets, raised where the watched loss is worse than it once was.

    pi_k <- pi_k exp(eta * excess_k), then mixed with the natural shares, where excess_k is what
    the mean log-loss of bucket k is above its best by, less `delta` (curriculum notes, section 4;
    exponentiated gradient as in DoReMi, arXiv 2305.10429, algorithm 1). A drift that all buckets
    share, as a moving target gives, raises every excess alike and cancels.

    Args:
        population: (K,) windows in each bucket.
        eta: Step size.
        delta: Log-loss above the best that is not counted.
        mix: Share of the natural distribution after every step, in (0, 1]: with no excess the
            shares return to it at this rate.
        most: Multiples of the natural shares are kept within 1 / most .. most, then scaled so
            that the shares sum to 1.
    """

    def __init__(
        self,
        population: NDArray[np.integer],
        *,
        eta: float = 1.0,
        delta: float = 0.05,
        mix: float = 0.1,
        most: float = 4.0,
    ) -> None:
        if population.ndim != 1 or not (population >= 0).all() or population.sum() < 1:
            raise ValueError(f"population must be (K,) counts, got {population!r}")
        if not (eta >= 0 and delta >= 0 and 0 < mix <= 1 and most >= 1):
            raise ValueError(f"eta {eta}, delta {delta}, mix {mix} or most {most} is out of range")
        self._natural: Floats = population / population.sum()
        self._eta, self._delta, self._mix, self._most = eta, delta, mix, most
        self._best = np.full(len(population), np.inf)
        self._excess = np.zeros(len(population))
        self._multiple = np.ones(len(population))

    @property
    def excess(self) -> Floats:
        """float64 (K,): excess log-loss at the last update, 0 where never measured."""
        return self._excess.copy()

    def update(self, losses: dict[int, float]) -> Floats:
        """Take in mean log-losses by bucket.

        Args:
            losses: By bucket; buckets that are missing or not finite keep their excess.

        Returns:
            float64 (K,): what to multiply each bucket's share by, positive; the shares that
            result sum to 1 over the population.
        """
        for bucket, loss in losses.items():
            if np.isfinite(loss):
                self._best[bucket] = min(self._best[bucket], loss)
                self._excess[bucket] = max(loss - self._best[bucket] - self._delta, 0)
        raised = self._multiple * np.exp(self._eta * (self._excess - self._excess.max()))
        raised /= (self._natural * raised).sum()
        mixed = (1 - self._mix) * raised + self._mix
        kept = np.clip(mixed, 1 / self._most, self._most)
        self._multiple = kept / (self._natural * kept).sum()
        return self._multiple.copy()

    def state_dict(self) -> dict[str, Any]:
        """Best losses, excess and multiples."""
        names = ("best", "excess", "multiple")
        return {name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved balance stood."""
        for name in ("best", "excess", "multiple"):
            setattr(self, f"_{name}", state[name].numpy().copy())
