"""MS-LaTTE: the time of day that most judges named."""

import os
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import UNDATED, Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.ms_latte import SOURCE
from bandpass.data.schedule.tokens import EMPTY, FEATURES, dense
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def records(tmp_path: Path, malformed: Malformed) -> list[Record]:
    write(tmp_path)
    (path,) = SOURCE.files(tmp_path)
    return list(SOURCE.read(path, malformed))


def assert_is_the_worked_example(record: Record) -> None:
    runs = runs_of(pack([record], Hasher(b"key", SOURCE.name)).records)
    window = dense(runs, np.zeros(1, np.int64), np.empty((1, *EMPTY.shape), np.float32))[0]
    expected = EMPTY.copy()
    for name, value in {
        "task": 1,
        "priority": 0.5,
        "participant_count": 0.6,
        "text_length": 0.008,
        "source_confidence": 0.9,
    }.items():
        expected[36, FEATURES.index(name)] = value
    np.testing.assert_array_equal(window, expected)


def test_the_worked_example_comes_out_exactly(records: list[Record]) -> None:
    assert_is_the_worked_example(records[0])


def test_no_task_has_a_day_or_an_actor(records: list[Record]) -> None:
    assert {(r.day, r.actors) for r in records} == {(UNDATED, ())}


def test_the_earlier_of_equally_many_wins(records: list[Record]) -> None:
    assert (records[1].minute, records[1].participants) == (18 * 60, 0.4)


def test_a_task_of_which_nobody_knows_the_time_fills_the_day(records: list[Record]) -> None:
    assert (records[2].minute, records[2].minutes, records[2].participants) == (0, 1440, 0)


def test_anytime_is_noon_and_duplicates_are_kept(records: list[Record]) -> None:
    assert [(r.id, r.minute, r.participants) for r in records[3:]] == [("4", 720, 1)] * 2


def test_what_cannot_be_a_record_is_counted(records: list[Record], malformed: Malformed) -> None:
    assert len(records) == 5
    assert malformed.counts == {"unknown time of day": 1, "no ID": 2, "no TimeJudgements": 1}
    assert malformed.samples[0] == ("MS-LaTTE.json:6", "unknown time of day")


@pytest.mark.parametrize(("content", "message"), [("[{", "not JSON"), ("{}", "no array of tasks")])
def test_a_file_of_another_form_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "MS-LaTTE.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(SOURCE.read(path, Malformed()))
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_sample(malformed: Malformed) -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name)
    found = [r for path in SOURCE.files(folder) for r in SOURCE.read(path, malformed)]
    assert len(found) == len({r.id for r in found}) == 158
    assert malformed.counts == {}
    assert_is_the_worked_example(found[0])
    assert Counter(r.minute // 60 for r in found) == {18: 63, 13: 57, 9: 30, 12: 4, 21: 4}
