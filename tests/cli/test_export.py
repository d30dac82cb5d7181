import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import UNDATED, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.store import WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import PROJECT, TASK

TASKS = [
    Record(f"{i}", (f"u:{i % 20}",), 19_000 + i % 10, 600, 30, TASK, 0.5, 0, 0.1, 0, 0.85)
    for i in range(300)
]
EDGES = [
    Record(f"{i}", (f"u:{i}",), UNDATED, 0, 1440, PROJECT, 0, 0.08, 0, 0, 0.3) for i in range(200)
]


@pytest.fixture(scope="module")
def schedules(tmp_path_factory) -> Path:
    """Dated tasks of a few people, and as many edges without a time."""
    path = tmp_path_factory.mktemp("schedules")
    writer = ScheduleWriter(path)
    for number, records in enumerate((TASKS, EDGES)):
        packed = pack(records, Hasher(b"key", str(number))).records
        windows = np.zeros(len(packed), WINDOW)
        windows["id"], windows["actor"] = packed["id"], packed["owner"]
        windows["day"], windows["events"], windows["dataset"] = packed["day"], 1, number
        writer.add(windows, runs_of(packed), np.arange(len(packed)))
    datasets = [{"name": "tasks", "timeless": False}, {"name": "edges", "timeless": True}]
    writer.finish({"datasets": datasets})
    return path


def read(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.open(file)]


def test_writes_everything_on_two_sides(bandpass, schedules, tmp_path):
    result = bandpass("export", schedules, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    train, val = (read(tmp_path / "out" / f"{side}.jsonl.gz") for side in ("train", "val"))
    assert len(train) + len(val) == 500
    assert 20 < len(val) < 80
    assert f"train.jsonl.gz: {len(train)} windows" in result.out
    assert f"val.jsonl.gz: {len(val)} windows" in result.out
    assert not {line["source_id"] for line in train} & {line["source_id"] for line in val}


def test_the_split_can_be_chosen(bandpass, schedules, tmp_path):
    changes = ("schedule.split=honest", "split_seed=3", "schedule.datasets=tasks")
    assert bandpass("export", schedules, "--out", tmp_path, *changes).code == 0
    train, val = (read(tmp_path / f"{side}.jsonl.gz") for side in ("train", "val"))
    assert {line["dataset"] for line in train + val} == {"tasks"}
    days = [{line["window_start"] for line in side} for side in (train, val)]
    people = [{line["metadata"]["actor"] for line in side} for side in (train, val)]
    assert max(days[0]) < min(days[1])
    assert not people[0] & people[1]


def test_a_file_that_was_there_is_replaced(bandpass, schedules, tmp_path):
    for changes in ((), ("schedule.datasets=tasks",)):
        assert bandpass("export", schedules, "--out", tmp_path, *changes).code == 0
    assert {line["dataset"] for line in read(tmp_path / "train.jsonl.gz")} == {"tasks"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.jsonl.gz", "val.jsonl.gz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["steps=5"], "'steps=5' has no part in an export: it takes schedule.* only"),
        (["schedule.split=fair"], "schedule.split must be one of random, honest, got 'fair'"),
        (["schedule.datasets=mail"], "no dataset 'mail' in"),
        (["schedule.kind=actor_day"], "no window of"),
    ],
)
def test_what_cannot_be_exported_is_one_line(bandpass, schedules, tmp_path, changes, message):
    result = bandpass("export", schedules, "--out", tmp_path / "out", *changes)
    assert result.code == 1
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_series_have_no_such_form(bandpass, store, tmp_path):
    result = bandpass("export", store, "--out", tmp_path / "out")
    assert result.code == 1
    assert "holds series" in result.err
