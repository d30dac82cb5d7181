"""OpenProject: pages, single work packages, and what is no work package."""

import json
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.project_openproject import SOURCE
from bandpass.data.schedule.tokens import DEADLINE, EMPTY, FEATURES, PROJECT, TASK, dense
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def records(tmp_path: Path, malformed: Malformed) -> list[Record]:
    write(tmp_path)
    return [r for path in SOURCE.files(tmp_path) for r in SOURCE.read(path, malformed)]


@pytest.fixture
def by_id(records: list[Record]) -> dict[str, Record]:
    return {record.id: record for record in reversed(records)}


def test_work_packages_of_all_files_are_read_and_duplicates_kept(records: list[Record]) -> None:
    assert [r.id for r in records] == ["10", "1", "2", "3", "4", "5", "9", "1"]


def test_the_worked_example_comes_out_exactly(by_id: dict[str, Record]) -> None:
    runs = runs_of(pack([by_id["1"]], Hasher(b"key", SOURCE.name)).records)
    window = dense(runs, np.zeros(1, np.int64), np.empty((1, *EMPTY.shape), np.float32))[0]
    expected = EMPTY.copy()
    for name, value in {
        "task": 1,
        "project_activity": 1,
        "priority": 0.5,
        "text_length": 0.114,
        "source_confidence": 0.85,
    }.items():
        expected[56, FEATURES.index(name)] = value
    np.testing.assert_array_equal(window, expected)


def test_the_project_owns_a_work_package_and_people_follow_once(by_id: dict[str, Record]) -> None:
    assert by_id["1"].actors == ("p:7", "u:3")


def test_a_due_date_or_the_date_of_a_milestone_is_a_deadline(by_id: dict[str, Record]) -> None:
    assert by_id["2"].what == by_id["5"].what == TASK | PROJECT | DEADLINE
    assert by_id["1"].what == TASK | PROJECT


def test_the_share_done_is_the_completion_unless_the_status_closes(
    by_id: dict[str, Record],
) -> None:
    assert [by_id[i].completion for i in "123"] == [0, 0.4, 1]


def test_named_priorities_are_levels_and_others_are_in_the_middle(
    by_id: dict[str, Record],
) -> None:
    assert [by_id[i].priority for i in "1345"] == [0.5, 0.75, 0.5, 0]


def test_zoned_moments_go_to_utc_and_naive_ones_stay(by_id: dict[str, Record]) -> None:
    assert by_id["3"].day == by_id["1"].day + 1
    assert by_id["3"].minute == 50
    assert by_id["9"].minute == by_id["10"].minute == 480
    assert by_id["9"].day == by_id["10"].day


def test_the_edges_of_the_calendar_are_kept(by_id: dict[str, Record]) -> None:
    first, last = np.array(["0016-01-01", "9999-12-31"], "datetime64[D]").astype(int).tolist()
    assert (by_id["4"].day, by_id["4"].minute) == (first, 0)
    assert (by_id["5"].day, by_id["5"].minute) == (last, 1439)


def test_what_cannot_be_a_record_is_counted(records: list[Record], malformed: Malformed) -> None:
    assert records
    assert malformed.counts == {
        "no createdAt": 1,
        "date out of range": 1,
        "percentageDone out of range": 1,
        "no id": 1,
        "no _type": 1,
    }
    assert malformed.samples[0] == ("work_packages_1.json:6", "no createdAt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"_type": "WorkPackageCollection", "_embe', "not JSON"),
        ('"work packages"', "holds no object or array"),
        (json.dumps({"_type": "Error", "message": "Not found"}), "an error that the server"),
    ],
)
def test_a_file_that_is_no_answer_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "page.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(SOURCE.read(path, Malformed()))
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_examples_of_the_documentation(malformed: Malformed) -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name)
    found = [r for path in SOURCE.files(folder) for r in SOURCE.read(path, malformed)]
    assert [r.id for r in found] == ["1528", "1528"]  # the work package of 2019, and of today
    assert malformed.counts == {"no createdAt": 6}  # two placeholders in each of three collections
