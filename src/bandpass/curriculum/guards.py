"""Guards: what the band must not cost, watched on fixed windows and acted upon.

A reading of the representation is compared with one taken when warm-up ended, when the draws had
been uniform. What has moved too far weakens the band step by step and is forgiven in the same
steps; a loss of normal retention switches the band off for the rest of the run. Only what is given
is judged: NaN is "not measured", never a breach.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class GuardSettings:
    """How far each reading may move from its baseline, and what follows; checked when set.

    Attributes:
        rank: Least share of the baseline's effective rank that must remain, in (0, 1).
        isotropy: The same of every regime's isotropy.
        coverage: The same of the coverage of the tail slice.
        tail: The same of the average precision of the tail-slice probe.
        retention: Greatest rise of the unexplained variance of normal windows, over 0.
        similarity: Greatest rise of the autocorrelation of positive pairs, over 0.
        collapse: Greatest rise of a collapse term over samples or time, over 0.
        scale: Greatest rise of ``|log std|``, over 0.
        calm: A reading is healthy again once it has moved at most this share of what it may,
            in (0, 1); between that and its limit nothing changes, so the band does not flap.
        patience: Healthy readings in a row before the band is strengthened.
        down: Factor on lambda at a breach, in (0, 1); its inverse at each recovery.
        least: A factor below this is 0, in (0, 1).
    """

    rank: float = 0.6
    isotropy: float = 0.5
    coverage: float = 0.5
    tail: float = 0.7
    retention: float = 0.1
    similarity: float = 0.2
    collapse: float = 0.25
    scale: float = 0.7
    calm: float = 0.7
    patience: int = 2
    down: float = 0.5
    least: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        shares = ("rank", "isotropy", "coverage", "tail", "calm", "down", "least")
        for name in shares:
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be in (0, 1), got {getattr(self, name)}")
        for name in ("retention", "similarity", "collapse", "scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be over 0, got {getattr(self, name)}")
        if self.patience < 1:
            raise ValueError(f"patience must be at least 1, got {self.patience}")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The representation of the watched windows at one moment; NaN where not measured.

    Attributes:
        rank: Effective rank of the covariance of the embeddings (Roy & Vetterli 2007).
        isotropy: By regime, tr(C)^2 / (d tr(C^2)).
        coverage: Share of the tail slice that recent draws came near to (arXiv 2002.09797, 4).
        similarity: Cosine of a window with its successor, over that with a random one.
        position: Collapse over samples, 0 healthy, 1 all alike.
        sample: Collapse over time.
        scale: ``|log std|`` of the tokens.
        retention: Share of the variance of normal windows that a linear readout misses.
        tail: Average precision of a probe for the tail slice.
        losses: By bucket, mean log-loss; judged by `Balance`, not here.
    """

    rank: float = NAN
    isotropy: dict[int, float] = field(default_factory=dict)
    coverage: float = NAN
    similarity: float = NAN
    position: float = NAN
    sample: float = NAN
    scale: float = NAN
    retention: float = NAN
    tail: float = NAN
    losses: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What the guards want.

    Attributes:
        factor: On lambda, in [0, 1]; 0 is off.
        reasons: A line for every breach in this reading, with its figures.
        off: Whether the band is off for good.
    """

    factor: float
    reasons: tuple[str, ...]
    off: bool


class Guards:
    """Compares readings with the baseline and says how strong the band may be.

    Args:
        settings: Limits and steps.
    """

    def __init__(self, settings: GuardSettings = GuardSettings()) -> None:
        self.settings = settings
        self.baseline: Reading | None = None
        self.factor = 1.0
        self.off = False
        self._healthy = 0

    def judge(self, reading: Reading) -> Decision:
        """Take a reading in; the first one becomes the baseline.

        Returns:
            The decision. Every breach halves the factor once, however many there are at a time;
            `patience` readings in a row without any, and none near its limit, double it.
        """
        if self.baseline is None:
            self.baseline = reading
        moved = list(moves(self.baseline, reading, self.settings))
        breaches = [move for move in moved if move.share > 1]
        self.off |= any(move.final for move in breaches)
        if self.off:
            self.factor = 0.0
        elif breaches:
            self._healthy = 0
            weaker = self.factor * self.settings.down
            self.factor = weaker if weaker >= self.settings.least else 0.0
        elif all(move.share <= self.settings.calm for move in moved):
            self._recover()
        else:
            self._healthy = 0
        return Decision(self.factor, tuple(move.reason for move in breaches), self.off)

    def _recover(self) -> None:
        self._healthy += 1
        if self.factor < 1 and self._healthy >= self.settings.patience:
            self._healthy = 0
            stronger = max(self.factor, self.settings.least) / self.settings.down
            self.factor = min(stronger, 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Baseline, factor and counters as plain values."""
        baseline = None if self.baseline is None else dataclasses.asdict(self.baseline)
        return {
            "baseline": baseline,
            "factor": self.factor,
            "off": self.off,
            "healthy": self._healthy,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved guards stood."""
        self.baseline = None if state["baseline"] is None else Reading(**state["baseline"])
        self.factor, self.off = state["factor"], state["off"]
        self._healthy = state["healthy"]


@dataclass(frozen=True)
class Move:
    """How far one measure has moved: 0 not at all or for the better, over 1 beyond its limit."""

    share: float
    reason: str
    final: bool = False


def moves(baseline: Reading, now: Reading, settings: GuardSettings) -> Iterator[Move]:
    """Compare every measure that both readings have.

    Args:
        baseline: The reading at the end of warm-up.
        now: The one to judge.
        settings: The limits.
    """
    falls = [
        ("effective rank", baseline.rank, now.rank, settings.rank),
        ("coverage of the tail slice", baseline.coverage, now.coverage, settings.coverage),
        ("tail-slice probe AP", baseline.tail, now.tail, settings.tail),
    ]
    falls += [
        (f"isotropy of regime {regime}", before, now.isotropy.get(regime, NAN), settings.isotropy)
        for regime, before in baseline.isotropy.items()
    ]
    for name, before, after, least in falls:
        if np.isfinite([before, after]).all() and before > 0:
            text = f"{name} fell from {before:.3g} to {after:.3g} (limit {least * before:.3g})"
            yield Move(max(1 - after / before, 0) / (1 - least), text)
    rises = [
        ("positive-pair similarity", baseline.similarity, now.similarity, settings.similarity),
        ("collapse over samples", baseline.position, now.position, settings.collapse),
        ("collapse over time", baseline.sample, now.sample, settings.collapse),
        ("collapse in scale", baseline.scale, now.scale, settings.scale),
        ("normal retention loss", baseline.retention, now.retention, settings.retention),
    ]
    for name, before, after, most in rises:
        if np.isfinite([before, after]).all():
            text = f"{name} rose from {before:.3g} to {after:.3g} (limit {before + most:.3g})"
            yield Move(max(after - before, 0) / most, text, final=name == "normal retention loss")
