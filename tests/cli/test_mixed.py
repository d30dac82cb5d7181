"""Several stores on one command line."""

import pytest

from bandpass.runs.confirm.smoke import look_alike

TINY = (
    *("steps=6", "batch=8", "log_every=3", "checkpoint_every=3", "device=cpu"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)
CUTS = ("--cut", "series windows.length=32 windows.stride=16", "--cut", "schedule-base")


@pytest.fixture(scope="session")
def days(tmp_path_factory):
    return look_alike(tmp_path_factory.mktemp("days") / "store").path


def test_several_stores_make_a_mixed_run(bandpass, store, days, tmp_path):
    run = tmp_path / "run"
    words = ("train", "mixed", *TINY, "--store", store, "--store", days, "--run", run, *CUTS)
    result = bandpass(*words)
    assert result.code == 0, result.err
    assert "expected slots by modality: series" in result.out
    assert f"next: bandpass evaluate {run}" in result.out
    assert (run / "schedule" / "checkpoints").is_dir()
    assert "modality" in bandpass("report", run).out + (run / "report.html").read_text()
    result = bandpass("embed", run, "--store", store, "--out", tmp_path / "x.parquet")
    assert result.code == 1
    assert "is a mixed run: take one of its members" in result.err


@pytest.mark.slow
def test_evaluate_measures_every_member(bandpass, store, days, tmp_path):
    run = tmp_path / "run"
    bandpass("train", "mixed", *TINY, "--store", store, "--store", days, "--run", run, *CUTS)
    result = bandpass("evaluate", run)
    assert result.code == 0, result.err
    assert str(run / "series") in result.out
    assert str(run / "schedule") in result.out
    assert (run / "schedule" / "evaluation.parquet").exists()


def test_one_store_is_not_mixed(bandpass, store, tmp_path):
    result = bandpass("train", "mixed", *TINY, "--store", store, "--run", tmp_path / "run")
    assert (result.code, "needs at least two stores, got 1" in result.err) == (1, True)


def test_a_cut_for_every_store_or_none(bandpass, store, days, tmp_path):
    words = ("--store", store, "--store", days, "--run", tmp_path / "run", "--cut", "series")
    result = bandpass("train", "mixed", *words)
    assert result.code == 1
    assert "1 cuts for 2 stores" in result.err
    assert not (tmp_path / "run").exists()
