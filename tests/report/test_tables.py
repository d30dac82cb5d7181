"""Reading a run directory: what is absent is fine, what is damaged is named with its mend."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.report import ReportError, write_report
from bandpass.report.tables import read_run, read_runs, rows

MakeRun = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, make_run: MakeRun) -> Path:
    return make_run(tmp_path / "run")


def test_missing_run_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no run directory at .*nowhere.*bandpass train"):
        write_report(tmp_path / "nowhere")


def test_directory_without_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no recipe\.json"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [("metrics", "bandpass train"), ("band", "bandpass train"), ("map", "bandpass evaluate")],
)
def test_truncated_table_is_named_with_its_mend(run: Path, name: str, command: str) -> None:
    path = run / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ReportError, match=rf"{name}\.parquet cannot be read.*{command}"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_missing_column_is_named(run: Path) -> None:
    pq.write_table(pa.table({"step": [1], "kind": ["regime"]}), run / "slots.parquet")
    with pytest.raises(ReportError, match=r"lacks the columns \['name', 'drawn', 'natural'\]"):
        read_run(run)


@pytest.mark.parametrize("content", ['{"steps": 1', "[1, 2]"])
def test_damaged_recipe_is_named(run: Path, content: str) -> None:
    (run / "recipe.json").write_text(content)
    with pytest.raises(ReportError, match=r"recipe\.json"):
        read_run(run)


def test_columns_of_other_samplers_become_nan(tmp_path: Path, make_run: MakeRun) -> None:
    run = read_run(make_run(tmp_path / "uniform", banded=False))
    assert rows(run.band) == 0
    assert np.isnan(run.metrics["ess"]).all()
    assert set(run.metrics["warning"]) > {""}  # absent warnings are empty, present ones kept


def test_equal_names_are_told_apart(tmp_path: Path, make_run: MakeRun) -> None:
    first, second = make_run(tmp_path / "a" / "run"), make_run(tmp_path / "b" / "run")
    assert [run.name for run in read_runs(first, [second])] == ["run", "run (2)"]


def test_recipe_alone_is_a_run_that_has_logged_nothing(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"store": "s"}))
    page = write_report(tmp_path).read_text()
    for sentence in (
        "No step has been logged yet",
        "logged no surprise histogram",
        "logged no slot shares",
        "No window was quarantined",
        "No embedding map",
        "has not been evaluated yet",
        "logged no environment.json",
    ):
        assert sentence in page
