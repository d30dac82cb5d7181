"""Runs at the edges of the schema are reported, not crashed on."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.report import write_report
from bandpass.report.facts import duration, elapsed
from bandpass.report.quarantine import MOST_CARDS, _spread
from bandpass.report.tables import COLUMNS

MakeRun = Callable[..., Path]
WriteTable = Callable[[Path, str, dict], None]


def test_run_of_one_step_without_samples(
    tmp_path: Path, make_run: MakeRun, write_table: WriteTable
) -> None:
    run = make_run(tmp_path / "run")
    write_table(run, "metrics", {name: [1.0] for name in COLUMNS["metrics"]} | {"rank": [np.nan]})
    write_table(run, "band", {"step": [1], "bucket": [0], "score": [0.5], "mass": [1.0]} | _one)
    slots = {"step": [1], "kind": ["regime"], "name": ["unknown"], "drawn": [64]}
    write_table(run, "slots", slots | {"natural": [0.0]})
    page = write_report(run).read_text()
    assert "None of the 1 logged steps raised" in page
    assert not re.search(r"\bnan\b", page)


_one = {"weight": [1.0]}


def test_evaluation_without_any_number(
    tmp_path: Path, make_run: MakeRun, write_table: WriteTable
) -> None:
    run = make_run(tmp_path / "run")
    row = {"encoder": ["pretrained"], "pooling": ["mean"], "task": ["events"], "metric": ["auroc"]}
    write_table(run, "evaluation", row | {n: [None] for n in ("value", "low", "high")} | _none)
    page = write_report(run).read_text()
    assert "Task: events" in page
    assert "n/a" in page


_none = {"count": [0]}


def test_quarantined_window_without_channels(
    tmp_path: Path, make_run: MakeRun, write_table: WriteTable
) -> None:
    run = make_run(tmp_path / "run")
    row = {"id": [1], "series": ["a<b"], "start": [0], "reason": ["not finite"], "visits": [1]}
    write_table(run, "quarantine", row | {"z": [None], "channels": [[]], "values": [[]]})
    assert "a&lt;b" in write_report(run).read_text()


def test_no_reason_for_quarantine_hides_another() -> None:
    reasons = np.array(["common"] * 100 + ["odd"])
    shown = _spread({"reason": reasons}, np.arange(101))
    assert len(shown) == MOST_CARDS
    assert 100 in shown


def test_the_clock_of_a_resumed_run_is_added_up() -> None:
    assert elapsed(np.array([1.0, 5.0, 2.0, 4.0])) == pytest.approx(9)
    assert elapsed(np.array([])) == 0


def test_durations_in_words() -> None:
    assert [duration(s) for s in (41.6, 307, 12_060)] == ["42 s", "5 min 07 s", "3 h 21 min"]
