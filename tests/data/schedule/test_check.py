import json

import numpy as np
import pytest

from bandpass.data import StoreError
from bandpass.data.schedule.check import verify_windows
from bandpass.data.schedule.prepare import Options, prepare_schedule
from bandpass.data.schedule.store import ScheduleStore


@pytest.fixture
def store(raw, fakes, tmp_path) -> ScheduleStore:
    raw("one", a=[f"r{i} u:{i} 10 {i} {i}" for i in range(100)])
    return prepare_schedule(tmp_path / "raw", tmp_path / "store", [fakes.source("one")], Options(1))


def spoil(store: ScheduleStore, column: str, row: int, **fields: int) -> ScheduleStore:
    path = store.path / f"{column}.npy"
    rows = np.load(path)
    for name, value in fields.items():
        rows[name][row] = value
    np.save(path, rows)
    return ScheduleStore(store.path, store.manifest)


def test_a_good_store_passes_and_every_window_is_counted(store):
    seen = []
    verify_windows(store, seen.append)
    assert sum(seen) == len(store.windows) == 200


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"slot": 96}, "outside its 96 slots"),
        ({"slot": 90, "slots": 7}, "outside its 96 slots"),
        ({"slots": 0}, "outside its 96 slots"),
        ({"what": 128}, "flags that mean nothing"),
        ({"priority": 1001}, "values above 1"),
        ({"source_confidence": 65535}, "values above 1"),
    ],
)
def test_a_run_that_no_window_can_have_is_named_with_its_window(store, fields, what):
    with pytest.raises(StoreError, match=rf"window 70 \(dataset one, id [0-9a-f]{{16}}\).*{what}"):
        verify_windows(spoil(store, "runs", 70, **fields))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"runs": 0}, "has no run"),
        ({"first": 3}, "does not begin where the one before it ends"),
        ({"dataset": 9}, "is of a dataset that the manifest lacks"),
        ({"kind": 2}, "is of no known kind"),
    ],
)
def test_a_row_that_no_window_can_have_is_named(store, fields, what):
    with pytest.raises(StoreError, match=rf"window 150 .*{what}"):
        verify_windows(spoil(store, "windows", 150, **fields))


def test_counts_that_differ_from_the_manifest_are_named(store):
    with pytest.raises(StoreError, match=r"one has 101 record and 99 actor_day windows"):
        verify_windows(spoil(store, "windows", 150, kind=0))


def test_runs_of_no_window_are_told(store):
    path = store.path / "runs.npy"
    np.save(path, np.append(np.load(path), np.load(path)[:1]))
    with pytest.raises(StoreError, match="201 runs, windows have 200"):
        verify_windows(ScheduleStore(store.path, store.manifest))


def test_a_store_that_fails_its_check_is_never_published(raw, fakes, tmp_path, monkeypatch):
    raw("one", a=["a u:1 10 1 1"])
    entry = "bandpass.data.schedule.prepare.entry"
    monkeypatch.setattr(
        entry,
        lambda d, *_: {
            "name": d.source.name,
            "windows": {"record": 5, "actor_day": 1},
            "malformed": {},
        },
    )
    with pytest.raises(StoreError, match="the manifest says"):
        prepare_schedule(tmp_path / "raw", tmp_path / "store", [fakes.source("one")], Options(1))
    assert not (tmp_path / "store").exists()
    assert json.loads(next(tmp_path.glob(".store.parts/*/part.json")).read_text())["records"] == 1
