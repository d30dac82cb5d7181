"""Cornell's email-Enron: three files in step."""

import os
import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import Malformed, Record
from bandpass.data.schedule.sources.enron_cornell import SOURCE
from bandpass.data.schedule.tokens import EMAIL
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]
FULL, CORE = "email-Enron-full-nverts.txt.gz", "email-Enron-nverts.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def test_both_variants_are_read_side_by_side(folder: Path, malformed: Malformed) -> None:
    assert [path.name for path in SOURCE.files(folder)] == [FULL, CORE]
    full, core = ([r for r in SOURCE.read(folder / name, malformed)] for name in (FULL, CORE))
    assert [r.id for r in full] == [f"email-Enron-full/{number}" for number in (1, 2, 4)]
    assert [r.id for r in core] == [f"email-Enron/{number}" for number in (1, 2, 4)]
    assert [r[1:] for r in full] == [r[1:] for r in core]


def test_a_simplex_is_a_mail_of_its_first_vertex(folder: Path, malformed: Malformed) -> None:
    assert next(SOURCE.read(folder / CORE, malformed)) == Record(
        id="email-Enron/1",
        actors=("u:4", "u:117"),
        day=10_967,  # 2000-01-11 10:29
        minute=10 * 60 + 29,
        minutes=0,
        what=EMAIL,
        priority=0,
        participants=2 / 25,
        text=0,
        completion=0,
        confidence=0.8,
    )


def test_times_count_from_the_first_to_the_last_day(folder: Path, malformed: Malformed) -> None:
    _, first, last = SOURCE.read(folder / CORE, malformed)
    assert (first.day, first.minute) == (-719_162, 0)
    assert (last.day, last.minute) == (2_932_896, 1439)


def test_what_is_no_mail_is_counted_and_keeps_the_files_in_step(
    folder: Path, malformed: Malformed
) -> None:
    *_, last = SOURCE.read(folder / CORE, malformed)
    assert last.actors == ("u:9",)
    assert malformed.samples == [
        ("email-Enron-times.txt:3", "date out of range"),
        ("email-Enron-nverts.txt:5", "no vertices"),
        ("email-Enron-times.txt:6", "date out of range"),
    ]


def test_a_vertex_that_is_named_twice_is_one_person(folder: Path, malformed: Malformed) -> None:
    (folder / "email-Enron-simplices.txt").write_text("4\n4\n1\n2\n3\n2\n4\n9\n5\n5\n6\n")
    first = next(SOURCE.read(folder / CORE, malformed))
    assert (first.actors, first.participants) == (("u:4",), 1 / 25)


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("nverts", "2\n3\n2\n1\n0\n", "nverts.txt: ends after 5 simplices"),
        ("nverts", "2\n3\n2\n1\n0\n2\n", "nverts.txt: ends after 6 simplices"),
        ("times", "1\n2\n", "times.txt: ends after 2 simplices"),
        ("simplices", "4\n117\n1\n2\n", "simplices.txt: ends after 1 simplices"),
        ("simplices", "4\nx\n", "simplices.txt:2: not a whole number"),
        ("times", "1\n2.5\n", "times.txt:2: not a whole number"),
    ],
)
def test_files_out_of_step_are_named(folder: Path, part: str, content: str, message: str) -> None:
    (folder / f"email-Enron-{part}.txt").write_text(content)
    with pytest.raises(DataError, match=f"email-Enron-{message}.*; download"):
        list(SOURCE.read(folder / CORE, Malformed()))


def test_a_file_that_is_missing_is_named(folder: Path, malformed: Malformed) -> None:
    (folder / "email-Enron-times.txt").unlink()
    with pytest.raises(DataError, match=r"email-Enron-times.txt\[.gz\]: no such file"):
        list(SOURCE.read(folder / CORE, malformed))


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_files(malformed: Malformed) -> None:
    (path,) = SOURCE.files(Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name))
    found = list(SOURCE.read(path, malformed))
    assert len(found) == len({r.id for r in found}) == 8706
    assert len({actor for r in found for actor in r.actors}) == 140
    assert sum(len(r.actors) for r in found) == 21_631
    days = [r.day for r in found]
    assert (min(days), max(days)) == (10_544, 11_601)  # the last fifth is withheld
    assert malformed.counts == {}
