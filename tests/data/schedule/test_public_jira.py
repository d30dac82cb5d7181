"""Public Jira: an issue is the same in its raw and in its plain form."""

import json
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import EPOCH, Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.public_jira import SOURCE
from bandpass.data.schedule.tokens import DEADLINE, EMPTY, FEATURES, PROJECT, TASK, dense
from bandpass.data.series import DataError

MAKE = runpy.run_path(str(Path(__file__).parent / "public_jira" / "make.py"))
RAW, PLAIN, PAGE = "issues_full.jsonl.gz", "public_jira_normalised.jsonl.gz", "page-1.json"
DAY = 14132  # 2008-09-10


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    MAKE["write"](tmp_path)
    return tmp_path


def read(path: Path) -> tuple[dict[str, Record], Malformed]:
    malformed = Malformed()
    return {record.id: record for record in SOURCE.read(path, malformed)}, malformed


def one(tmp_path: Path, issue: dict[str, object]) -> Record:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(issue))
    (record,) = read(path)[0].values()
    return record


def test_answers_are_read_before_lines_and_nothing_else(raw: Path) -> None:
    assert [path.name for path in SOURCE.files(raw)] == [PAGE, RAW, PLAIN]


@pytest.mark.parametrize("name", [RAW, PLAIN])
def test_an_issue_of_six_fields_is_the_worked_example_in_both_forms(raw: Path, name: str) -> None:
    record = read(raw / name)[0]["ENGINE-1"]
    rows = pack([record], Hasher(b"key", "public_jira")).records
    window = dense(runs_of(rows), np.zeros(1, np.int64), np.empty((1, 96, 16), np.float32))[0]
    expected = EMPTY.copy()
    for feature, value in {
        "task": 1,
        "project_activity": 1,
        "text_length": 0.019,
        "source_confidence": 0.8,
    }.items():
        expected[27, FEATURES.index(feature)] = value
    np.testing.assert_array_equal(window, expected)


def test_both_forms_of_an_issue_differ_in_people_only(raw: Path) -> None:
    full, plain = read(raw / RAW)[0], read(raw / PLAIN)[0]
    for key, record in full.items():
        assert record._replace(actors=()) == plain[key]._replace(actors=())
        assert record.actors == ("p:ENGINE", "u:ada", "u:charles")
        assert plain[key].actors == ("p:ENGINE",)


def test_due_date_resolution_and_status_are_read(raw: Path) -> None:
    records = read(raw / PLAIN)[0]
    due, closed = records["ENGINE-2"], records["ENGINE-3"]
    assert (due.day, due.minute, due.minutes) == (DAY, 6 * 60 + 48, 0)
    assert (due.what, due.completion, due.priority) == (TASK | PROJECT | DEADLINE, 1, 1)
    assert (closed.what, closed.completion, closed.priority) == (TASK | PROJECT, 1, 0.25)
    assert closed.text == len("Fix 387 and 389") / 2000


@pytest.mark.parametrize(
    ("name", "priority"),
    [
        ("Blocker", 1),
        ("critical", 0.75),
        ("Major - P3", 0.5),
        ("Low", 0.25),
        ("Trivial", 0),
        ("Urgent-ish", 0.5),  # a level, but nobody knows which
        ("", 0),
        (None, 0),
        (3, 0),
    ],
)
def test_priorities_are_spread_evenly_by_the_first_word(
    tmp_path: Path, name: object, priority: float
) -> None:
    assert one(tmp_path, MAKE["raw"]("A-1", priority={"name": name})).priority == priority
    assert one(tmp_path, MAKE["plain"]("A-1", priority=name)).priority == priority


def test_a_project_is_the_key_up_to_its_last_dash(raw: Path) -> None:
    assert read(raw / PLAIN)[0]["MY-TOOL-9"].actors == ("p:MY-TOOL",)


def test_a_page_of_answers_and_a_single_answer_are_read(raw: Path, tmp_path: Path) -> None:
    records, malformed = read(raw / PAGE)
    assert list(records) == ["CLOUD-1", "CLOUD-2", "CLOUD-3"]
    assert records["CLOUD-1"].actors == ("p:CLOUD", "u:5b10")
    assert records["CLOUD-2"].day == 5479 - EPOCH
    assert records["CLOUD-3"].day == 3652059 - EPOCH
    assert malformed.counts == {}
    assert one(tmp_path, MAKE["RAW"][0]) == read(raw / RAW)[0]["ENGINE-1"]


def test_what_is_no_issue_is_counted_with_its_place(raw: Path, tmp_path: Path) -> None:
    records, malformed = read(raw / RAW)
    assert list(records) == ["ENGINE-1", "ENGINE-2", "ENGINE-3"]
    assert malformed.samples == [(f"{RAW}:{4 + i}", why) for i, why in enumerate(MAKE["BAD"])]
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"issues": [None, MAKE["RAW"][0], {"key": "A-1"}]}))
    records, malformed = read(page)
    assert list(records) == ["ENGINE-1"]
    assert malformed.samples == [
        ("page.json:1", "not a JSON object"),
        ("page.json:3", "no created"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n{}\n", r"not one JSON document .*; call a file of one issue a line \.jsonl"),
        ('{"issues": [', r"not one JSON document"),
        ('{"issues": null}', "neither an issue nor a page of issues; expected\nRAW/public_jira"),
        ('{"errorMessages": ["no"]}', "neither an issue nor a page"),
        ("[]", "neither an issue nor a page"),
    ],
)
def test_an_answer_of_another_shape_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"answer\.json: {message}"):
        read(path)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_files_hold_what_their_readme_counts() -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", "public_jira")
    found = {path.name: read(path) for path in SOURCE.files(folder)}
    records = {name: by_key for name, (by_key, _) in found.items()}
    assert {name: len(by_key) for name, by_key in records.items()} == {
        "apache_nutch_464.jsonl.gz": 464,
        RAW: 2648,
        PLAIN: 2648,
    }
    assert all(malformed.counts == {} for _, malformed in found.values())
    assert len(set().union(*records.values())) == 3112
    full, plain = records[RAW], records[PLAIN]
    for key, record in full.items():
        assert record._replace(actors=record.actors[:1]) == plain[key]
    assert sum(bool(record.what & DEADLINE) for record in full.values()) == 304
    assert sum(record.completion for record in full.values()) == 2198
