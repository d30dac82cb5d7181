import pickle
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bandpass.data import DataError, ScheduleStore, StoreError, open_store
from bandpass.data.columns import ColumnWriter
from bandpass.data.schedule.record import UNDATED, Record
from bandpass.data.schedule.records import runs_of
from bandpass.data.schedule.store import KINDS, MOST_RUNS, WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import (
    CALENDAR,
    CODE,
    DEADLINE,
    EMPTY,
    FEATURES,
    RUN,
    TASK,
    dense,
)

some = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("strategies.py"))))

MORNING = Record("a", ("u:1",), 19_000, 540, 0, TASK | DEADLINE, 0.5, 0, 0.1, 0, 0.8)
MEETING = Record("b", ("u:1",), 19_000, 540, 60, CALENDAR, 0, 0.2, 0, 0, 1.0)
PUSH = Record("c", (), UNDATED, 0, 0, CODE, 0, 0, 0.004, 0, 0.9)


@pytest.fixture
def store(tmp_path) -> ScheduleStore:
    return some.write_store(tmp_path / "store", {"work": [MORNING, MEETING], "code": [PUSH]})


def test_what_follows_from_the_runs_is_filled_in(store):
    windows = store.windows
    assert [KINDS[kind] for kind in windows["kind"]] == ["record"] * 2 + ["actor_day", "record"]
    assert windows["runs"].tolist() == [1, 1, 2, 1]
    assert windows["first"].tolist() == [0, 1, 2, 4]
    assert windows["active"].tolist() == [1, 4, 4, 1]
    assert windows["what"].tolist()[2] == TASK | DEADLINE | CALENDAR
    assert windows["events"].tolist() == [1, 1, 2, 1]
    assert windows["dataset"].tolist() == [0, 0, 0, 1]
    assert store.datasets == store.series_names == store.entity_names == ["work", "code"]
    assert store.channels == list(FEATURES)
    assert "4 windows of 2 datasets" in repr(store)


def test_windows_are_rebuilt_in_the_order_asked_for(store):
    rows = np.array([3, 2, 0, 2])
    tokens = store.tokens(rows)
    assert (tokens[1] == tokens[3]).all()
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(tokens[place], store.tokens(np.array([row]))[0])
    task, calendar = FEATURES.index("task"), FEATURES.index("calendar_event")
    assert tokens[1, 36:40, [task, calendar]].tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert tokens[2, :, calendar].sum() == 0


def test_no_row_is_no_window(store):
    assert store.tokens(np.zeros(0, np.int64)).shape == (0, *EMPTY.shape)


def test_runs_are_those_of_the_windows_asked_for(store):
    runs, of = store.runs_in(np.array([2, 3]))
    assert of.tolist() == [0, 0, 1]
    assert runs.tobytes() == store.runs[2:5].tobytes()


def test_a_buffer_is_used_and_overwritten(store):
    out = np.full((2, *EMPTY.shape), np.nan, np.float32)
    assert store.tokens(np.array([0, 1]), out) is out
    assert np.isfinite(out).all()


def test_a_pickled_store_maps_its_own_files(store):
    assert len(store.windows) == 4
    again = pickle.loads(pickle.dumps(store))
    assert again.windows.tobytes() == store.windows.tobytes()


def test_equal_windows_have_equal_hashes_and_others_do_not(store, tmp_path):
    same = some.write_store(tmp_path / "same", {"work": [MORNING, MEETING], "code": [PUSH]})
    other = some.write_store(tmp_path / "other", {"work": [MORNING], "code": [PUSH]})
    assert same.hash == store.hash != other.hash


def test_a_byte_that_was_changed_is_found(store):
    store.verify()
    path = store.path / "runs.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"runs\.npy has changed"):
        open_store(store.path).verify()


def test_a_column_cut_short_is_not_opened(store):
    path = store.path / "windows.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"windows\.npy has \d+ bytes, the manifest says"):
        open_store(store.path)


def test_a_window_without_a_run_is_refused(tmp_path):
    writer = ScheduleWriter(tmp_path)
    with pytest.raises(DataError, match="window 1 has no run"):
        writer.add(np.zeros(2, WINDOW), np.zeros(1, RUN), np.array([0]))
    writer.abandon()


def test_more_runs_than_a_window_can_point_to_are_refused(tmp_path):
    assert np.iinfo(WINDOW["first"]).max == MOST_RUNS - 1
    writer = ScheduleWriter(tmp_path)
    writer._columns["runs"].rows = MOST_RUNS - 1  # as if they had been written
    one = (np.zeros(1, WINDOW), np.zeros(1, RUN), np.array([0]))
    writer.add(*one)
    with pytest.raises(DataError, match=r"would have 4294967297 runs, .* 4294967296 at most"):
        writer.add(*one)
    writer.abandon()


def test_a_header_that_is_not_taken_leaves_no_file_open(tmp_path, monkeypatch):
    opened = []
    write = ColumnWriter._write

    def full(self, data: bytes) -> None:
        opened.append(self._file)
        if len(opened) == 2:
            raise StoreError("No space left on device")
        write(self, data)

    monkeypatch.setattr(ColumnWriter, "_write", full)
    with pytest.raises(StoreError, match="No space left"):
        ScheduleWriter(tmp_path)
    assert [file.closed for file in opened] == [True, True]


def test_nothing_may_be_added(tmp_path):
    writer = ScheduleWriter(tmp_path)
    writer.add(np.zeros(0, WINDOW), np.zeros(0, RUN), np.zeros(0, np.int64))
    writer.finish({"datasets": []})
    assert len(open_store(tmp_path).windows) == 0


def test_many_blocks_are_as_one(tmp_path):
    records = some.packed([MORNING._replace(id=str(i), minute=i) for i in range(50)])
    writer = ScheduleWriter(tmp_path)
    for block in np.split(records, [7, 8, 30]):
        writer.add(np.zeros(len(block), WINDOW), runs_of(block), np.arange(len(block)))
    writer.finish({"datasets": [{"name": "x"}]})
    rows = np.random.default_rng(0).permutation(50)
    runs = runs_of(records[rows])
    expected = dense(runs, np.arange(50), np.empty((50, *EMPTY.shape), np.float32))
    np.testing.assert_array_equal(open_store(tmp_path).tokens(rows), expected)
