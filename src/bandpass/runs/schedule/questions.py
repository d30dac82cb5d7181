"""What a frozen schedule encoder is asked; what carries the answer is zeroed in its input."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bandpass.data.schedule.store import ACTOR_DAY
from bandpass.data.schedule.tokens import CODE, DEADLINE, FEATURES, SLOTS
from bandpass.runs.schedule.sample import HOUR, Sample, hours

METRICS = {"binary": "auroc", "regression": "r2", "classes": "accuracy", "retrieval": "mrr"}
_POSITIONS = ("slot_position", "day_position")
_SOURCE = ("source_confidence",)
"""It names the source, and a source may be the answer already."""

_NOON = SLOTS // 2
_WORK = slice(36, 72)
"""Slots from 9 to 18 o'clock."""

_MONDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Probe:
    """One question.

    Attributes:
        asks: It in words.
        kind: How it is answered, one of ``METRICS``.
        labels: ``labels(sample)``: (n,) float64, NaN for windows that are not asked.
        population: Whose windows are asked, one of ``sample.POPULATIONS``.
        hides: Features that are zeroed.
        until: Slot from which on everything but the positions is zeroed.
    """

    asks: str
    kind: str
    labels: Callable[[Sample], np.ndarray]
    population: str = "days"
    hides: tuple[str, ...] = ()
    until: int = SLOTS

    @property
    def metric(self) -> str:
        """How the answers are scored; higher is better."""
        return METRICS[self.kind]

    @property
    def view(self) -> tuple[tuple[str, ...], int]:
        """What of a window is to be seen; equal views have equal embeddings."""
        return self.hides, self.until

    def show(self, values: np.ndarray) -> np.ndarray:
        """(n, 96, 16) windows without what carries the answer."""
        seen = values.copy()
        seen[:, :, [FEATURES.index(name) for name in self.hides]] = 0
        seen[:, self.until :, len(_POSITIONS) :] = 0
        return seen


def _weekend(sample: Sample) -> np.ndarray:
    return ((sample.about["day"].astype(np.int64) + _MONDAY) % 7 >= 5).astype(np.float64)


def _hour(sample: Sample) -> np.ndarray:
    return hours(sample.active)


def _first_hour(sample: Sample) -> np.ndarray:
    return _timed(sample, sample.active.argmax(axis=1) / HOUR)


def _last_hour(sample: Sample) -> np.ndarray:
    return _timed(sample, (SLOTS - sample.active[:, ::-1].argmax(axis=1)) / HOUR)


def _free_run(sample: Sample) -> np.ndarray:
    free = ~sample.active[:, _WORK]
    longest, current = np.zeros((2, len(sample)))
    for slot in free.T:
        current = np.where(slot, current + 1, 0)
        longest = np.maximum(longest, current)
    return _timed(sample, longest / HOUR)


def _stretches(sample: Sample) -> np.ndarray:
    begins = sample.active[:, 1:] & ~sample.active[:, :-1]
    return _timed(sample, np.log1p(begins.sum(axis=1) + sample.active[:, 0]))


def _timed(sample: Sample, answer: np.ndarray) -> np.ndarray:
    """NaN for windows that are active all day: they have no shape to ask about."""
    return np.where(sample.active.all(axis=1), np.nan, answer)


def _deadline(sample: Sample) -> np.ndarray:
    return (sample.about["what"] & DEADLINE > 0).astype(np.float64)


def _code(sample: Sample) -> np.ndarray:
    return (sample.about["what"] & CODE > 0).astype(np.float64)


def _completed(sample: Sample) -> np.ndarray:
    done = sample.values[:, :, FEATURES.index("completion")] > 0
    return np.any(done, axis=1).astype(np.float64)


def _afternoon(sample: Sample) -> np.ndarray:
    return _timed(sample, np.log1p(sample.active[:, _NOON:].sum(axis=1)))


def _tomorrow_load(sample: Sample) -> np.ndarray:
    return np.log1p(sample.tomorrow[0])


def _tomorrow_hour(sample: Sample) -> np.ndarray:
    return sample.tomorrow[1]


def _actor(sample: Sample) -> np.ndarray:
    _, actor, count = np.unique(sample.about["actor"], return_inverse=True, return_counts=True)
    return np.where(count[actor] > 1, actor.astype(np.float64), np.nan)


def _kind(sample: Sample) -> np.ndarray:
    return (sample.about["kind"] == ACTOR_DAY).astype(np.float64)


def _source(sample: Sample) -> np.ndarray:
    return sample.about["dataset"].astype(np.float64)


PROBES: dict[str, Probe] = {
    "weekend": Probe("Is it Saturday or Sunday?", "binary", _weekend),
    "hour": Probe("Around which hour is the activity?", "regression", _hour, hides=_POSITIONS),
    "first hour": Probe(
        "When does the activity begin?", "regression", _first_hour, hides=_POSITIONS
    ),
    "last hour": Probe("When does it end?", "regression", _last_hour, hides=_POSITIONS),
    "free run": Probe(
        "How long is the longest free stretch from 9 to 18?",
        "regression",
        _free_run,
        hides=_POSITIONS,
    ),
    "stretches": Probe(
        "In how many stretches does the activity come?", "regression", _stretches, hides=_POSITIONS
    ),
    "deadline": Probe(
        "Has something a deadline?", "binary", _deadline, hides=("deadline", *_SOURCE)
    ),
    "completed": Probe(
        "Is something completed?", "binary", _completed, hides=("completion", *_SOURCE)
    ),
    "code activity": Probe(
        "Does it touch code?", "binary", _code, hides=("code_activity", *_SOURCE)
    ),
    "afternoon load": Probe(
        "How many slots are active after noon, seen until noon?",
        "regression",
        _afternoon,
        hides=("duration",),  # of what reaches past noon
        until=_NOON,
    ),
    "next-day load": Probe("How many events has the day after?", "regression", _tomorrow_load),
    "next-day hour": Probe("Around which hour is the day after?", "regression", _tomorrow_hour),
    "same actor": Probe("Which other days are of the same actor?", "retrieval", _actor),
    "window kind": Probe("One record, or the day of an actor?", "binary", _kind, "all"),
    "source": Probe(
        "From which source is it?", "classes", _source, "all", hides=("source_confidence",)
    ),
    "record hour": Probe(
        "Around which hour is the record?", "regression", _hour, "records", hides=_POSITIONS
    ),
}
