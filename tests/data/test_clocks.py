import numpy as np
import pytest

from bandpass.data.clocks import ClockReport, clock_report, gap_rows, oddities

SECOND = 1_000_000_000


def clock(*seconds: float) -> np.ndarray:
    return np.array([s * SECOND for s in seconds], np.int64)


def test_a_regular_clock_has_nothing_to_report():
    report = clock_report(clock(*range(100)))
    assert report == ClockReport(SECOND, 0.0, 0, SECOND, 0, 0)
    assert oddities(report) == ""


def test_every_kind_of_disorder_is_counted_and_told():
    report = clock_report(clock(0, 1, 2, 2, 3, 4, 3.5, 4.5, 60, 61, 62, 63))
    assert report.step_ns == SECOND
    assert (report.duplicates, report.backward, report.gaps) == (1, 1, 1)
    assert report.largest_gap_ns == 55.5 * SECOND
    assert report.irregular == pytest.approx(3 / 11)
    assert oddities(report) == (
        "27.3% of the clock's steps are irregular; large gaps, which no window crosses: 1; "
        "duplicate timestamps, rows kept as read: 1; backward timestamps, rows kept as read: 1"
    )


def test_a_gap_is_more_than_five_steps_in_either_direction():
    assert gap_rows(clock(0, 1, 2, 7, 8, 9)).tolist() == []
    assert gap_rows(clock(0, 1, 2, 8, 9, 10)).tolist() == [3]
    assert gap_rows(clock(10, 11, 12, 3, 4, 5)).tolist() == [3]


@pytest.mark.parametrize("time", [clock(), clock(5), clock(5, 5, 5), clock(3, 2, 1)])
def test_a_clock_without_a_forward_step_has_no_gaps(time):
    assert clock_report(time).step_ns == 0
    assert gap_rows(time).size == 0
