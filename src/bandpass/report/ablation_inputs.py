"""What the page of an ablation is drawn from: plain values, and the table in the form it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from bandpass.report.tables import ReportError

UNIFORM, AGAIN, BAND, ORACLE = "uniform", "uniform-again", "band", "oracle"
CONTROLS = {"random-init": "untrained", "hand-made": "no model"}
"""Arms that are shown beside the others and compared with none."""
BUDGETS = {
    "flops": "equal counted FLOPs",
    "time": "equal reference time",
    "half": "half of the counted FLOPs",
}
FULL, HALF = ("flops", "time"), "half"
GOOD = {"rare": 1, "normal": 1, "corrupt": -1}
"""The three primary metrics, and whether more or less of each is better."""
SLOTS = "slots"
ALPHA = 0.05


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
class Comparison:
    """One arm against another in one primary metric at one budget, paired by seed.

    Attributes:
        arm: Whose mean is ``mean``.
        against: Whose mean is ``other``.
        budget: A key of ``BUDGETS``.
        role: "rare", "normal" or "corrupt".
        mean: Of the arm.
        other: Of what it is compared with.
        difference: ``mean - other``.
        low: Lower end of its 95% interval; NaN if there is none, as with one seed.
        high: Upper end.
        p: Of the paired test; NaN if there is none.
        p_holm: The same, corrected for the number of comparisons.
        mde: The smallest difference that these seeds could have shown; NaN if unknown.
        n: Pairs of seeds.
        sentence: All this in words.
        kept: Of the normal metric, whether it is shown to lose less than the margin; None if that
            was not asked.
    """

    arm: str
    against: str
    budget: str
    role: str
    mean: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    mde: float
    n: int
    sentence: str
    kept: bool | None = None

    @property
    def outcome(self) -> str:
        """``better`` or ``worse`` where the corrected test says so, else empty."""
        if not (np.isfinite(self.difference) and self.p_holm < ALPHA) or self.difference == 0:
            return ""
        return "better" if self.difference * GOOD[self.role] > 0 else "worse"


@dataclass(frozen=True)
class Told:
    """The verdict on one benchmark.

    Attributes:
        sentence: Whether it can judge, whether the curriculum helps, and what it hurt.
        can_judge: Whether the oracle beats uniform by more than the A/A spread.
        comparisons: A dict each with the fields of :class:`Comparison`, ``kept`` if it was asked;
            other keys are not read.
    """

    sentence: str
    can_judge: bool
    comparisons: Sequence[Mapping[str, Any]] = ()


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


def comparisons(told: Told | None) -> list[Comparison]:
    """The comparisons of a verdict as records; missing numbers become NaN.

    Raises:
        ReportError: If one lacks a field, or its role or budget is unknown.
    """
    found = []
    numbers = [field.name for field in fields(Comparison) if field.name != "kept"]
    for row in told.comparisons if told else ():
        if missing := [name for name in numbers if name not in row]:
            raise ReportError(f"the comparison {dict(row)} lacks {missing}: give all of {numbers}")
        if row["role"] not in GOOD or row["budget"] not in BUDGETS:
            raise ReportError(
                f"the comparison {dict(row)}: role must be one of {list(GOOD)}, and budget of "
                f"{list(BUDGETS)}"
            )
        known: dict[str, Any] = {n: np.nan if row[n] is None else row[n] for n in numbers}
        found.append(Comparison(**known, kept=row.get("kept")))
    return found
