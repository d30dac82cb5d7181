from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from pyarrow import parquet

from bandpass.data.series import DataError, Schema
from bandpass.data.sources import SOURCES

MAPPING = {
    "timestamp": "when",
    "label": "alarm",
    "regime": "mode",
    "series": "batch",
    "entity": "machine",
    "ignore": "comment",
}


@pytest.fixture
def schema():
    return SOURCES["folder"].schema


def test_three_formats_read_alike(make, read, schema) -> None:
    raw = make("folder")
    assert schema(raw, **MAPPING) == Schema(("flow", "heat", "count"), ("idle", "run"))
    series = read("folder", raw, **MAPPING)
    assert list(series) == [f"{f}/run-{i}" for f in ("a", "north/b", "north/c") for i in (0, 1)]
    for name, one in series.items():
        assert one.entity == f"press-{name[-1]}"
        assert one.values.shape == (150, 3)
        assert np.isnan(one.values[20:25, 0]).all()
        assert np.isfinite(one.values[:, 1:]).all()
        assert set(one.label) == set(one.regime) == {-1, 0, 1}
        assert set(np.diff(one.time)) == {2 * 60 * 10**9}


def test_csv_and_parquet_of_one_table_are_equal(tmp_path: Path, make, read) -> None:
    raw = make("folder")
    for kept in ("a.csv", "north/b.csv.gz"):
        (raw / kept).unlink()
    by_parquet = read("folder", raw, **MAPPING)
    path = raw / "north" / "c.parquet"
    pa.csv.write_csv(parquet.read_table(path), raw / "north" / "c.csv")
    path.unlink()
    by_csv = read("folder", raw, **MAPPING)
    for name, one in by_parquet.items():
        for column in ("values", "label", "regime", "time"):
            np.testing.assert_array_equal(getattr(one, column), getattr(by_csv[name], column))


def test_without_a_mapping_every_column_is_a_channel(tmp_path: Path, read, schema) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,\n")
    (series,) = read("folder", tmp_path).values()
    assert schema(tmp_path) == Schema(("x", "y"), ())
    assert (series.name, series.entity, series.regime, series.time) == ("a", "a", None, None)
    np.testing.assert_array_equal(series.values, np.array([[1, 2], [3, np.nan]], np.float32))
    assert set(series.label) == {-1}


def test_npy_columns_are_called_by_number(tmp_path: Path, read, schema) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.7e9, 5, 0, 7], [1.7e9 + 1, 6, 1, 8]]))
    options = {"timestamp": "0", "label": "2"}
    (series,) = read("folder", tmp_path, **options).values()
    assert schema(tmp_path, **options).channels == ("1", "3")
    np.testing.assert_array_equal(series.values, [[5, 7], [6, 8]])
    assert series.time.tolist() == [17 * 10**17, 17 * 10**17 + 10**9]
    assert series.label.tolist() == [0, 1]


def test_a_vector_is_one_channel(tmp_path: Path, read) -> None:
    np.save(tmp_path / "a.npy", np.arange(5, dtype=np.int16))
    (series,) = read("folder", tmp_path).values()
    np.testing.assert_array_equal(series.values, np.arange(5, dtype=np.float32)[:, None])


def test_channels_go_by_name_not_by_place(tmp_path: Path, read) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n2,1\n")
    one, two = read("folder", tmp_path).values()
    np.testing.assert_array_equal(one.values, two.values)


def test_numbered_regimes_are_in_the_order_of_numbers(tmp_path: Path, read, schema) -> None:
    (tmp_path / "a.csv").write_text("x,mode\n1,10\n1,9\n1,\n")
    table = pa.table({"x": [1.0, 2.0, 3.0], "mode": [9.0, None, 2.0]})
    parquet.write_table(table, tmp_path / "b.parquet")
    assert schema(tmp_path, regime="mode").regimes == ("2", "9", "10")
    one, two = read("folder", tmp_path, regime="mode").values()
    assert one.regime.tolist() == [2, 1, -1]
    assert two.regime.tolist() == [1, -1, 0]


def test_whole_numbers_may_turn_into_fractions_far_down(tmp_path: Path, read) -> None:
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 1_000_000 + "2.5\n")
    (series,) = read("folder", tmp_path).values()
    assert series.values[-1, 0] == 2.5


def test_another_delimiter(tmp_path: Path, read) -> None:
    (tmp_path / "a.csv").write_text("x;y\n1;2\n")
    (series,) = read("folder", tmp_path, delimiter=";").values()
    np.testing.assert_array_equal(series.values, [[1, 2]])


BAD = [
    ("x,y\n1,2\n3,oops\n", {}, "Row #3.*'oops'"),
    ("x,y\n1,2\n3\n", {}, "Row #3: Expected 2 columns, got 1"),
    ("", {}, "Empty CSV file"),
    ("x,y\n", {}, "no rows below the header"),
    ("x,y\n1,2\n", {"label": "z"}, "has no column 'z'; it has: x, y"),
    ("x,y\n1,2\n", {"label": "x", "ignore": "y"}, "no column is left for a channel"),
    ("x,y\n1,2\n", {"label": "y"}, "column 'y', data row 1: 2 is not one of 0, 1"),
    ("x,y\n1,\n", {"timestamp": "y"}, "column 'y', data row 1: no timestamp"),
    ("x,y\n1,a\n1,\n", {"series": "y"}, "column 'y', data row 2: no series id"),
    ("x,y\n1,a\n1,b\n", {"entity": "y"}, "series 'b' must be of one entity"),
    ("x,x\n1,2\n", {}, "more than one column 'x'"),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD)
def test_a_bad_file_is_named_with_its_mend(
    tmp_path: Path, read, text: str, options: dict[str, str], message: str
) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read("folder", tmp_path, **options)
    assert str(path) in str(caught.value)


def test_files_with_other_channels_are_refused(tmp_path: Path, read) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv: channels differ.*missing \['y'\], more \['z'\]"):
        read("folder", tmp_path)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 2)), np.zeros(3, complex), np.array(["a"]), np.zeros((0, 2))]
)
def test_arrays_that_are_no_series_are_refused(tmp_path: Path, read, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=r"a\.npy: "):
        read("folder", tmp_path)


@pytest.mark.parametrize("name", ["a.npy", "a.parquet"])
def test_a_truncated_binary_file_is_refused(tmp_path: Path, read, name: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1000, 2)))
    parquet.write_table(pa.table({"x": np.zeros(1000)}), tmp_path / "a.parquet")
    path = tmp_path / name
    for other in {"a.npy", "a.parquet"} - {name}:
        (tmp_path / other).unlink()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=name):
        read("folder", tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "y"}, "no option 'labels'; it takes timestamp, label"),
        ({"delimiter": ";;"}, "delimiter=';;': must be one character"),
    ],
)
def test_a_wrong_option_is_named(
    tmp_path: Path, read, options: dict[str, str], message: str
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=message):
        read("folder", tmp_path, **options)


def test_a_whole_number_names_one_regime_however_it_is_written(tmp_path: Path, schema) -> None:
    (tmp_path / "a.csv").write_text("x,mode\n0.5,1\n0.5,2\n")
    (tmp_path / "b.csv").write_text("x,mode\n0.5,1.0\n0.5,2.50\n")
    assert schema(tmp_path, regime="mode").regimes == ("1", "2", "2.50")


def test_a_header_that_is_not_utf8_is_refused(tmp_path: Path, schema) -> None:
    (tmp_path / "a.csv").write_bytes("größe,x\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.csv: not UTF-8"):
        schema(tmp_path)


def test_text_in_a_channel_names_the_roles(tmp_path: Path, read) -> None:
    (tmp_path / "a.csv").write_text("x,state\n1,open\n2,shut\n")
    with pytest.raises(DataError, match=r"timestamp=, label=, regime="):
        read("folder", tmp_path)


def test_foreign_byte_order_reads_alike(tmp_path: Path, read) -> None:
    values = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "a.npy", values.astype(">f8"))
    np.testing.assert_array_equal(read("folder", tmp_path)["a"].values, values)


def test_a_column_has_one_role(make, read) -> None:
    with pytest.raises(DataError, match="column 'alarm' is named for two roles"):
        read("folder", make("folder"), **MAPPING | {"regime": "alarm"})
