"""The cells of one benchmark: values by arm, metric, budget and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bandpass.evaluation.paired import AGAIN, BAND, GOOD, ORACLE, UNIFORM, Comparison
from bandpass.report.ablation_inputs import (
    BUDGETS,
    CONTROLS,
    FULL,
    SLOTS,
    Benchmark,
    Metric,
    Price,
    Told,
)
from bandpass.report.drawing import MARKERS, class_token
from bandpass.report.probes import words
from bandpass.report.tables import ReportError

Row = Mapping[str, Any]
Key = tuple[str, str, str, str]

_NAME = 24  # letters of a name that a figure has room for
_FIRST, _LAST = (UNIFORM, AGAIN), (BAND, ORACLE, *CONTROLS)
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cells:
    """One benchmark with everything the page says of it.

    Attributes:
        benchmark: As declared.
        rows: Its rows of the results table.
        outdated: How many rows of other versions were left out.
        values: Finite values by seed, under (arm, task, metric, budget).
        arms: In the order of the page.
        prices: By arm; empty if none were measured.
        told: The verdict; None if there is none.
        compared: Its comparisons.
    """

    benchmark: Benchmark
    rows: Sequence[Row]
    outdated: int
    values: Mapping[Key, Mapping[int, float]]
    arms: tuple[str, ...]
    prices: Mapping[str, Price]
    told: Told | None
    compared: Sequence[Comparison]

    @property
    def budget(self) -> str:
        """The full budget that figures are of: counted FLOPs where it was run; "" if none."""
        held = {key[3] for key in self.values}
        return next((budget for budget in FULL if budget in held), "")

    def all_seeds(self, arm: str, metric: Metric, budget: str) -> Mapping[int, float]:
        """Finite values of every seed."""
        return self.values.get((arm, metric.task, metric.metric, budget), {})

    def by_seed(self, arm: str, metric: Metric, budget: str) -> Mapping[int, float]:
        """Finite values of the seeds that count; of all others while none of those has run."""
        found = self.all_seeds(arm, metric, budget)
        counting = {seed: value for seed, value in found.items() if seed in self.benchmark.seeds}
        return counting or found

    def mean(self, arm: str, metric: Metric, budget: str) -> float:
        """Mean over :meth:`by_seed`; NaN without any."""
        found = self.by_seed(arm, metric, budget)
        return float(np.mean(list(found.values()))) if found else np.nan

    def screened_only(self, arm: str) -> bool:
        """Whether none of the seeds that count was run, though some other arm has."""
        counting = {row["arm"] for row in self.rows if row["seed"] in self.benchmark.seeds}
        return bool(counting) and arm not in counting

    def metric(self, role: str) -> Metric:
        """The primary metric of that role."""
        return {
            "rare": self.benchmark.rare,
            "normal": self.benchmark.normal,
            "corrupt": self.benchmark.corrupt,
        }[role]

    def against_uniform(self, arm: str, budget: str, role: str) -> Comparison | None:
        """The comparison with uniform, if there is one."""
        for each in self.compared:
            if (each.arm, each.against, each.budget, each.role) == (arm, UNIFORM, budget, role):
                return each
        return None


def cells_of(
    benchmark: Benchmark, rows: Sequence[Row], prices: Mapping[str, Price], told: Told | None
) -> Cells:
    """Order what is known of one benchmark; ``rows`` may be of several.

    Raises:
        ReportError: If a number is there twice, a budget is unknown, or a comparison incomplete.
    """
    named = [row for row in rows if row["benchmark"] == benchmark.name]
    mine = [row for row in named if row["version"] == benchmark.version]
    values: dict[Key, dict[int, float]] = {}
    for row in mine:
        for budget in row["budgets"].split("+"):
            if budget not in BUDGETS:
                raise ReportError(f"{_cell(row)}: budget {budget!r} is none of {list(BUDGETS)}")
            of_key = values.setdefault((row["arm"], row["task"], row["metric"], budget), {})
            if row["seed"] in of_key:
                raise ReportError(
                    f"{_cell(row)} has two values of {row['task']}, {row['metric']} at budget "
                    f"{budget}: give rows of one recipe and one number of steps"
                )
            of_key[row["seed"]] = np.nan if row["value"] is None else float(row["value"])
    finite = {
        key: {seed: value for seed, value in found.items() if np.isfinite(value)}
        for key, found in values.items()
    }
    compared = told.comparisons if told else ()
    held = [*(row["arm"] for row in mine), *prices, *(each.arm for each in compared)]
    return Cells(
        benchmark, mine, len(named) - len(mine), finite, in_order(held), prices, told, compared
    )


def _cell(row: Row) -> str:
    return f"{row['benchmark']}, arm {row['arm']}, seed {row['seed']}, {row['steps']} steps"


def in_order(arms: Sequence[str]) -> tuple[str, ...]:
    """Uniform and its A/A first, band, oracle and controls last, the rest as they came."""
    each = dict.fromkeys(arms)
    middle = [arm for arm in each if arm not in (*_FIRST, *_LAST)]
    ends = ([arm for arm in names if arm in each] for names in (_FIRST, _LAST))
    first, last = ends
    return (*first, *middle, *last)


def styles(every: Sequence[Cells]) -> dict[str, tuple[str, str]]:
    """Colour token and marker of every arm, the same in all figures of the page."""
    arms = in_order([arm for cells in every for arm in cells.arms])
    return {arm: (class_token(i), MARKERS[i % len(MARKERS)]) for i, arm in enumerate(arms)}


def short(name: str) -> str:
    """A name for a figure: one line, not too long."""
    line = " ".join(name.split())
    return line if len(line) <= _NAME else f"{line[: _NAME - 1]}…"


def measure(metric: Metric) -> str:
    """A metric in words: what was asked, and what of the answer."""
    if metric.task == SLOTS and metric.metric in GOOD:
        return f"{metric.metric} share of the slots"
    return f"{metric.task}, {words(metric.metric)}"


def number(metric: Metric, value: float, *, signed: bool = False) -> str:
    """A value of a metric or, ``signed``, a difference; "n/a" for NaN.

    Shares are in percent, their differences in percent points.
    """
    if not np.isfinite(value):
        return "n/a"
    shares = metric.task == SLOTS
    value, digits = (100 * value, 2) if shares else (value, 3 if abs(value) < 10 else 1)
    value = round(value, digits) + 0.0  # no minus before a zero
    text = f"{value:{'+' if signed and value else ''}.{digits}f}".replace("-", MINUS)
    return f"{text}%" if shares and not signed else text


def smallest(metric: Metric, mde: float) -> str:
    """A detectable difference in words: infinite where the seeds are too few to show any."""
    if np.isinf(mde):
        return "none"
    points = " points" if metric.task == SLOTS and np.isfinite(mde) else ""
    return f"{number(metric, mde, signed=True).removeprefix('+')}{points}"
