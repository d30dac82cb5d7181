"""GH Archive: events to records, in the hourly files and in the table of headers."""

import gzip
import json
import os
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import EPOCH, Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.gharchive import SOURCE
from bandpass.data.schedule.tokens import CODE, DEADLINE, EMPTY, FEATURES, PROJECT, TASK, dense
from bandpass.data.series import DataError

MAKE = runpy.run_path(str(Path(__file__).parent / "gharchive" / "make.py"))
HOUR, TABLE = "2015-01-01-0.json.gz", "2015-01_events.csv.gz"
NEW_YEAR = 16436


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    MAKE["write"](tmp_path)
    return tmp_path


def read(path: Path) -> tuple[dict[str, Record], Malformed]:
    malformed = Malformed()
    return {record.id: record for record in SOURCE.read(path, malformed)}, malformed


def one(tmp_path: Path, **changes: object) -> Record:
    """The record of the first event with something changed."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps(MAKE["GOOD"][0] | changes))
    (record,) = read(path)[0].values()
    return record


def test_hours_are_read_before_tables_and_nothing_else(raw: Path) -> None:
    assert [path.name for path in SOURCE.files(raw)] == [HOUR, TABLE]


def test_a_push_at_midnight_is_the_worked_example(raw: Path) -> None:
    record = read(raw / HOUR)[0]["1"]
    rows = pack([record], Hasher(b"key", "gharchive")).records
    window = dense(runs_of(rows), np.zeros(1, np.int64), np.empty((1, 96, 16), np.float32))[0]
    expected = EMPTY.copy()
    for name, value in {
        "project_activity": 1,
        "code_activity": 1,
        "text_length": 0.004,
        "source_confidence": 0.9,
    }.items():
        expected[0, FEATURES.index(name)] = value
    np.testing.assert_array_equal(window, expected)


def test_an_event_belongs_to_the_person_and_the_repository(raw: Path) -> None:
    assert read(raw / HOUR)[0]["1"].actors == ("u:101", "p:7")
    assert read(raw / TABLE)[0]["32"].actors == ("p:7",)


@pytest.mark.parametrize(
    ("event", "what", "characters", "completion"),
    [
        ("2", PROJECT | CODE, 0, 0),
        ("3", PROJECT | TASK | DEADLINE, len("Broken" + "It broke."), 0),
        ("4", PROJECT | TASK, len("Broken" + "It broke."), 1),
        ("5", PROJECT | DEADLINE, len("Why?"), 0),
        ("6", PROJECT | CODE, len("Add"), 1),
        ("7", PROJECT, 0, 0),
        ("8", PROJECT, 0, 0),
        ("9", PROJECT, 0, 0),
    ],
)
def test_an_event_is_what_its_type_and_its_payload_say(
    raw: Path, event: str, what: int, characters: int, completion: float
) -> None:
    record = read(raw / HOUR)[0][event]
    assert (record.day, record.minute, record.minutes) == (NEW_YEAR, 7, 0)
    assert (record.what, record.completion) == (what, completion)
    assert record.text == characters / 2000
    assert (record.priority, record.participants, record.confidence) == (0, 0, 0.9)


def test_messages_of_a_push_are_added_up_to_the_most_there_is(tmp_path: Path) -> None:
    assert one(tmp_path, payload=MAKE["commits"]("one", "three")).text == 8 / 2000
    assert one(tmp_path, payload=MAKE["commits"]("long" * 5000, "er")).text == 1


def test_moments_of_any_year_and_zone_are_brought_to_utc(raw: Path) -> None:
    records = read(raw / HOUR)[0]
    assert (records["10"].day, records["10"].minute) == (5479 - EPOCH, 12 * 60)
    assert records["11"].day == 3652059 - EPOCH
    assert (records["12"].day, records["12"].minute) == (NEW_YEAR, 67)
    assert (records["13"].day, records["13"].minute) == (NEW_YEAR, 7)


def test_odd_parts_of_an_event_are_read_as_absent(tmp_path: Path) -> None:
    for payload in (None, [], "x", {"commits": None}, {"commits": [None, {"message": 5}]}):
        record = one(tmp_path, payload=payload)
        assert (record.what, record.text, record.completion) == (PROJECT | CODE, 0, 0)
    odd = {"issue": {"milestone": "soon", "title": ["a"], "body": None}}
    assert one(tmp_path, type="IssuesEvent", payload=odd).what == PROJECT | TASK
    assert one(tmp_path, type=None).what == PROJECT
    assert one(tmp_path, actor=None, repo="ada/engine").actors == ()
    assert one(tmp_path, actor={"id": 3}, repo=None).actors == ("u:3",)


def test_what_is_no_event_is_counted_with_its_place(raw: Path) -> None:
    records, malformed = read(raw / HOUR)
    assert len(records) == len(MAKE["GOOD"])
    assert malformed.counts == dict.fromkeys(MAKE["BAD"], 1)
    places = [(f"{HOUR}:{4 + i}", reason) for i, reason in enumerate(MAKE["BAD"])]
    assert malformed.samples == places


def test_a_table_row_is_the_event_without_its_texts(raw: Path) -> None:
    records, malformed = read(raw / TABLE)
    assert list(records) == ["1", "30", "31", "32"]
    assert records["1"] == read(raw / HOUR)[0]["1"]._replace(text=0.0)
    closed = records["30"]
    assert (closed.day, closed.minute, closed.what) == (NEW_YEAR, 826, PROJECT | TASK)
    assert closed.completion == 1
    assert records["31"].what == PROJECT | CODE
    assert malformed.counts == dict.fromkeys(MAKE["BAD_ROWS"], 1)
    assert [place for place, _ in malformed.samples] == [f"{TABLE}:4", f"{TABLE}:5"]


def test_an_open_quote_costs_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "quote.csv"
    broken = [MAKE["ROWS"][0].replace("ada", f'"{word}') for word in ("ada", "a" * 200_000)]
    path.write_text("\n".join([MAKE["COLUMNS"], *broken, MAKE["ROWS"][1]]))
    records, malformed = read(path)
    assert list(records) == ["30"]
    why = "not as many columns as the header"
    assert malformed.samples == [("quote.csv:2", why), ("quote.csv:3", why)]


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("issuekey,delaydays\nA-1,0\n")
    with pytest.raises(DataError, match=r"other\.csv: the header has no column 'id'; it needs id,"):
        read(path)


def test_a_truncated_hour_gives_its_events_and_then_fails(raw: Path) -> None:
    packed = (raw / HOUR).read_bytes()
    (raw / HOUR).write_bytes(packed[:-9])
    seen: list[Record] = []
    with pytest.raises(DataError, match=r"2015-01-01-0\.json\.gz: the gzip data ends too early"):
        seen.extend(SOURCE.read(raw / HOUR, Malformed()))  # keeps what came before
    # The last line has no end, so nobody knows whether it is whole.
    assert [record.id for record in seen] == [event["id"] for event in MAKE["GOOD"][:-1]]


def test_a_plain_hour_reads_like_its_gzip(raw: Path) -> None:
    plain = raw / "2015-01-01-0.json"
    plain.write_bytes(gzip.decompress((raw / HOUR).read_bytes()))
    assert read(plain)[0] == read(raw / HOUR)[0]


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_files_hold_what_their_readme_counts() -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", "gharchive")
    counts, flags, malformed = Counter(), Counter(), Malformed()
    for path in SOURCE.files(folder):
        for record in SOURCE.read(path, malformed):
            counts[path.name] += 1
            flags[path.suffixes[0]] += bool(record.what & DEADLINE)
    assert counts == {
        "2015-01-01-12.json.gz": 8273,
        "2017-07-24_26_kubernetes.json.gz": 8500,
        "2021-07-21-9_first1000.json.gz": 1000,
        "2017-06_kubernetes_events.csv.gz": 47518,
    }
    assert flags == {".json": 42 + 434, ".csv": 0}
    assert malformed.counts == {}
