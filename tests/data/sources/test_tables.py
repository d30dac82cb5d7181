import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bandpass.data.series import DataError
from bandpass.data.sources import _columns, _tables


@pytest.fixture
def write(tmp_path: Path):
    def to(text: str, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return to


def read(path: Path, *columns: str) -> np.ndarray:
    return _columns.matrix(_tables.read_csv(path), columns, path)


def test_files_are_listed_in_natural_order_plain_or_gzip(tmp_path: Path) -> None:
    for name in ("b/10.csv", "b/2.csv.gz", "a.csv", ".cache/x.csv", "b/._2.csv", "b/notes.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert list(_tables.listing(tmp_path, ".csv", layout="L")) == ["a", "b/2", "b/10"]


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "a.csv.gz").touch()
    with pytest.raises(DataError, match="keep one of the two"):
        _tables.listing(tmp_path, ".csv", layout="L")


def test_no_file_at_all_shows_the_layout(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds no \.csv\.gz or \.csv file; expected the layout\nL"
    ):
        _tables.listing(tmp_path, ".csv", layout="L")


def test_numbers_are_read_to_the_nearest_float32(write) -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    path = write("x\n" + "\n".join(f"{v:.6f}" for v in values) + "\n")
    expected = np.array([np.float32(f"{v:.6f}") for v in values])
    np.testing.assert_array_equal(read(path, "x")[:, 0], expected)


def test_columns_of_every_numeric_type_are_channels(write) -> None:
    path = write("i,f,b,n\n1,0.5,true,\n2,,false,\n,1.5,,\n")
    nan = np.nan
    expected = [[1, 0.5, 1, nan], [2, nan, 0, nan], [nan, 1.5, nan, nan]]
    np.testing.assert_array_equal(read(path, "i", "f", "b", "n"), np.array(expected, np.float32))


def test_constant_channels_and_infinities_are_kept_as_read(write) -> None:
    path = write("c,x\n7,inf\n7,-inf\n7,1e400\n")
    np.testing.assert_array_equal(read(path, "c"), [[7], [7], [7]])
    np.testing.assert_array_equal(read(path, "x"), [[np.inf], [-np.inf], [np.inf]])


def test_a_byte_order_mark_and_carriage_returns_are_no_data(write) -> None:
    np.testing.assert_array_equal(read(write("\ufeffx,y\r\n1,2\r\n"), "x", "y"), [[1, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Empty CSV file"),
        ("x,y\n", "no rows below the header"),
        ("x,y\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
        ("x,y\n1,2\n3,4,5\n", "Row #3: Expected 2 columns, got 3"),
        ("x,y\n1,2\n3,four\n", "column 'y' is of type string, not numeric"),
        ("y,z\n1,2\n", "has no column 'x'; it has: y, z"),
        ("x,x,y\n1,2,3\n", "has more than one column 'x'"),
    ],
)
def test_a_bad_table_is_named_with_its_mend(write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(DataError, match=message) as caught:
        read(path, "x", "y")
    assert str(path) in str(caught.value)


def test_text_in_a_column_that_is_known_to_be_numeric_is_found_by_row(write) -> None:
    path = write("x\n1\noops\n")
    with pytest.raises(DataError, match=r"Row #3.*'oops'"):
        _tables.read_csv(path, types={"x": pa.float32()})


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        _tables.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_truncated_gzip(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "a.csv.gz"
    data = gzip.compress(b"x\n" + b"1\n22\n333\n" * 20_000)
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match=r"Truncated.*download the file again"):
        _tables.read_csv(path)


def test_a_gzip_that_is_none(write) -> None:
    with pytest.raises(DataError, match="download the file again"):
        _tables.read_csv(write("x\n1\n", "a.csv.gz"))


def test_codes_are_checked_by_row() -> None:
    table, path = pa.table({"c": [0.0, None, 1.0, 3.0]}), Path("a.csv")
    with pytest.raises(DataError, match="column 'c', data row 4: 3 is not one of 0, 1"):
        _columns.codes(table, "c", path, (0, 1))
    np.testing.assert_array_equal(_columns.codes(table, "c", path, (0, 1, 3)), [0, -1, 1, 3])


@pytest.mark.parametrize(
    ("column", "unit", "expected"),
    [
        (["1970-01-01 00:00:01", "1970-01-01 00:00:00"], "s", [10**9, 0]),
        ([3, 3, 2], "s", [3 * 10**9, 3 * 10**9, 2 * 10**9]),
        ([1.5], "s", [15 * 10**8]),
        ([1700000000123456789], "ns", [1700000000123456789]),
        ([5], "ms", [5 * 10**6]),
    ],
)
def test_clocks_are_kept_as_read(column: list, unit: str, expected: list[int]) -> None:
    time = _columns.clock(pa.table({"t": column}), "t", Path("a.csv"), unit)
    assert time.dtype == np.int64
    assert time.tolist() == expected


@pytest.mark.parametrize(
    ("column", "unit", "message"),
    [
        (["yesterday"], "s", "column 't' is not a clock"),
        ([1, None], "s", "column 't', data row 2: no timestamp"),
        ([float("nan")], "s", "column 't', data row 1: no timestamp"),
        ([float("inf")], "s", "column 't', data row 1: inf is no timestamp"),
        ([1700000000000], "s", "beyond the year 2262 in this unit; set the option unit"),
        ([1], "minutes", "option unit='minutes': must be one of s, ms, us, ns"),
    ],
)
def test_a_bad_clock_is_named(column: list, unit: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _columns.clock(pa.table({"t": column}), "t", Path("a.csv"), unit)
