"""EPA in the layout that its adapter assumes."""

import os
import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import UNDATED, Malformed, Record
from bandpass.data.schedule.sources.epa import SOURCE
from bandpass.data.schedule.tokens import EMAIL, TASK
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def test_the_related_set_is_not_read(folder: Path) -> None:
    assert [path.name for path in SOURCE.files(folder)] == ["test.tsv.gz", "train.jsonl"]


def test_an_example_with_a_date_is_a_point_in_utc(folder: Path, malformed: Malformed) -> None:
    first = next(SOURCE.read(folder / "train.jsonl", malformed))
    assert first == Record(
        id="m1-1",
        actors=("u:ann@enron.com",),
        day=11_446,
        minute=20 * 60 + 51,
        minutes=0,
        what=TASK | EMAIL,
        priority=0,
        participants=0.04,
        text=16 / 2000,
        completion=0,
        confidence=0.7,
    )


def test_without_a_date_it_fills_the_whole_of_no_day(folder: Path, malformed: Malformed) -> None:
    _, *others = SOURCE.read(folder / "train.jsonl", malformed)
    assert {(r.day, r.minute, r.minutes) for r in others} == {(UNDATED, 0, 1440)}


def test_only_whose_task_it_is_is_an_actor(folder: Path, malformed: Malformed) -> None:
    train = [r.actors for r in SOURCE.read(folder / "train.jsonl", malformed)]
    assert train == [("u:ann@enron.com",), (), ("u:bob@enron.com",)]
    test = [r.actors for r in SOURCE.read(folder / "test.tsv.gz", malformed)]
    assert test == [(), ("u:carl@enron.com",)]


def test_what_cannot_be_a_record_is_counted(folder: Path, malformed: Malformed) -> None:
    for path in SOURCE.files(folder):
        list(SOURCE.read(path, malformed))
    assert malformed.counts == {
        "wrong number of fields": 1,
        "unknown label": 1,
        "no task": 1,
        "date out of range": 1,
        "not a JSON object": 1,
        "not JSON": 1,
    }
    assert malformed.samples[:2] == [
        ("test.tsv.gz:4", "wrong number of fields"),
        ("train.jsonl:4", "unknown label"),
    ]


def test_a_header_without_a_column_is_named(tmp_path: Path, malformed: Malformed) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("email\ttask\tlabel\nm1\tCall.\t1\n")
    with pytest.raises(DataError, match="has no candidate") as caught:
        list(SOURCE.read(path, malformed))
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_there_is_no_real_file() -> None:
    assert SOURCE.files(Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name)) == []
