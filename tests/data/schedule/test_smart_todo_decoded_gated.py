"""What may not be read is left alone, and the reason is given."""

import runpy
from pathlib import Path

from bandpass.data.schedule.record import Malformed
from bandpass.data.schedule.sources.smart_todo_decoded_gated import SOURCE

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


def test_whatever_lies_there_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path)
    malformed = Malformed()
    assert SOURCE.files(tmp_path) == []
    (path,) = tmp_path.iterdir()
    assert list(SOURCE.read(path, malformed)) == []
    assert malformed == Malformed()


def test_the_reason_says_what_is_missing_and_what_to_use() -> None:
    assert "LDC2015T03" in SOURCE.blocked
    assert "; use " in SOURCE.blocked
