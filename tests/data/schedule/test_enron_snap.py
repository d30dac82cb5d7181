"""SNAP's email-Enron: an edge is mail of no time."""

import os
import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import UNDATED, Malformed, Record
from bandpass.data.schedule.sources.enron_snap import SOURCE
from bandpass.data.schedule.tokens import EMAIL

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def records(tmp_path: Path, malformed: Malformed) -> list[Record]:
    write(tmp_path)
    (path,) = SOURCE.files(tmp_path)
    return list(SOURCE.read(path, malformed))


def test_a_row_is_mail_in_every_slot_of_no_day(records: list[Record]) -> None:
    assert records[0] == Record(
        id="0-1",
        actors=("u:0", "u:1"),
        day=UNDATED,
        minute=0,
        minutes=1440,
        what=EMAIL,
        priority=0,
        participants=4 / 25,
        text=0,
        completion=0,
        confidence=0.3,
    )


def test_participants_are_the_first_node_and_its_rows(records: list[Record]) -> None:
    people = {r.id: round(r.participants * 25) for r in records}
    assert people == {"0-1": 4, "0-2": 4, "0-3": 4, "1-0": 2, "2-0": 2, "3-0": 3}


def test_a_row_that_comes_twice_is_read_twice(records: list[Record]) -> None:
    assert [r.id for r in records].count("3-0") == 2


def test_bad_rows_are_counted_and_comments_are_not(
    records: list[Record], malformed: Malformed
) -> None:
    assert malformed.counts == {"not two node numbers": 4}
    assert [place for place, _ in malformed.samples] == [
        f"email-Enron.txt.gz:{line}" for line in (9, 11, 12, 14)
    ]


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_file(malformed: Malformed) -> None:
    (path,) = SOURCE.files(Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name))
    ids = {r.id for r in SOURCE.read(path, malformed)}
    assert len(ids) == 294_160
    assert all("-".join(reversed(name.split("-"))) in ids for name in ids)
    assert malformed.counts == {}
