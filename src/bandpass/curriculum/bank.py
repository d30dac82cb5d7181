"""A bank of surprising windows' embeddings: how alone is a window among them?"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandpass.curriculum.draws import philox

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

STREAM = 2**63
"""Added to the seed: sets the bank's random stream apart from that of the draws."""

RENEW = 4
"""Whitening is renewed when 1 / RENEW of the entries have changed: it moves slowly and costs ms."""

ENOUGH = 8
"""Entries per dimension, at least: whitening by a covariance of fewer is noise."""

SHRINK = 0.01
"""Share of the mean variance that is added to every direction before whitening."""


class Bank:
    """A bounded sample of embeddings that forgets, and nearest-neighbour distances in it.

    Admission is a biased reservoir (Aggarwal, "On Biased Reservoir Sampling in the Presence of
    Stream Evolution", VLDB 2006, section 3): once full, every newcomer takes the place of a random
    entry. An entry survives `a` newcomers with probability (1 - 1 / size)^a, so entries are `size`
    admissions old on average and what a teacher saw before it moved on fades out. A window that
    comes again replaces its own entry.

    Distances are taken after whitening by the bank's own covariance (Mahalanobis 1936): what a
    fault does to an embedding lies mostly in directions in which genuine windows hardly differ.

    Who gives way is a pure function of (seed, admissions so far).

    Attributes:
        flops: Floating-point operations so far: 2 for each multiply-add of whitening, distances and
            covariances, 3 for each distance that is looked through; the rest is small.

    Args:
        size: Entries at most; memory is 8 bytes x size x dimensions.
        k: Isolation is the distance to the k-th nearest entry. A state needs k windows like it in
            the bank to be vouched for: 1 lets a fault pass that happened twice, many want a rare
            state to be common.
        reach: Entries whose id differs by at most this much do not count: windows are numbered
            along their series, and overlapping windows of one fault would vouch for each other.
        seed: Of the replacements, in [0, 2**63).
    """

    def __init__(self, size: int, k: int, reach: int, seed: int) -> None:
        self.size, self.k, self.reach, self.seed = size, k, reach, seed
        self.flops = 0.0
        self._admissions = 0
        self._changed = 0  # entries since the last whitening
        self._ids: Ints = np.zeros(0, dtype=np.int64)
        self._entries: Singles = np.zeros((0, 0), dtype=np.float32)
        self._whitening: Singles = np.zeros((0, 0), dtype=np.float32)  # the mean in the last row
        self._white: Singles = np.zeros((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        """Entries held."""
        return len(self._ids)

    def isolation(self, ids: Ints, embeddings: Singles) -> Floats:
        """Log distance to the k-th nearest entry that counts.

        Args:
            ids: (B,).
            embeddings: (B, E) float32.

        Returns:
            float64 (B,), NaN where fewer than k entries count, where the embedding is not finite,
            and for all while there are fewer than ENOUGH entries per dimension.
        """
        out = np.full(len(ids), np.nan)
        usable = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
        if len(self) < max(ENOUGH * embeddings.shape[1], self.k):
            return out
        white = self._whiten(embeddings[usable])
        # |x|^2 is the same for all entries: added after the search, to B numbers only.
        distance = self._square - 2 * white @ self._white.T
        self.flops += distance.size * (2 * embeddings.shape[1] + 3)
        distance[np.abs(ids[usable, None] - self._ids) <= self.reach] = np.inf
        nearest = np.partition(distance, self.k - 1, axis=1)[:, self.k - 1].astype(np.float64)
        squared = nearest + (white.astype(np.float64) ** 2).sum(axis=1)
        least = np.finfo(np.float32).eps  # of an exact copy; rounding may even leave less than 0
        found = np.log(np.maximum(squared, least)) / 2
        out[usable] = np.where(np.isfinite(squared), found, np.nan)
        return out

    def admit(self, ids: Ints, embeddings: Singles) -> None:
        """Take in distinct windows: those with a finite embedding, `size` of them at most.

        Args:
            ids: (B,), distinct.
            embeddings: (B, E) float32.
        """
        if self.size < ENOUGH * embeddings.shape[1]:
            raise ValueError(
                f"a bank of {self.size} is too small to whiten {embeddings.shape[1]} dimensions "
                f"by: give it a size of at least {ENOUGH * embeddings.shape[1]}"
            )
        usable = np.flatnonzero(np.isfinite(embeddings).all(axis=1))[: self.size]
        ids, embeddings = ids[usable], embeddings[usable]
        if not len(ids):
            return
        places = self._places(ids)
        grown = max(int(places.max()) + 1, len(self))
        if grown > len(self):
            self._grow(grown, embeddings.shape[1])
        self._ids[places], self._entries[places] = ids, embeddings
        self._admissions += 1
        self._changed += len(ids)
        if self._changed * RENEW >= len(self):
            self._renew()
        else:
            self._white[places] = self._whiten(embeddings)
            self._square[places] = (self._white[places] ** 2).sum(axis=1)

    def state_dict(self) -> dict[str, Any]:
        """Entries as tensors, and the counters."""
        return {
            "flops": self.flops,
            "admissions": self._admissions,
            "changed": self._changed,
            "ids": torch.tensor(self._ids),
            "entries": torch.tensor(self._entries),
            "whitening": torch.tensor(self._whitening),
            "white": torch.tensor(self._white),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state."""
        self.flops = state.get("flops", 0.0)  # states from before it was counted have none
        self._admissions, self._changed = state["admissions"], state["changed"]
        self._ids = state["ids"].numpy().copy()
        self._entries = state["entries"].numpy().copy()
        self._whitening = state["whitening"].numpy().copy()
        self._white = state["white"].numpy().copy()
        self._square: Singles = (self._white**2).sum(axis=1)

    def _places(self, ids: Ints) -> Ints:
        """Where each goes: its own old place, a free one, or that of a random entry."""
        order = np.argsort(self._ids)
        at = np.minimum(np.searchsorted(self._ids, ids, sorter=order), max(len(self) - 1, 0))
        own = order[at] if len(self) else np.zeros(len(ids), dtype=np.int64)
        held = self._ids[own] == ids if len(self) else np.zeros(len(ids), dtype=bool)
        free = np.arange(len(self), min(len(self) + int((~held).sum()), self.size))
        # Places are drawn without replacement among those that no member of this batch holds.
        others = np.setdiff1d(np.arange(len(self)), own[held], assume_unique=True)
        random = philox(self.seed + STREAM, self._admissions)
        new = np.append(free, random.permutation(others))[: int((~held).sum())]
        places = own.copy()
        places[~held] = new
        return places

    def _grow(self, entries: int, width: int) -> None:
        """Make room; the whitening of new entries follows when they are written."""
        more = entries - len(self)
        blank = np.zeros((more, width), dtype=np.float32)
        self._ids = np.append(self._ids, np.full(more, -1, dtype=np.int64))
        self._entries = np.concatenate([self._entries.reshape(-1, width), blank])
        self._white = np.concatenate([self._white.reshape(-1, width), blank])
        self._square = (self._white**2).sum(axis=1)

    def _whiten(self, embeddings: Singles) -> Singles:
        self.flops += 2 * embeddings.size * embeddings.shape[1]
        return (embeddings - self._whitening[-1]) @ self._whitening[:-1]

    def _renew(self) -> None:
        """Whiten by the covariance of the entries as they are now."""
        mean = self._entries.mean(axis=0)
        centred = self._entries - mean
        covariance = (centred.T @ centred).astype(np.float64) / len(self)
        # The root takes a third of a product of such matrices, its inverse about a whole one.
        self.flops += 2 * (len(self) + 4 / 3 * len(covariance)) * len(covariance) ** 2
        ridge = SHRINK * np.trace(covariance) / len(covariance)
        ridge = max(ridge, float(np.finfo(np.float32).tiny))
        root = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
        self._whitening = np.vstack([np.linalg.inv(root).T, mean]).astype(np.float32)
        self._white = self._whiten(self._entries)
        self._square = (self._white**2).sum(axis=1)
        self._changed = 0
