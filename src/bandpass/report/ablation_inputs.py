"""What the page of an ablation is drawn from: plain values, and the table in the form it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bandpass.evaluation.paired import HALF, Comparison

CONTROLS = {"random-init": "untrained", "hand-made": "no model"}
"""Arms that are shown beside the others and compared with none."""
BUDGETS = {
    "flops": "equal counted FLOPs",
    "time": "equal reference time",
    HALF: "half of the counted FLOPs",
}
FULL = ("flops", "time")
SLOTS = "slots"


class Metric(Protocol):
    """One measured number of a run."""

    @property
    def task(self) -> str:
        """What was asked."""
        ...

    @property
    def metric(self) -> str:
        """What of the answer."""
        ...


class Benchmark(Protocol):
    """What is read of a declared benchmark; see ``bandpass.bench`` for the whole."""

    @property
    def name(self) -> str:
        """As in the column ``benchmark`` of the table."""
        ...

    @property
    def version(self) -> int:
        """Rows of another version are left out."""
        ...

    @property
    def title(self) -> str:
        """One line."""
        ...

    @property
    def rare(self) -> Metric:
        """More is better."""
        ...

    @property
    def normal(self) -> Metric:
        """More is better; may fall by ``margin``."""
        ...

    @property
    def corrupt(self) -> Metric:
        """Less is better."""
        ...

    @property
    def margin(self) -> float:
        """What ``normal`` may lose before retention counts as lost."""
        ...

    @property
    def screen(self) -> Sequence[int]:
        """Seeds that samplers were chosen by."""
        ...

    @property
    def seeds(self) -> Sequence[int]:
        """Seeds that count."""
        ...


class Price(Protocol):
    """What a step of an arm costs, and what it costs before its first step."""

    @property
    def flops(self) -> float:
        """Counted, a step."""
        ...

    @property
    def seconds(self) -> float:
        """Of the reference machine, a step."""
        ...

    @property
    def start_flops(self) -> float:
        """Counted, once."""
        ...

    @property
    def start_seconds(self) -> float:
        """Of the reference machine, once."""
        ...


@dataclass(frozen=True)
class Told:
    """The verdict on one benchmark.

    Attributes:
        sentences: Whether it can judge, whether the curriculum helps, and what it hurt.
        judging: Budgets at which the oracle beats uniform by more than the A/A spread.
        comparisons: Of arms with uniform and with shuffled scores.
    """

    sentences: Sequence[str]
    judging: Sequence[str]
    comparisons: Sequence[Comparison] = ()


@dataclass(frozen=True)
class Failed:
    """A run that came to no result.

    Attributes:
        benchmark: Its name.
        arm: Its name.
        seed: Of the run.
        steps: It was to take.
        why: In words.
    """

    benchmark: str
    arm: str
    seed: int
    steps: int
    why: str


@dataclass(frozen=True)
class About:
    """Where the table comes from.

    Attributes:
        commit: Of the code; empty if unknown.
        machine: In words; empty if unknown.
        failed: Runs that left no row.
    """

    commit: str = ""
    machine: str = ""
    failed: Sequence[Failed] = ()
