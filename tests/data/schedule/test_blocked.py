"""What may not be read is left alone, and the reason is given."""

import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import Malformed
from bandpass.data.schedule.sources import SCHEDULE_SOURCES

MISSING = {
    "blocked_sources": "no public dump exists",
    "smart_todo_decoded_gated": "LDC2015T03",
}


def test_no_other_source_is_blocked() -> None:
    assert {name for name, source in SCHEDULE_SOURCES.items() if source.blocked} == set(MISSING)


@pytest.mark.parametrize("name", MISSING)
def test_whatever_lies_there_is_left_alone(tmp_path: Path, malformed: Malformed, name: str) -> None:
    runpy.run_path(str(Path(__file__).parent / name / "make.py"))["write"](tmp_path)
    source = SCHEDULE_SOURCES[name]
    assert source.files(tmp_path) == []
    (path,) = tmp_path.iterdir()
    assert list(source.read(path, malformed)) == []
    assert malformed == Malformed()


@pytest.mark.parametrize(("name", "missing"), MISSING.items())
def test_the_reason_says_what_is_missing_and_what_to_use(name: str, missing: str) -> None:
    assert missing in SCHEDULE_SOURCES[name].blocked
    assert "; use " in SCHEDULE_SOURCES[name].blocked
