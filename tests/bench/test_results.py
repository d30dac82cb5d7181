import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.bench.declared import Metric
from bandpass.bench.results import COLUMNS, by_seed, read_results, write_results
from bandpass.data import DataError

from .made_up import row, table

RARE = Metric("few-shot rare", "average_precision")


def test_rows_survive_the_file(tmp_path):
    rows = [*table({"band": {"rare": 0.1}}), row(seed=7) | {"value": float("nan")}]
    write_results(tmp_path / "results.parquet", rows)
    again = read_results(tmp_path / "results.parquet")
    assert again[:-1] == rows[:-1]
    assert np.isnan(again[-1]["value"])
    assert [type(value) for value in again[0].values()] == list(COLUMNS.values())
    assert list(tmp_path.iterdir()) == [tmp_path / "results.parquet"]


def test_an_empty_table_has_its_columns(tmp_path):
    write_results(tmp_path / "results.parquet", [])
    assert read_results(tmp_path / "results.parquet") == []
    assert pq.read_schema(tmp_path / "results.parquet").names == list(COLUMNS)


def test_what_is_no_results_table_is_refused(tmp_path):
    path = tmp_path / "results.parquet"
    with pytest.raises(DataError, match="bandpass ablate"):
        read_results(path)
    path.write_text("seed,value")
    with pytest.raises(DataError, match="is no results table"):
        read_results(path)
    pq.write_table(pa.table({"benchmark": ["toy"]}), path)
    with pytest.raises(DataError, match="no column 'version'"):
        read_results(path)
    with pytest.raises(DataError, match=r"look at \['more'\]"):
        write_results(path, [row(), row() | {"more": 1}])


def test_numbers_are_found_by_arm_budget_and_metric():
    rows = [
        row(seed=1, budgets="flops+time"),
        row(seed=2, budgets="time"),
        row("band", seed=1),
        row(seed=1) | {"metric": "auroc"},
    ]
    assert by_seed(rows, "uniform", "flops", RARE) == {1: 0.5}
    assert by_seed(rows, "uniform", "time", RARE, "wall_seconds") == {1: 12.5, 2: 12.5}
    assert by_seed(rows, "uniform", "half", RARE) == {}


def test_two_runs_for_one_seed_are_not_averaged_in_silence():
    rows = [row("band", seed=1), row("band", seed=1) | {"recipe": "f" * 12}]
    with pytest.raises(DataError, match="toy has two runs of band, seed 1, for budget flops"):
        by_seed(rows, "band", "flops", RARE)
