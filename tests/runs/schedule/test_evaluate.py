"""`evaluate` and `report` of a schedule run: both tables, written and shown."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bandpass.cli.commands import app
from bandpass.data import open_store
from bandpass.evaluation.schedules import HOURLY, PRETRAINED, RANDOM, RAW, RAW_PATCH
from bandpass.recipes import Recipe
from bandpass.recipes.named import control
from bandpass.report import write_report
from bandpass.runs import RunError, evaluate, train
from bandpass.runs.run import CONTROL
from bandpass.runs.schedule import evaluate as module
from bandpass.runs.schedule.losses import TRAINED, measure
from bandpass.runs.schedule.probes import PROBES, probe_table

COLUMNS = ["encoder", "pooling", "task", "metric", "value", "low", "high", "count", "note"]
Row = dict[str, object]


@pytest.fixture(scope="module")
def evaluated(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(run, copy)
    evaluate(copy)
    return copy


@pytest.fixture(scope="module")
def rows(evaluated: Path) -> list[Row]:
    return pq.read_table(evaluated / "evaluation.parquet").to_pylist()


def test_the_table_has_the_columns_of_every_evaluation(evaluated: Path) -> None:
    assert pq.read_table(evaluated / "evaluation.parquet").column_names == COLUMNS


def test_every_encoder_answers_every_probe(rows: list[Row]) -> None:
    found = {(row["encoder"], row["task"]) for row in rows}
    encoders = (PRETRAINED, RANDOM, RAW, HOURLY)
    assert found == {(encoder, task) for encoder in encoders for task in PROBES}


def test_a_run_on_records_is_probed_on_days_too(rows: list[Row]) -> None:
    hour = next(row for row in rows if (row["encoder"], row["task"]) == (PRETRAINED, "hour"))
    assert np.isfinite(hour["value"])


def test_losses_are_written_beside(evaluated: Path) -> None:
    losses = pq.read_table(evaluated / "losses.parquet").to_pylist()
    assert measure(losses, TRAINED, "loss") > 0


def test_an_unfinished_run_is_refused(tmp_path: Path, run: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(RunError, match="has not spent its budget"):
        evaluate(tmp_path / "run")


def test_fewer_than_no_batches_are_refused(run: Path) -> None:
    with pytest.raises(RunError, match="batches must be at least 0"):
        evaluate(run, batches=-1)


@pytest.fixture
def few_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    some = {name: PROBES[name] for name in ("next-day load", "record hour")}
    monkeypatch.setattr(module, "probe_table", partial(probe_table, probes=some))


@pytest.mark.usefixtures("few_probes")
def test_a_run_without_latents_is_probed_all_the_same(
    tmp_path: Path, store: Path, recipe: Callable[..., Recipe]
) -> None:
    changes = ("model.latent=false", "train.prediction=0", "train.grounding=1", "steps=2")
    path = tmp_path / "raw"
    assert train(recipe(*changes), open_store(store), path, with_control=False)
    assert evaluate(path)
    assert not (path / "losses.parquet").exists()
    assert "Frozen probes" in write_report(path).read_text()


@pytest.mark.usefixtures("few_probes")
def test_a_finished_raw_patch_control_is_asked_too(
    tmp_path: Path, run: Path, store: Path, recipe: Callable[..., Recipe]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(run, path)
    assert train(control(recipe()), open_store(store), path / CONTROL, with_control=False)
    assert {RAW_PATCH, PRETRAINED} <= {row["encoder"] for row in evaluate(path)}
    assert f">{RAW_PATCH}</th>" in write_report(path).read_text()
    shutil.rmtree(path / CONTROL / "checkpoints")  # as if it had been stopped
    assert RAW_PATCH not in {row["encoder"] for row in evaluate(path)}
    assert f">{RAW_PATCH}</th>" not in write_report(path).read_text()


@pytest.mark.usefixtures("few_probes")
def test_the_command_prints_probes_and_losses(tmp_path: Path, run: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run"), "--batches", "2"])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    for text in ("next-day load r2", "raw+hourly", "position's mean", "64 held-out windows"):
        assert text in shown
    assert "Collapse?" in shown


def test_the_report_shows_both(evaluated: Path) -> None:
    page = write_report(evaluated).read_text()
    for text in ("Held-out loss, and what it is worth", "Frozen probes", "Collapse?", "calendar"):
        assert text in page
    assert "embedding map" not in page
