"""The gate: which of the most surprising windows are worth it, and which are merely broken."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bandpass.curriculum.bank import Bank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Array = NDArray[np.floating] | Tensor

SIGNALS = ("isolation", "variation", "progress")


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """Settings of `Gate`; `triage` has its own.

    Attributes:
        size: Entries of the bank.
        k: Isolation is the distance to the k-th nearest entry of the bank.
        reach: Windows whose ids differ by at most this much do not vouch for each other; twice
            the number of windows that overlap one suits, for a fault can straddle two.
        surprising: Surprise quantile above which windows are judged and admitted, in [0, 1).
        recent: Judged windows that a window's evidence is ranked among.
        signals: Which of `SIGNALS` are averaged (where they are known). Isolation alone by
            default: variation across masks had the wrong sign on every set that was measured
            (experiments/LOG.md) and progress said little beside isolation.
    """

    size: int = 2048
    k: int = 3
    reach: int = 8
    surprising: float = 0.8
    recent: int = 1024
    signals: tuple[str, ...] = ("isolation",)

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        wanted = {
            "k": (self.k >= 1, "at least 1"),
            "size": (self.size > self.k, f"over k = {self.k}"),
            "reach": (self.reach >= 0, "at least 0"),
            "surprising": (0 <= self.surprising < 1, "in [0, 1)"),
            "recent": (self.recent >= 1, "at least 1"),
            "signals": (set(self.signals) <= set(SIGNALS), f"of {SIGNALS}"),
        }
        for name, (holds, text) in wanted.items():
            if not holds:
                raise ValueError(f"{name} must be {text}, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What else is known of a batch's windows, each (B,), NaN where unknown, None if never.

    Attributes:
        progress: log loss of the slow weights minus log loss of the fast ones, on the same
            teacher target: above 0 where the model is learning.
        variation: Coefficient of variation of the loss across masks.
        faults: Suspicion of the input-side rules, in [0, 1].
    """

    progress: Array | None = None
    variation: Array | None = None
    faults: Array | None = None


@dataclass(frozen=True)
class Judgement:
    """What judging a batch gave, each float64 (B,).

    Attributes:
        suspicion: c in [0, 1], NaN where a window is not judged: not surprising enough, or
            nothing known of it yet.
        progress: As in the evidence where judged; NaN elsewhere and where unknown.
        isolation: log distance to the k-th nearest entry of the bank, NaN likewise.
    """

    suspicion: Floats
    progress: Floats
    isolation: Floats


class Gate:
    """Judges surprising windows by how alone they are and by what else is known of them.

    Every piece of evidence becomes a rank among the last `recent` judged windows (so scales,
    and their drift, do not matter). c is the mean rank of the chosen signals or the rank of the
    input rules, whichever is higher: each finds faults the other cannot see.

    A pure function of (seed, state): it draws nothing but the bank's replacements.

    Args:
        settings: See `GateSettings`.
        seed: Of the bank, in [0, 2**63).
    """

    def __init__(self, settings: GateSettings = GateSettings(), seed: int = 0) -> None:
        self.settings = settings
        self.bank = Bank(settings.size, settings.k, settings.reach, seed)
        self._recent = np.full((len(SIGNALS) + 1, settings.recent), np.nan)
        self._next = 0

    def judge(
        self,
        ids: Ints,
        embeddings: Array,
        u: Floats,
        evidence: Evidence = Evidence(),
    ) -> Judgement:
        """Judge the windows of a batch with u > `surprising`, then admit them to the bank.

        Args:
            ids: int64 (B,); a window that comes twice is judged and admitted once, by its first
                slot, and its other slots get the same result.
            embeddings: (B, E) float: [mean | std] over the teacher's tokens, say.
            u: (B,) surprise quantiles in [0, 1].
            evidence: What else is known.

        Raises:
            ValueError: A shape is wrong.
        """
        vectors = _numpy(embeddings).astype(np.float32)
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise ValueError(f"embeddings must have shape ({len(ids)}, E), got {vectors.shape}")
        names = (*SIGNALS[1:], "faults")
        known = {name: _column(name, getattr(evidence, name), ids) for name in names}
        suspicion, progress, isolation = np.full((3, len(ids)), np.nan)
        high = np.flatnonzero(u > self.settings.surprising)
        windows, first, slot = np.unique(ids[high], return_index=True, return_inverse=True)
        if len(windows):
            chosen = high[first]
            alone = self.bank.isolation(windows, vectors[chosen])
            rows = [alone, -known["variation"][chosen], -known["progress"][chosen]]
            suspicion[high] = self._suspicion(np.stack([*rows, known["faults"][chosen]]))[slot]
            progress[high] = known["progress"][chosen][slot]
            isolation[high] = alone[slot]
            self.bank.admit(windows, vectors[chosen])
        return Judgement(suspicion, progress, isolation)

    @property
    def flops(self) -> float:
        """Floating-point operations of the bank so far."""
        return self.bank.flops

    def state_dict(self) -> dict[str, Any]:
        """Bank and recent evidence: tensors and numbers."""
        recent = torch.tensor(self._recent)
        return {"bank": self.bank.state_dict(), "recent": recent, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state."""
        self.bank.load_state_dict(state["bank"])
        self._recent = state["recent"].numpy().copy()
        self._next = state["next"]

    def _suspicion(self, rows: Floats) -> Floats:
        """Rank (signals + faults, B) evidence among the recent, itself included; combine."""
        kept = rows[:, -self.settings.recent :]
        places = (self._next + np.arange(kept.shape[1])) % self.settings.recent
        self._recent[:, places] = kept
        self._next = int((self._next + kept.shape[1]) % self.settings.recent)
        ranks = np.stack([_ranks(row, past) for row, past in zip(rows, self._recent, strict=True)])
        use = [SIGNALS.index(name) for name in self.settings.signals]
        told = ~np.isnan(ranks[use])
        mean = np.where(told, ranks[use], 0).sum(axis=0) / np.maximum(told.sum(axis=0), 1)
        return np.fmax(np.where(told.any(axis=0), mean, np.nan), ranks[-1])


def _ranks(values: Floats, among: Floats) -> Floats:
    """Share of `among` below each value, ties half counted; NaN where the value is."""
    sorted_ = np.sort(among[~np.isnan(among)])
    if not len(sorted_):
        return np.full(len(values), np.nan)
    below = np.searchsorted(sorted_, values, "left") + np.searchsorted(sorted_, values, "right")
    return np.where(np.isnan(values), np.nan, below / (2 * len(sorted_)))


def _numpy(values: Array) -> NDArray[np.floating]:
    return values.detach().float().cpu().numpy() if isinstance(values, Tensor) else values


def _column(name: str, values: Array | None, ids: Ints) -> Floats:
    if values is None:
        return np.full(len(ids), np.nan)
    column = _numpy(values).astype(np.float64)
    if column.shape != (len(ids),):
        raise ValueError(f"{name} must have shape ({len(ids)},), got {column.shape}")
    return np.where(np.isfinite(column), column, np.nan)
