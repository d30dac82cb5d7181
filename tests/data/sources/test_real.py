"""Counts of the real files, as the READMEs beside them state them; windows are 128 rows by 32."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.series import Series
from bandpass.data.sources import SOURCES

pytestmark = pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)


def read(name: str, **options: str) -> list[Series]:
    raw = Path(os.environ["BANDPASS_DATA"], "timeseries", name)
    return list(SOURCES[name].read(raw, **options))


def windows(column: np.ndarray) -> np.ndarray:
    """(windows, 128) view."""
    if len(column) < 128:
        return np.empty((0, 128), column.dtype)
    return np.lib.stride_tricks.sliding_window_view(column, 128)[::32]


def counts(read: list[Series], group: Callable[[Series], str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for series in read:
        event, cut = series.label == 1, windows(series.label) == 1
        found.setdefault(group(series), Counter()).update(
            rows=len(event),
            event_rows=int(event.sum()),
            events=int((np.diff(event.astype(int), prepend=0) == 1).sum()),
            windows=len(cut),
            touching=int(cut.any(1).sum()),
        )
    return found


def test_smd() -> None:
    found = counts(read("smd"), lambda s: s.name)
    for machine, train, test, events, touching in (
        ("1-6", 23_688, 23_689, 30, 231),
        ("2-1", 23_693, 23_694, 13, 88),
        ("2-7", 23_696, 23_696, 20, 90),
        ("2-8", 23_702, 23_703, 1, 9),
        ("3-3", 23_703, 23_703, 26, 122),
        ("3-4", 23_687, 23_687, 8, 62),
    ):
        assert found[f"machine-{machine}/train"]["rows"] == train
        half = found[f"machine-{machine}/test"]
        assert (half["rows"], half["events"]) == (test, events)
        assert (half["windows"], half["touching"]) == (737, touching)


def test_skab() -> None:
    found = counts(read("skab"), lambda s: s.name.split("/")[0])
    for group, rows, events, total, touching in (
        ("anomaly-free", 9_405, 0, 290, 0),
        ("valve1", 18_160, 16, 510, 265),
        ("valve2", 4_312, 4, 122, 60),
        ("other", 14_929, 14, 418, 213),
    ):
        assert (found[group]["rows"], found[group]["events"]) == (rows, events)
        assert (found[group]["windows"], found[group]["touching"]) == (total, touching)


@pytest.mark.parametrize(
    ("labels", "events", "touching"), [("windows", 116, 1472), ("points", 120, 473)]
)
def test_nab(labels: str, events: int, touching: int) -> None:
    found = counts(read("nab", labels=labels), lambda s: "all")["all"]
    assert (found["rows"], found["windows"]) == (365_558, 11_234)
    assert (found["events"], found["touching"]) == (events, touching)


def part(series: Series) -> str:
    return series.name.split("/")[0] + "/" + series.entity.split("-")[0]


def test_3w() -> None:
    episodes = read("3w")
    found = counts(episodes, part)
    boundary, changes = Counter(), Counter()
    for series in episodes:
        cut = windows(series.regime)
        low = np.where(cut < 0, np.iinfo(np.int16).max, cut).min(1)
        changes[part(series)] += int((cut.max(1) > low).sum())  # two known regimes in one window
        boundary[part(series)] += int((series.regime < 0).sum())
    for where, rows, total, unlabelled, changing in (
        ("2/WELL", 117_734, 3_619, 601, 72),
        ("6/WELL", 6_343, 188, 139, 18),
        ("3/WELL", 53_620, 1_665, 0, 0),
        ("4/WELL", 57_326, 1_764, 0, 0),
        ("1/DRAWN", 36_000, 1_119, 0, 12),
        ("2/SIMULATED", 57_598, 1_792, 0, 14),
        ("3/SIMULATED", 42_999, 1_340, 0, 0),
        ("6/SIMULATED", 80_997, 2_520, 0, 24),
    ):
        assert (found[where]["rows"], found[where]["windows"]) == (rows, total)
        assert (boundary[where], changes[where]) == (unlabelled, changing)
        # The label marks the rows of the boundary itself, which more windows touch than span.
        assert found[where]["touching"] >= changing
        assert found[where]["event_rows"] >= unlabelled
