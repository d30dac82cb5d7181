"""Every schedule source keeps the contract of `ScheduleSource` on a look-alike in its raw layout.

A source is tested by being in `SCHEDULE_SOURCES`; ``tests/data/schedule/<name>/make.py`` writes the
look-alike, bad records among it.
"""

import gzip
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import EPOCH, SAMPLES, UNDATED, Malformed, Record, ScheduleSource
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources import SCHEDULE_SOURCES, find
from bandpass.data.schedule.tokens import DAY, EMPTY, FEATURES, dense
from bandpass.data.series import DataError

DATA = Path(__file__).parents[1] / "data" / "schedule"
PAGE = Path(__file__).parents[2] / "docs" / "schedule-sources.md"
OPEN = [name for name, source in SCHEDULE_SOURCES.items() if not source.blocked]
BLOCKED = [name for name, source in SCHEDULE_SOURCES.items() if source.blocked]
JSON = [name for name in OPEN if ".json" in find(name).layout]
CONFIDENCE = {
    "calendar_ics_thunderbird": 1,
    "project_openproject": 0.85,
    "project_taiga": 0.85,
    "gharchive": 0.9,
    "ms_latte": 0.9,
    "epa": 0.7,
    "enron_maildir": 0.8,
    "enron_cornell": 0.8,
    "enron_snap": 0.3,
    "public_jira": 0.8,
    "smart_todo_coded": 0.6,
}
FLAGS = slice(FEATURES.index("calendar_event"), FEATURES.index("deadline") + 1)


def write(name: str, folder: Path) -> Path:
    script = DATA / name / "make.py"
    assert script.is_file(), f"{script} must write a look-alike of {name!r}"
    folder.mkdir(exist_ok=True)
    runpy.run_path(str(script))["write"](folder)
    return folder


def read(source: ScheduleSource, folder: Path) -> tuple[list[Record], Malformed]:
    malformed = Malformed()
    return [r for path in source.files(folder) for r in source.read(path, malformed)], malformed


@pytest.fixture(params=OPEN)
def source(request: pytest.FixtureRequest) -> ScheduleSource:
    return find(request.param)


@pytest.fixture
def raw(source: ScheduleSource, tmp_path: Path) -> Path:
    return write(source.name, tmp_path / source.name)


@pytest.mark.parametrize("name", SCHEDULE_SOURCES)
def test_the_card_is_complete(name: str) -> None:
    source = find(name)
    assert source.name == name
    assert all((source.title, source.licence, source.home, source.layout))
    assert "\n" not in source.title + source.licence + source.home + source.blocked
    assert source.blocked or source.layout.startswith("RAW/")


def test_eleven_sources_are_open_and_two_are_blocked() -> None:
    assert set(OPEN) == set(CONFIDENCE)
    assert BLOCKED == list(SCHEDULE_SOURCES)[-2:] == ["smart_todo_decoded_gated", "blocked_sources"]


def test_a_name_that_is_wrong_meets_the_nearest() -> None:
    with pytest.raises(DataError, match="'ms_late': did you mean 'ms_latte'"):
        find("ms_late")


def test_the_page_has_every_source_and_its_confidence() -> None:
    page = PAGE.read_text()
    table = page.split("\n## What a record is\n")[1].split("\n\n")[0].strip()
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert {row[0].strip("`"): float(row[-1]) for row in rows} == CONFIDENCE
    assert [name for name in SCHEDULE_SOURCES if f"\n**{name}**" not in page] == []


@pytest.mark.parametrize("name", BLOCKED)
def test_a_blocked_source_finds_nothing_to_read(name: str, tmp_path: Path) -> None:
    assert read(find(name), write(name, tmp_path)) == ([], Malformed())


def test_the_look_alike_has_records_and_bad_ones(source: ScheduleSource, raw: Path) -> None:
    paths = source.files(raw)
    assert paths == sorted(set(paths), key=paths.index) != []
    records, malformed = read(source, raw)
    assert len(records) > 2
    assert sum(malformed.counts.values()) > 0
    assert len(malformed.samples) == min(sum(malformed.counts.values()), SAMPLES)


def test_what_is_not_of_the_layout_is_ignored(source: ScheduleSource, raw: Path) -> None:
    before = source.files(raw)
    for name in ("README.md", "LICENSE", ".hidden.json", "notes.docx"):
        (raw / name).write_text("not data")
    assert source.files(raw) == before


def test_an_empty_folder_has_no_files(source: ScheduleSource, tmp_path: Path) -> None:
    assert source.files(tmp_path) == []


def test_two_reads_are_equal(source: ScheduleSource, raw: Path) -> None:
    assert read(source, raw) == read(source, raw)


def test_duplicate_ids_pass_through(source: ScheduleSource, raw: Path) -> None:
    records, malformed = read(source, raw)
    twice = [r for path in source.files(raw) * 2 for r in source.read(path, malformed)]
    assert sorted(twice) == sorted(records * 2)


def test_every_field_is_in_its_range(source: ScheduleSource, raw: Path) -> None:
    for record in read(source, raw)[0]:
        assert record.id
        assert all(actor[:2] in ("u:", "p:") and len(actor) > 2 for actor in record.actors)
        assert len(set(record.actors)) == len(record.actors)
        assert record.day == UNDATED or 1 <= record.day + EPOCH <= 3_652_059
        assert 0 <= record.minute < DAY
        assert record.minutes >= 0
        assert 0 < record.what < 128
        assert all(0 <= amount <= 1 for amount in record[6:])
        assert record.confidence == CONFIDENCE[source.name]


def test_an_undated_record_without_a_time_of_day_fills_the_day(
    source: ScheduleSource, raw: Path
) -> None:
    for record in read(source, raw)[0]:
        if record.day == UNDATED and source.name != "ms_latte":
            assert (record.minute, record.minutes) == (0, DAY)


def test_only_identifiers_are_words(source: ScheduleSource, raw: Path) -> None:
    records, malformed = read(source, raw)
    for record in records:
        assert all(type(value) in (int, float) for value in record[2:])
    names = {part for path in raw.rglob("*") for part in (path.name, path.name.split(".")[0])}
    for place, reason in malformed.samples:
        assert any(name in place for name in names), "a place is a file, and where in it"
        assert len(reason) < 40, "a reason quotes nothing"


def test_records_become_windows(source: ScheduleSource, raw: Path) -> None:
    records = read(source, raw)[0]
    packed = pack(records, Hasher(b"key", source.name)).records
    out = np.empty((len(records), *EMPTY.shape), np.float32)
    windows = dense(runs_of(packed), np.arange(len(records)), out)
    assert ((windows >= 0) & (windows <= 1)).all()
    active = windows[:, :, FLAGS].any(axis=2)
    first = np.array([record.minute // 15 for record in records])
    np.testing.assert_array_equal(active.argmax(axis=1), first)


def first_file(source: ScheduleSource, raw: Path) -> Path:
    return next(path for path in source.files(raw) if path.is_file())


def failure(source: ScheduleSource, path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(source.read(path, Malformed()))
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_truncated_gzip_is_named_with_its_mend(source: ScheduleSource, raw: Path) -> None:
    path = first_file(source, raw)
    data = path.read_bytes()
    packed = data if data.startswith(b"\x1f\x8b") else gzip.compress(data)
    path.write_bytes(packed[: len(packed) // 2])
    assert "download" in failure(source, path)


def test_an_empty_file_is_named(source: ScheduleSource, raw: Path) -> None:
    path = first_file(source, raw)
    path.write_bytes(b"")
    failure(source, path)


def test_a_directory_in_place_of_a_file_is_named(source: ScheduleSource, raw: Path) -> None:
    path = first_file(source, raw)
    path.unlink()
    (path / "inside").mkdir(parents=True)
    failure(source, path)


@pytest.mark.parametrize("source", JSON, indirect=True)
def test_json_cut_in_two_loses_no_record_in_silence(source: ScheduleSource, raw: Path) -> None:
    path = next(path for path in source.files(raw) if ".json" in path.name)
    data = path.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    whole = Malformed()
    count = len(list(source.read(path, whole)))
    lines = data.rstrip().split(b"\n")
    place = len(lines) // 2 if lines[0].rstrip().endswith(b"}") else 0
    lines[place] = lines[place][: len(lines[place]) // 2]
    path.write_bytes(b"\n".join(lines))
    if place == 0:  # one document: all or nothing
        failure(source, path)
    else:
        cut = Malformed()
        left = len(list(source.read(path, cut)))
        assert count - 1 <= left
        assert left + sum(cut.counts.values()) == count + sum(whole.counts.values())


def test_a_missing_file_is_named(source: ScheduleSource, raw: Path) -> None:
    path = first_file(source, raw)
    shutil.rmtree(raw)
    failure(source, path)
