"""Taiga: what is an issue, a task or a story, from the API and from exports."""

import os
import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import Malformed, Record
from bandpass.data.schedule.sources.project_taiga import SOURCE
from bandpass.data.schedule.tokens import DEADLINE, PROJECT, TASK
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def read(folder: Path, name: str, malformed: Malformed) -> list[Record]:
    return list(SOURCE.read(folder / name, malformed))


def test_an_issue_is_a_point_at_its_creation(folder: Path, malformed: Malformed) -> None:
    first, second = read(folder, "issues.json", malformed)
    assert first == Record(
        id="issue 1/1 2020-07-02T11:56:33.225Z",
        actors=("p:1", "u:7"),
        day=18_445,
        minute=11 * 60 + 56,
        minutes=0,
        what=TASK | PROJECT,
        priority=0.5,
        participants=0,
        text=18 / 2000,
        completion=0,
        confidence=0.85,
    )
    assert (second.minute, second.what, second.completion) == (
        1439,
        TASK | PROJECT | DEADLINE,
        1,
    )


def test_what_cannot_be_a_record_is_counted(folder: Path, malformed: Malformed) -> None:
    read(folder, "issues.json", malformed)
    assert malformed.counts == {
        "no created_date": 1,
        "date out of range": 1,
        "no id": 1,
        "not a JSON object": 1,
    }
    assert malformed.samples[0] == ("issues.json:3", "no created_date")


def test_a_finish_completes_where_nothing_says_closed(folder: Path, malformed: Malformed) -> None:
    assert [r.completion for r in read(folder, "tasks.json", malformed)] == [0, 1]


def test_all_who_are_assigned_are_actors_once(folder: Path, malformed: Malformed) -> None:
    (story,) = read(folder, "story.json", malformed)  # a single object, as for one number
    assert story.actors == ("p:1", "u:7", "u:9", "u:11")


@pytest.mark.parametrize("name", ["milestones.json", "epics.json"])
def test_other_objects_are_passed_over(folder: Path, malformed: Malformed, name: str) -> None:
    assert read(folder, name, malformed) == []
    assert malformed.counts == {}


def test_two_servers_that_count_from_one_do_not_clash(folder: Path, malformed: Malformed) -> None:
    (other,) = read(folder, "another_server_issues.json", malformed)
    assert other.id not in {r.id for r in read(folder, "issues.json", malformed)}


def test_an_export_has_names_and_its_own_numbers(folder: Path, malformed: Malformed) -> None:
    records = read(folder, "export.json.gz", malformed)
    assert [r.id.split("/")[0] for r in records] == [
        f"{kind} a-project" for kind in ("issue", "task", "story")
    ]
    assert [r.minute for r in records] == [0, 15, 30]
    assert [r.priority for r in records] == [1, 0.5, 0.5]
    assert [r.completion for r in records] == [0, 0, 1]
    assert {r.actors for r in records} == {("p:a-project", "u:ada@example.org")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"id": 1, "severity": 3, "creat', "not JSON"),
        ("3", "holds no object or array"),
        ('{"_error_message": "Not found."}', "an error that the server"),
    ],
)
def test_a_file_that_is_no_answer_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "issues.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        list(SOURCE.read(path, Malformed()))
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_answers_of_two_servers(malformed: Malformed) -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name)
    found = [r for path in SOURCE.files(folder) for r in SOURCE.read(path, malformed)]
    kinds = [r.id.split()[0] for r in found]
    # 27 + 20, 29 + 10 and 22 + 16 + 3 in lists, and two single objects of each kind.
    assert [kinds.count(kind) for kind in ("issue", "task", "story")] == [49, 41, 43]
    # Of the single objects only the issue of the list call is not in a list as well.
    assert len({r.id for r in found}) == 128
    assert malformed.counts == {}
