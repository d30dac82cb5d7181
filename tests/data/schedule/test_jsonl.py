import gzip
import json
import runpy
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.data import DataError, StoreError, open_store
from bandpass.data.schedule.imported import import_jsonl
from bandpass.data.schedule.jsonl import FIELDS, write_windows
from bandpass.data.schedule.record import EPOCH, LAST_DAY, SAMPLES, UNDATED, Record
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.schedule.tokens import EMPTY, PROJECT, TASK

some = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("strategies.py"))))

DAY = date(2024, 2, 29).toordinal() - EPOCH
TASKS = [
    Record(f"{i}", ("u:1",), DAY + i, 840 + i, 0, TASK, 0.5, 0, 0.114, 0, 0.85) for i in range(3)
]
NOWHEN = Record("edge", (), UNDATED, 0, 1440, PROJECT, 0, 0.08, 0, 0, 0.3)


@pytest.fixture
def store(tmp_path) -> ScheduleStore:
    return some.write_store(tmp_path / "store", {"tasks": TASKS, "edges": [NOWHEN]})


@pytest.fixture
def lines(store, tmp_path) -> list[dict[str, object]]:
    """Every window of the store as its line."""
    file = tmp_path / "all.jsonl.gz"
    write_windows(store, np.arange(len(store.windows)), file)
    return [json.loads(line) for line in gzip.open(file)]


@pytest.fixture
def imports(tmp_path) -> Callable[..., ScheduleStore]:
    """Imports lines, each a dict or bytes as they are."""

    def imports(*lines: dict[str, object] | bytes, name: str = "in.jsonl") -> ScheduleStore:
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (tmp_path / name).write_bytes(b"\n".join(raw))
        return import_jsonl([tmp_path / name], tmp_path / "imported", overwrite=True)

    return imports


def test_a_line_is_the_record_form(store, lines):
    first = lines[0]
    assert tuple(first) == FIELDS
    assert first["dataset"] == "tasks"
    assert first["source_id"] == f"{store.windows['id'][0]:016x}"
    assert first["window_kind"] == "record"
    assert first["window_start"] == "2024-02-29T00:00:00Z"
    assert first["window_end"] == "2024-03-01T00:00:00Z"
    assert first["metadata"] == {"actor": f"{store.windows['actor'][0]:016x}", "events": 1}
    tokens = np.array(first["tokens"])
    assert (tokens == np.round(store.tokens(np.array([0]))[0].astype(float), 6)).all()
    assert tokens[56].tolist() == [0.589474] * 2 + [
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0.5,
        0,
        0.114,
        0,
        0.85,
        0,
    ]


def test_without_a_day_or_an_actor_there_is_null(lines):
    edge = lines[-1]
    assert edge["dataset"] == "edges"
    assert edge["window_start"] is edge["window_end"] is edge["metadata"]["actor"] is None


def test_the_last_day_of_the_calendar_ends_with_its_24th_hour(tmp_path, imports):
    last = TASKS[0]._replace(day=LAST_DAY)
    store = some.write_store(tmp_path / "last", {"tasks": [last]})
    write_windows(store, np.array([0]), tmp_path / "last.jsonl.gz")
    line = json.loads(gzip.open(tmp_path / "last.jsonl.gz").read())
    assert line["window_start"] == "9999-12-31T00:00:00Z"
    assert line["window_end"] == "9999-12-31T24:00:00Z"
    assert imports(line).windows["day"].tolist() == [LAST_DAY]


@settings(max_examples=30)
@given(st.lists(some.some_records(), min_size=1, max_size=3))
def test_an_import_of_an_export_is_the_store_to_the_bit(datasets):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        named = {f"set {number}": records for number, records in enumerate(datasets)}
        store = some.write_store(path / "store", named)
        rows = np.arange(len(store.windows))
        halves = [path / "a.jsonl.gz", path / "b.jsonl.gz"]
        for file, half in zip(halves, np.array_split(rows, 2), strict=True):
            write_windows(store, half, file)
        files = [file for file in halves if gzip.open(file).read()]
        found = import_jsonl(files, path / "imported")
        assert found.windows.tobytes() == store.windows.tobytes()
        assert found.runs.tobytes() == store.runs.tobytes()
        assert found.hash == store.hash
        assert found.datasets == store.datasets
        found.verify()


def test_equal_windows_make_equal_bytes_and_progress_adds_up(store, tmp_path):
    rows, told = np.arange(len(store.windows)), []
    write_windows(store, rows, tmp_path / "a.jsonl.gz", told.append)
    write_windows(store, rows, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert sum(told) == len(rows)


def test_a_file_appears_whole_or_not_at_all(store, tmp_path):
    def stop(windows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_windows(store, np.arange(2), tmp_path / "out" / "a.jsonl.gz", stop)
    assert not list((tmp_path / "out").iterdir())


def test_a_place_that_takes_no_file_is_named(store, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match=r"could not write .*taken/a\.jsonl\.gz"):
        write_windows(store, np.arange(2), tmp_path / "taken" / "a.jsonl.gz")


def change(line: dict[str, object], slot: int, feature: int, value: object) -> dict[str, object]:
    tokens = [list(each) for each in line["tokens"]]
    tokens[slot][feature] = value
    return line | {"tokens": tokens}


BAD = {
    "not JSON": lambda line: b'{"dataset": "tas',
    "not a JSON object": lambda line: b"[1, 2]",
    "no tokens": lambda line: {k: v for k, v in line.items() if k != "tokens"},
    "dataset is no name": lambda line: line | {"dataset": ""},
    "window_kind is none of record, actor_day": lambda line: line | {"window_kind": "week"},
    "source_id is not of 16 hex digits": lambda line: line | {"source_id": "ann@example.org"},
    "metadata is no object": lambda line: line | {"metadata": "none"},
    "metadata.actor is not of 16 hex digits": lambda line: (
        line | {"metadata": {"actor": "Ann", "events": 1}}
    ),
    "metadata.events is no whole number of 1 to 65535": lambda line: (
        line | {"metadata": {"actor": None, "events": True}}
    ),
    "window_start or window_end is no text": lambda line: line | {"window_end": None},
    "window_start or window_end is no midnight of UTC": lambda line: (
        line | {"window_start": "2024-02-29T00:00:00+01:00"}
    ),
    "window_end is not a day after window_start": lambda line: (
        line | {"window_end": "2024-03-02T00:00:00Z"}
    ),
    "tokens are no list of lists": lambda line: line | {"tokens": [1, 2]},
    "tokens are not 96 x 16": lambda line: line | {"tokens": line["tokens"][:-1]},
    "tokens are not all numbers": lambda line: change(line, 3, 5, "1.0"),
    "a value is not in [0, 1]": lambda line: change(line, 3, 9, -0.1),
    "a value is not i / 95 in slot i": lambda line: change(line, 3, 0, 0.5),
    "a value is neither 0 nor 1": lambda line: change(line, 3, 5, 0.5),
    "a value is not 0, and it is reserved": lambda line: change(line, 3, 15, 1),
    "no slot holds anything": lambda line: line | {"tokens": np.round(EMPTY, 6).tolist()},
}


@pytest.mark.parametrize("reason", BAD)
def test_a_line_that_holds_no_window_is_counted_and_named(lines, imports, reason):
    found = imports(lines[0], BAD[reason](lines[0]), lines[1])
    assert len(found.windows) == 2
    assert found.manifest["malformed"] == {reason: 1}
    ((place, why),) = found.manifest["malformed_samples"]
    assert place.split(",")[0] == "in.jsonl:2"
    assert why == reason
    assert found.manifest["notes"] == [f"1 lines hold no window and were left out: {reason} (1)"]


def test_the_value_that_is_wrong_is_named(lines, imports):
    found = imports(lines[0], change(lines[1], 3, 9, 1e300))
    assert found.manifest["malformed_samples"][0][0] == "in.jsonl:2, slot 3, duration"


def test_the_same_midnight_may_be_written_in_other_ways(lines, imports):
    line = lines[0] | {"window_start": "2024-02-29", "window_end": "2024-03-01T01:00:00+01:00"}
    assert imports(line).windows["day"].tolist() == [DAY]


def test_of_two_windows_of_one_id_the_first_is_kept(lines, imports):
    other = change(lines[0], 10, 3, 1)
    found = imports(lines[0], other, lines[1], lines[0] | {"window_kind": "actor_day"})
    (entry,) = found.manifest["datasets"]
    assert entry["duplicates"] == 1
    assert entry["windows"] == {"record": 2, "actor_day": 1}
    assert found.windows["active"].tolist() == [1, 1, 1]


def test_duplicates_are_found_however_far_apart(tmp_path, imports, lines):
    same = [line | {"source_id": f"{i % 1100:016x}"} for i in range(2200) for line in lines[:1]]
    found = imports(*same)
    assert found.manifest["datasets"][0]["duplicates"] == 1100
    assert found.windows["id"].tolist() == list(range(1100))


def test_the_manifest_says_what_came_in(lines, imports):
    found = imports(*lines)
    tasks, edges = found.manifest["datasets"]
    assert (tasks["records"], tasks["windows"]["actor_day"]) == (3, 3)
    assert tasks["days"] == ["2024-02-29", "2024-03-02"]
    assert (tasks["undated"], edges["undated"]) == (0, 1)
    assert (tasks["events"], edges["events"]) == (3, 0), "of actor days, as prepare counts them"
    assert (tasks["timeless"], edges["timeless"]) == (False, True)
    assert edges["days"] == [None, None]
    assert [file["records"] for file in tasks["files"]] == [6]


def test_a_file_without_a_window_is_refused(imports, tmp_path):
    with pytest.raises(DataError, match=r"in\.jsonl: not one of its lines .*in\.jsonl:1: not JSON"):
        imports(b"{", b"}")
    with pytest.raises(DataError, match="it is blank"):
        imports(b"\n\n")
    assert not (tmp_path / "imported").exists()


def test_a_truncated_file_is_refused_and_says_how_far_it_is_good(store, tmp_path):
    file = tmp_path / "cut.jsonl.gz"
    write_windows(store, np.tile(np.arange(3), 500), file)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"cut\.jsonl\.gz: .* too early after line \d{3,}"):
        import_jsonl([file], tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_no_file_at_all_and_a_directory_are_refused(tmp_path):
    with pytest.raises(DataError, match="no file to import"):
        import_jsonl([], tmp_path / "imported")
    with pytest.raises(DataError, match="is a directory"):
        import_jsonl([tmp_path], tmp_path / "imported")


def test_a_store_is_replaced_only_if_asked(lines, imports, tmp_path):
    imports(*lines)
    with pytest.raises(StoreError, match="--overwrite"):
        import_jsonl([tmp_path / "in.jsonl"], tmp_path / "imported")
    assert len(open_store(tmp_path / "imported").windows) == len(lines)


def test_samples_stay_few_over_many_files(lines, imports, tmp_path):
    bad = [b"{"] * (SAMPLES - 2)
    for name in ("a.jsonl", "b.jsonl"):
        imports(lines[0], *bad, name=name)
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    found = import_jsonl(files, tmp_path / "both").manifest
    assert found["malformed"] == {"not JSON": 2 * len(bad)}
    assert len(found["malformed_samples"]) == SAMPLES


def test_progress_names_the_file_and_counts_windows(lines, imports, tmp_path):
    imports(*lines)
    told: list[tuple[str, int]] = []
    import_jsonl([tmp_path / "in.jsonl"], tmp_path / "b", progress=lambda *at: told.append(at))
    assert told[-1] == ("in.jsonl", len(lines))
