"""Every source keeps the contract of `Source` on a look-alike in its exact raw layout.

A source is tested by being in `SOURCES`; the look-alike comes from `tests/data/<name>/make.py`.
"""

import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.corruption import KINDS
from bandpass.data.series import DataError, Series, Source
from bandpass.data.sources import SOURCES

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class LookAlike:
    source: Source
    raw: Path
    options: dict[str, str]

    def read(self) -> list[Series]:
        return list(self.source.read(self.raw, **self.options))


@pytest.fixture(params=sorted(SOURCES))
def look_alike(request: pytest.FixtureRequest, tmp_path: Path) -> LookAlike:
    script = DATA / request.param / "make.py"
    assert script.is_file(), f"{script} must write a look-alike of {request.param!r}"
    spec = importlib.util.spec_from_file_location("make", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    raw = tmp_path / "raw"
    raw.mkdir()
    return LookAlike(SOURCES[request.param], raw, module.make(raw))


def test_the_card_is_complete(look_alike: LookAlike) -> None:
    source = look_alike.source
    assert SOURCES[source.name] is source
    assert all((source.title, source.licence, source.home, source.layout))
    assert set(look_alike.options) <= set(source.options)


def test_every_series_has_the_schema(look_alike: LookAlike) -> None:
    schema = look_alike.source.schema(look_alike.raw, **look_alike.options)
    assert len(set(schema.channels)) == len(schema.channels) > 0
    assert len(set(schema.regimes)) == len(schema.regimes)
    read = look_alike.read()
    for series in read:
        rows = len(series.label)
        assert rows > 0
        assert series.values.dtype == np.float32
        assert series.values.shape == (rows, len(schema.channels))
        assert series.label.dtype == np.int8
        assert np.isin(series.label, (-1, 0, 1)).all()
        assert (series.regime is not None) == bool(schema.regimes)
        assert series.split in (None, "train", "test")
    columns = {
        "regime": (np.int16, (-1, len(schema.regimes))),
        "corrupt": (np.int8, (0, 1 + len(KINDS))),
        "time": (np.int64, None),
        "state": (np.float32, None),
    }
    for name, (dtype, span) in columns.items():
        present = [getattr(series, name) for series in read]
        assert len({column is None for column in present}) == 1, f"{name}: all series or none"
        for series, column in zip(read, present, strict=True):
            if column is not None:
                assert column.dtype == dtype
                assert len(column) == len(series.label)
                assert span is None or (span[0] <= column.min() and column.max() < span[1])


def test_events_are_labelled(look_alike: LookAlike) -> None:
    labels = np.concatenate([series.label for series in look_alike.read()])
    assert {0, 1} <= set(labels.tolist())


def test_names_are_unique(look_alike: LookAlike) -> None:
    names = [series.name for series in look_alike.read()]
    assert len(set(names)) == len(names) > 1


def test_two_reads_are_equal(look_alike: LookAlike) -> None:
    for one, two in zip(look_alike.read(), look_alike.read(), strict=True):
        assert (one.name, one.entity, one.split) == (two.name, two.entity, two.split)
        for column in ("values", "label", "regime", "corrupt", "time", "state"):
            np.testing.assert_array_equal(getattr(one, column), getattr(two, column))


def test_the_split_names_what_is_there(look_alike: LookAlike) -> None:
    split = look_alike.source.split
    assert split.by in ("time", "entity", "series")
    if split.by != "time":
        read = look_alike.read()
        found = {s.entity if split.by == "entity" else s.name for s in read if s.split is None}
        assert found & split.test, "nothing would be in test"
        assert found - split.test, "nothing would be in train"


def truncate_gzip(data: bytes) -> bytes:
    packed = gzip.compress(data)
    return packed[: len(packed) // 2]


def drop_last_field(data: bytes) -> bytes:
    lines = data.splitlines()
    lines[20] = lines[20][: max(lines[20].rfind(b","), lines[20].rfind(b";"))]
    return b"\n".join(lines) + b"\n"


def put_text(data: bytes) -> bytes:
    """Replace the first field of row 21 that is a plain number with text."""
    lines = data.splitlines()
    mark = b";" if b";" in lines[20] else b","
    cells = lines[20].split(mark)
    cells[next(i for i, cell in enumerate(cells) if b"." in cell and b":" not in cell)] = b"oops"
    lines[20] = mark.join(cells)
    return b"\n".join(lines) + b"\n"


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "truncated-gzip": (truncate_gzip, ".gz", "download the file again"),
    "ragged-row": (drop_last_field, "", r"Row #21: Expected \d+ columns"),
    "text-in-numeric-column": (put_text, "", "Row #21.*'oops'"),
    "empty": (lambda data: b"", "", "Empty"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_named_with_its_mend(look_alike: LookAlike, fault: str) -> None:
    files = sorted(p for p in look_alike.raw.rglob("*") if p.suffix in (".csv", ".txt"))
    files = [path for path in files if path.parent.name != "test_label"]
    if not files:
        pytest.skip(f"{look_alike.source.name} reads no files")
    breaks, suffix, message = BROKEN[fault]
    path = files[0]
    broken = path.with_name(path.name + suffix)
    data = breaks(path.read_bytes())
    path.unlink()
    broken.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        look_alike.read()
    assert str(broken) in str(caught.value)


def test_a_missing_folder_shows_the_layout(look_alike: LookAlike) -> None:
    if not any(look_alike.raw.iterdir()):
        pytest.skip(f"{look_alike.source.name} reads no files")
    nowhere = look_alike.raw / "nowhere"
    with pytest.raises(DataError, match="no such") as caught:
        list(look_alike.source.read(nowhere, **look_alike.options))
    assert str(nowhere) in str(caught.value)
    assert look_alike.source.layout in str(caught.value)
