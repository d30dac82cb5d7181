import errno
import gzip
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import DataError, StoreError, atomic, open_store
from bandpass.data.columns import ColumnWriter
from bandpass.data.schedule import parts
from bandpass.data.schedule.prepare import CHECKING, READING, WRITING, Options, prepare_schedule
from bandpass.data.schedule.record import UNDATED
from bandpass.data.schedule.sources import find
from bandpass.data.schedule.store import ACTOR_DAY, RECORD_WINDOW

LINES = ["a u:1,p:1 10 30 0", "b u:2,p:1 10 0 1440", "c u:1 11 60 30"]
ONE = Options(workers=1)


@pytest.fixture
def prepare(tmp_path, fakes):
    """Prepares the named fake datasets of ``tmp_path / "raw"``."""

    def prepare(*names: str, options: Options = ONE, store: str = "store", progress=None):
        told = progress or (lambda seen: None)
        sources = [fakes.source(name) for name in names]
        return prepare_schedule(tmp_path / "raw", tmp_path / store, sources, options, told)

    return prepare


def test_every_record_and_every_actors_day_is_a_window(raw, prepare):
    raw("one", x=LINES)
    store = prepare("one")
    windows = store.windows
    records = windows[windows["kind"] == RECORD_WINDOW]
    days = windows[windows["kind"] == ACTOR_DAY]
    assert records["day"].tolist() == [10, 10, 11]
    assert records["active"].tolist() == [1, 96, 2]
    assert records["actor"][0] == records["actor"][2] != records["actor"][1]
    assert len(np.unique(windows["id"])) == len(windows)
    who = {hash_: name for hash_, name in zip(records["actor"][:2], ("1", "2"), strict=True)}
    found = {(who.get(d["actor"], "p"), int(d["day"])): int(d["events"]) for d in days}
    assert found == {("1", 10): 1, ("1", 11): 1, ("2", 10): 1, ("p", 10): 2}
    assert days["active"][[who.get(a) is None for a in days["actor"]]].tolist() == [96]


def test_a_day_has_whatever_any_of_its_records_has(raw, prepare):
    raw("one", x=["a u:1 10 0 15", "b u:1 10 5 60"])
    store = prepare("one")
    first, second, day = store.tokens(np.arange(3))
    np.testing.assert_array_equal(day, np.maximum(first, second))


def test_the_manifest_counts_what_was_read(raw, prepare):
    raw("one", x=[*LINES, "?", "a u:9 500 0 0"], y=["?", f"d - {UNDATED} 0 1440", "b u:2 1 1 1"])
    raw("two", z=[f"a u:1 {UNDATED} 0 1440"])
    one, two = prepare("one", "two").manifest["datasets"]
    assert one["files"] == [
        {"name": "x.txt and 1 after it", "files": 2, "bytes": 104, "records": 6}
    ]
    assert (one["records"], one["duplicates"], one["undated"]) == (6, 2, 1)
    assert one["windows"] == {"record": 4, "actor_day": 4}
    assert one["events"] == 5
    assert one["days"] == ["1970-01-11", "1970-01-12"], "those of duplicates do not count"
    assert one["malformed"] == {"a question mark": 2}
    assert one["malformed_samples"] == [
        ["x.txt:3", "a question mark"],
        ["y.txt:0", "a question mark"],
    ]
    assert (one["timeless"], two["timeless"]) == (False, True)
    assert two["days"] == [None, None]
    assert two["windows"] == {"record": 1, "actor_day": 0}


def test_equal_identifiers_are_of_different_people_in_different_datasets(raw, prepare):
    raw("one", x=LINES)
    raw("two", x=LINES)
    windows = prepare("one", "two").windows
    one, two = (windows[windows["dataset"] == number] for number in range(2))
    assert not set(one["actor"]) & set(two["actor"])
    assert not set(one["id"]) & set(two["id"])


def test_no_identifier_is_in_the_store_or_beside_it(raw, prepare, tmp_path):
    raw("one", x=["verysecretid u:verysecretname 10 30 0"])
    prepare("one")
    for file in tmp_path.rglob("*"):
        if file.is_file() and "raw" not in file.parts:
            assert b"verysecret" not in file.read_bytes()


def hours(folder, count: int, events: int, pack=lambda number, text: text) -> None:
    """Write hours of GH Archive, which a process of its own can read, unlike the fakes."""
    folder.mkdir(parents=True)
    line = '{{"id":"{}","type":"PushEvent","actor":{{"id":{}}},"repo":{{"id":{}}},'
    line += '"created_at":"2015-01-{:02}T{:02}:00:00Z"}}\n'
    for number in range(count):
        lines = (
            line.format(number * events + i, i % 97, i % 89, 1 + i % 9, number)
            for i in range(events)
        )
        file = folder / f"2015-01-01-{number}.json"
        file.write_bytes(pack(number, "".join(lines).encode()))


def test_equal_files_and_key_make_an_equal_store_whatever_the_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "SMALL_FILES", 1)
    hours(tmp_path / "raw" / "gharchive", 5, 300)
    again = (tmp_path / "raw" / "gharchive" / "2015-01-01-1.json").read_bytes()
    (tmp_path / "raw" / "gharchive" / "2015-01-01-9.json").write_bytes(again)

    def prepare(workers: int, store: str = "store") -> object:
        options = Options(workers, overwrite=True)
        return prepare_schedule(tmp_path / "raw", tmp_path / store, None, options)

    made = prepare(1)
    assert made.manifest["datasets"][3]["duplicates"] == 300
    assert prepare(2).hash == made.hash
    monkeypatch.setattr(parts, "BLOCK", 7)
    assert prepare(1).hash == made.hash
    assert prepare(1, "other").hash != made.hash, "another key"


def test_what_was_read_is_not_read_again(raw, prepare, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "SMALL_FILES", 1)
    raw("one", a=LINES, b=["d u:1 1 1 1", "!"], c=["e u:1 1 1 1"])
    with pytest.raises(DataError, match=r"b\.txt: is damaged after line 1"):
        prepare("one")
    assert not (tmp_path / "store").exists()
    raw("one", b=["d u:1 1 1 1"])
    read = []
    write = parts.write_part
    monkeypatch.setattr(
        "bandpass.data.schedule.prepare.write_part",
        lambda job, *a, **k: read.append(job.name) or write(job, *a, **k),
    )
    seen = []
    store = prepare("one", progress=seen.append)
    assert read == ["b.txt", "c.txt"]
    assert [each.note for each in seen if each.note] == ["1 files were read before, 2 are left"]
    assert store.manifest["datasets"][0]["records"] == 5
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"raw", "store", "store.key", ".store.lock"}


def test_a_file_that_changed_is_read_again(raw, prepare, monkeypatch):
    raw("one", a=LINES)
    monkeypatch.setattr("bandpass.data.schedule.prepare._check", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare("one")
    monkeypatch.undo()
    raw("one", a=["d u:1 1 1 1"])
    assert prepare("one").manifest["datasets"][0]["records"] == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_where_it_was(tmp_path, workers):
    """As it happens: another process, killed with no chance to clean up."""
    raw, store = tmp_path / "raw", tmp_path / "store"
    hours(raw / "gharchive", 3, 12_000)
    command = [sys.executable, "-c", "from bandpass.cli import main; main()", "prepare", "schedule"]
    command += ["--raw", raw, "--store", store, "--workers", str(workers)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    work = tmp_path / ".store.parts"

    def done() -> list:
        return [path for path in work.glob("*/part.json") if path.parent.suffix != ".partial"]

    for _ in range(6000):
        if killed.poll() is not None or done():
            break
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not store.exists()
    assert done()
    seen = []
    made = prepare_schedule(raw, store, None, Options(1), seen.append)
    assert made.manifest["datasets"][3]["windows"]["record"] == 36_000
    assert any("read before" in each.note for each in seen)


def test_a_second_process_is_refused_while_the_first_prepares(raw, prepare, tmp_path):
    raw("one", a=LINES)
    code = "import sys, time; from pathlib import Path; from bandpass.data.atomic import publishing"
    code += "\nwith publishing(Path(sys.argv[1]), overwrite=False): print(flush=True); input()"
    first = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "store"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with first:
        first.stdout.readline()
        with pytest.raises(StoreError, match=f"process {first.pid} is preparing"):
            prepare("one")
        first.kill()


@pytest.mark.parametrize("workers", [1, 2])
def test_damage_stops_the_run_and_names_the_file(tmp_path, workers, monkeypatch):
    cut = lambda number, text: gzip.compress(text)[: None if number else -900]  # noqa: E731
    hours(tmp_path / "raw" / "gharchive", 3, 1000, cut)
    monkeypatch.setattr(parts, "SMALL_FILES", 1)
    options = Options(workers)
    with pytest.raises(DataError, match=r"2015-01-01-0\.json.*after line \d+"):
        prepare_schedule(tmp_path / "raw", tmp_path / "store", None, options)
    kept = Options(workers, keep_damaged=True)
    store = prepare_schedule(tmp_path / "raw", tmp_path / "store", None, kept)
    entry = store.manifest["datasets"][3]
    assert entry["malformed"] == {"damaged file": 1}
    assert entry["malformed_samples"] == [["2015-01-01-0.json", "damaged file"]]
    assert 2000 < entry["windows"]["record"] < 3000
    strict = Options(workers, overwrite=True)
    with pytest.raises(DataError, match=r"2015-01-01-0\.json"):
        prepare_schedule(tmp_path / "raw", tmp_path / "store", None, strict)
    assert open_store(tmp_path / "store").hash == store.hash


def test_a_part_without_the_rest_of_a_damaged_file_is_not_taken_for_whole(
    raw, prepare, monkeypatch
):
    raw("one", a=[*LINES, "!"])
    monkeypatch.setattr("bandpass.data.schedule.prepare._check", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare("one", options=Options(1, keep_damaged=True))
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"a\.txt: is damaged"):
        prepare("one")


@pytest.mark.parametrize("writes", [0, 1, 3, 6, 11])
def test_a_full_disk_is_told_and_nothing_half_written_is_left(
    raw, prepare, monkeypatch, writes, tmp_path
):
    raw("one", a=LINES)
    left = itertools.count()
    write = ColumnWriter._write

    def full(self, data: bytes) -> None:
        with atomic.writing(self._path):
            if next(left) >= writes:
                raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(ColumnWriter, "_write", full)
    with pytest.raises(StoreError, match=r"No space left on device"):
        prepare("one")
    assert not (tmp_path / "store").exists()
    assert not list(tmp_path.glob("store.partial*"))
    monkeypatch.undo()
    assert len(prepare("one").windows) == 7


def test_a_store_that_is_there_is_replaced_on_demand_only(raw, prepare):
    raw("one", a=LINES)
    first = prepare("one")
    with pytest.raises(StoreError, match="--overwrite"):
        prepare("one")
    assert prepare("one", options=Options(1, overwrite=True)).hash == first.hash


def test_progress_counts_every_stage_to_its_end(raw, prepare):
    raw("one", a=LINES, b=["d u:1 1 1 1"])
    seen = []
    store = prepare("one", progress=seen.append)
    last = {each.stage: each for each in seen}
    assert list(last) == [READING, WRITING, CHECKING]
    assert (last[READING].files, last[READING].records) == (2, 4)
    assert last[READING].done == last[READING].total > 0
    assert last[WRITING].done == last[CHECKING].done == last[CHECKING].total == len(store.windows)
    assert all(each.done <= each.total for each in seen)


def test_one_dataset_may_lie_in_the_raw_folder_itself(raw, fakes, tmp_path):
    folder = raw("anywhere", a=LINES)
    store = prepare_schedule(folder, tmp_path / "store", [fakes.source("one")], ONE)
    assert store.datasets == ["one"]


def test_what_is_asked_for_by_name_has_to_be_there(raw, prepare, fakes, tmp_path):
    raw("one", a=LINES)
    with pytest.raises(DataError, match=r"'two' cannot be read: no raw files in .*two; .*x\.org"):
        prepare("one", "two")
    with pytest.raises(DataError, match="'three' cannot be read: too secret"):
        prepare_schedule(
            tmp_path / "raw", tmp_path / "s", [fakes.source("three", blocked="too secret")], ONE
        )
    with pytest.raises(DataError, match="nowhere is no folder"):
        prepare_schedule(tmp_path / "nowhere", tmp_path / "s", None, ONE)
    assert not list(tmp_path.glob("*.key")), "nothing was made"


def test_raw_files_without_a_record_are_refused(raw, prepare, tmp_path):
    raw("one", a=["?", "?"])
    with pytest.raises(DataError, match=r"no record .*: 2 a question mark; first a\.txt:0"):
        prepare("one")
    assert not (tmp_path / "store").exists()


def test_a_fault_of_an_adapter_names_the_file_and_the_record(raw, prepare):
    raw("one", a=["a u:1 10 1440 0"])
    with pytest.raises(DataError, match=re.escape("record 'a': minute is 1440, not in 0 .. 1439")):
        prepare("one")
    raw("one", a=["a u:1 ten 0 0"])
    with pytest.raises(ValueError, match="ten") as failed:
        prepare("one")
    assert "a.txt: this is a fault of its adapter" in failed.value.__notes__[0]


def test_workers_must_be_some():
    with pytest.raises(DataError, match="workers is 0"):
        Options(workers=0)


def test_the_manifest_is_plain_json(raw, prepare):
    raw("one", a=LINES)
    store = prepare("one")
    text = (store.path / "manifest.json").read_text()
    assert json.loads(text)["key"] == store.manifest["key"]
    assert (store.path.with_name("store.key").read_bytes().hex()) not in text


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_files_give_as_many_windows_as_their_readme_says(tmp_path):
    real = Path(os.environ["BANDPASS_DATA"], "schedule")
    sources = [find(name) for name in ("gharchive", "public_jira")]
    store = prepare_schedule(real, tmp_path / "store", sources, ONE)
    github, jira = store.manifest["datasets"]
    assert github["windows"]["record"] == 17_773 + 47_518
    assert jira["records"] == 2 * 2_648 + 464
    assert (jira["windows"]["record"], jira["duplicates"]) == (3_112, 2_648)
    assert (github["malformed"], jira["malformed"]) == ({}, {})
