"""SmartToDo: rows of codes, and the form of it that stays blocked."""

import os
import runpy
from pathlib import Path

import pytest

from bandpass.data.schedule.record import UNDATED, Malformed, Record
from bandpass.data.schedule.sources.smart_todo_coded import SOURCE
from bandpass.data.schedule.tokens import DEADLINE, EMAIL, TASK
from bandpass.data.series import DataError

write = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))["write"]


@pytest.fixture
def records(tmp_path: Path, malformed: Malformed) -> list[Record]:
    write(tmp_path)
    (path,) = SOURCE.files(tmp_path)
    return list(SOURCE.read(path, malformed))


def test_a_row_is_a_task_over_the_whole_of_no_day(records: list[Record]) -> None:
    assert records[0] == Record(
        id="447712782-2",
        actors=("u:078",),
        day=UNDATED,
        minute=0,
        minutes=1440,
        what=TASK | EMAIL,
        priority=0,
        participants=0,
        text=5 / 2000,
        completion=0,
        confidence=0.6,
    )


def test_the_second_judge_is_another_record_and_a_date_a_deadline(records: list[Record]) -> None:
    assert [r.id for r in records] == ["447712782-2", "447712782-3", "410965605-4"]
    assert records[1] == records[0]._replace(id="447712782-3", what=TASK | EMAIL | DEADLINE)


def test_a_quote_in_a_summary_opens_nothing(records: list[Record]) -> None:
    assert records[2].text == 22 / 2000


def test_what_cannot_be_a_record_is_counted(records: list[Record], malformed: Malformed) -> None:
    assert records
    assert malformed.counts == {
        "end before start": 1,
        "highlight is no number": 1,
        "wrong number of fields": 1,
        "no UniqueID": 1,
    }
    assert malformed.samples[0] == ("Spans_ToDo_dataset.tsv:5", "end before start")


def test_text_in_another_encoding_is_counted(tmp_path: Path, malformed: Malformed) -> None:
    write(tmp_path)
    (path,) = SOURCE.files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"UNK", b"\xff"))
    assert len(list(SOURCE.read(path, malformed))) == 2
    assert malformed.counts["not UTF-8"] == 1


def test_a_header_without_a_column_is_named(tmp_path: Path, malformed: Malformed) -> None:
    path = tmp_path / "Spans_ToDo_dataset.tsv"
    path.write_text("UniqueID\tcurrent_id\thighlight_start\thighlight_end\n")
    with pytest.raises(DataError, match="has no to_do_summary") as caught:
        list(SOURCE.read(path, malformed))
    assert str(path) in str(caught.value)


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_made_up_rows_beside_the_real_data(malformed: Malformed) -> None:
    folder = Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name)
    found = [r for path in SOURCE.files(folder) for r in SOURCE.read(path, malformed)]
    assert len(found) == len({r.id for r in found}) == 40
    assert len({r.id.partition("-")[0] for r in found}) == 20
    assert malformed.counts == {}
