"""Reading raw files: lines and documents, plain or gzip, and what is said of damaged ones."""

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bandpass.data.schedule.record import Malformed
from bandpass.data.schedule.sources import _reading
from bandpass.data.schedule.sources._reading import (
    document,
    found,
    lines,
    moment,
    needs,
    objects,
)
from bandpass.data.series import DataError

# Long enough for many blocks, and hard to compress, so that half a file is about half its lines.
MANY = [f"{i}:{i**7 % 1_000_003}" * (1 + i % 50) for i in range(20_000)]


def written(path: Path, data: bytes, *, pack: bool) -> Path:
    path.write_bytes(gzip.compress(data, mtime=0) if pack else data)
    return path


@pytest.mark.parametrize("pack", [False, True])
def test_lines_come_numbered_whatever_their_ends_and_the_name(tmp_path: Path, pack: bool) -> None:
    path = written(tmp_path / "any.name", b"one\r\n\ntwo\nlast", pack=pack)
    assert list(lines(path)) == [(1, b"one"), (2, b""), (3, b"two"), (4, b"last")]


@pytest.mark.parametrize("pack", [False, True])
def test_lines_across_blocks_are_whole(tmp_path: Path, pack: bool) -> None:
    path = written(tmp_path / "many", ("\n".join(MANY) + "\n").encode(), pack=pack)
    assert [line.decode() for _, line in lines(path)] == MANY


def test_a_byte_order_mark_belongs_to_no_line(tmp_path: Path) -> None:
    path = written(tmp_path / "marked", b"\xef\xbb\xbfid,type\n", pack=False)
    assert list(lines(path)) == [(1, b"id,type")]
    assert document(path) == b"id,type\n"


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "joined.gz"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n"))
    assert list(lines(path)) == [(1, b"one"), (2, b"two")]
    assert document(path) == b"one\ntwo\n"


def test_an_hour_without_events_has_no_lines(tmp_path: Path) -> None:
    assert list(lines(written(tmp_path / "quiet.gz", b"", pack=True))) == []


def test_truncated_gzip_yields_whole_lines_and_names_the_last(tmp_path: Path) -> None:
    path = tmp_path / "half.gz"
    packed = gzip.compress("\n".join(MANY).encode())
    path.write_bytes(packed[: len(packed) // 2])
    read: list[tuple[int, bytes]] = []
    with pytest.raises(DataError, match=r"half\.gz: the gzip data ends too early") as caught:
        read.extend(lines(path))  # keeps what came before
    assert [line.decode() for _, line in read] == MANY[: len(read)]
    assert len(read) > len(MANY) / 4
    assert f"after line {len(read)}; download the file again" in str(caught.value)
    with pytest.raises(DataError, match="ends too early; download the file again"):
        document(path)


@pytest.mark.parametrize("place", [0.5, -6], ids=["data", "checksum"])
def test_damaged_gzip_is_named(tmp_path: Path, place: float) -> None:
    path = tmp_path / "damaged.gz"
    packed = bytearray(gzip.compress("\n".join(MANY).encode()))
    first = int(len(packed) * place) if place > 0 else int(place)
    packed[first : first + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(packed)
    with pytest.raises(DataError, match=r"damaged\.gz: the gzip data is damaged after line \d+;"):
        list(lines(path))
    with pytest.raises(DataError, match=r"damaged\.gz: the gzip data is damaged;"):
        document(path)


@pytest.mark.parametrize("reader", [lambda path: list(lines(path)), document])
def test_what_is_no_file_with_bytes_is_named_with_its_mend(tmp_path: Path, reader) -> None:
    empty = written(tmp_path / "empty.json.gz", b"", pack=False)
    with pytest.raises(DataError, match=r"empty\.json\.gz: is empty; download the file again"):
        reader(empty)
    folder = tmp_path / "folder.json"
    folder.mkdir()
    with pytest.raises(DataError, match=r"folder\.json: is a directory, not a file"):
        reader(folder)
    with pytest.raises(DataError, match=r"gone\.json: cannot be read.*: No such file"):
        reader(tmp_path / "gone.json")


def test_a_line_that_would_fill_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reading, "LONGEST", 100_000)
    path = written(tmp_path / "one_line.json", b"short\n" + b"x" * 300_000, pack=True)
    with pytest.raises(DataError, match=r"one_line\.json: line 2 is longer than 100000 bytes"):
        list(lines(path))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "large.gz", (b"x" * 99 + b"\n") * 200_000, pack=True)
    tracemalloc.start()
    try:
        count = sum(1 for _ in lines(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 200_000
    assert peak < 2_000_000  # of 20 MB


def test_objects_are_the_lines_that_are_json_objects(tmp_path: Path) -> None:
    text = b'{"id": 1}\n\n  \n[1]\n{"id": 2\n{"id": 3}\r\n{"id": "\xe9"}\nnull'
    malformed = Malformed()
    read = list(objects(written(tmp_path / "some.json", text, pack=False), malformed))
    assert read == [(1, {"id": 1}), (6, {"id": 3})]
    assert malformed.counts == {"not JSON": 2, "not a JSON object": 2}
    assert malformed.samples == [
        ("some.json:4", "not a JSON object"),
        ("some.json:5", "not JSON"),
        ("some.json:7", "not JSON"),
        ("some.json:8", "not a JSON object"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-01-01T12:00:01Z", datetime(2015, 1, 1, 12, 0, 1, tzinfo=UTC)),
        (
            "2007-02-09T10:54:45.250-0600",
            datetime(2007, 2, 9, 10, 54, 45, 250_000, timezone(-timedelta(hours=6))),
        ),
        ("2007-02-09T16:54:45", datetime(2007, 2, 9, 16, 54, 45)),
        (" 2008-09-11\n", datetime(2008, 9, 11)),
        ("0016-01-01", datetime(16, 1, 1)),
        ("9999-12-31T23:59:59+00:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_keeps_what_is_written_and_whether_it_has_a_zone(
    text: str, expected: datetime
) -> None:
    assert moment(text) == expected
    assert moment(text).utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    "value", ["", "soon", "0000-01-01", "10000-01-01", "2015-02-30T00:00:00Z", 1420113601, None]
)
def test_what_is_no_date_is_no_moment(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moment(value)


def test_files_are_found_below_by_ending_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.json", "a.json.gz", "a.jsonl", "2015/c.json", ".cache/d.json", ".e.json", "f"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in found(tmp_path, ".json")]
    assert names == ["2015/c.json", "a.json.gz", "b.json"]
    assert found(tmp_path / "nowhere", ".json") == []


def test_a_missing_parser_says_how_to_install_it() -> None:
    needs("json")
    with pytest.raises(DataError, match=r"needs no_such_parser: pip install 'bandpass\[schedule\]"):
        needs("no_such_parser")
