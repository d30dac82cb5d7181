"""Clocks as they were recorded: the step, and every way in which rows are not equidistant."""

from dataclasses import dataclass

import numpy as np

GAP_STEPS = 5.0
"""A jump of more than this many median steps, forward or backward, breaks a series in two."""

IRREGULAR_SHARE = 0.1
"""A step that differs from the median step by more than this share of it is irregular."""

NOTED = 0.01
"""A larger share of irregular steps is mentioned in the notes of a store."""


@dataclass(frozen=True)
class ClockReport:
    """What one clock looks like.

    Attributes:
        step_ns: Median of the forward steps in nanoseconds, 0 if there are none.
        irregular: Share of the steps further than ``IRREGULAR_SHARE`` from the median.
        gaps: Number of jumps larger than ``GAP_STEPS`` median steps, in either direction.
        largest_gap_ns: Largest forward step in nanoseconds.
        duplicates: Rows with the timestamp of the row before.
        backward: Rows with a timestamp before that of the row before.
    """

    step_ns: int
    irregular: float
    gaps: int
    largest_gap_ns: int
    duplicates: int
    backward: int


def clock_report(time_ns: np.ndarray) -> ClockReport:
    """Describe a clock without changing it: rows stay in the order in which they were read.

    Args:
        time_ns: (rows,) int64 nanoseconds since the epoch.

    Returns:
        The report; all zero for fewer than two rows.
    """
    steps = np.diff(time_ns)
    if not steps.size:
        return ClockReport(0, 0.0, 0, 0, 0, 0)
    step = _median_step(steps)
    return ClockReport(
        step_ns=step,
        irregular=float(np.mean(np.abs(steps - step) > IRREGULAR_SHARE * step)),
        gaps=len(gap_rows(time_ns)),
        largest_gap_ns=max(int(steps.max()), 0),
        duplicates=int(np.count_nonzero(steps == 0)),
        backward=int(np.count_nonzero(steps < 0)),
    )


def gap_rows(time_ns: np.ndarray) -> np.ndarray:
    """Rows at which a new run starts because the clock jumped.

    Args:
        time_ns: (rows,) int64 nanoseconds since the epoch.

    Returns:
        Ascending int64 row numbers; row r means a large jump between rows r - 1 and r.
    """
    steps = np.diff(time_ns)
    step = _median_step(steps)
    if step == 0:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.abs(steps) > GAP_STEPS * step) + 1


def oddities(report: ClockReport) -> str:
    """Say in one line what a reader of the data should know of its clock; empty if nothing."""
    found = {
        f"{report.irregular:.1%} of the clock's steps are irregular": report.irregular > NOTED,
        f"large gaps, which no window crosses: {report.gaps}": report.gaps,
        f"duplicate timestamps, rows kept as read: {report.duplicates}": report.duplicates,
        f"backward timestamps, rows kept as read: {report.backward}": report.backward,
    }
    return "; ".join(text for text, holds in found.items() if holds)


def _median_step(steps: np.ndarray) -> int:
    forward = steps[steps > 0]
    return int(np.median(forward)) if forward.size else 0
