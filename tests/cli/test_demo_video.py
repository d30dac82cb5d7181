import importlib

import pytest

from bandpass.recipes import RECIPES, override


@pytest.mark.slow
def test_demo_of_video_compares_both_policies(bandpass, tmp_path, tiny, monkeypatch):
    """The demo as it is, but for its size."""
    module = importlib.import_module("bandpass.runs.demo")
    small = {"recordings": 2, "seconds": 40, "rare": 0.1}
    monkeypatch.setattr(module, "WORLD", small)
    changes = (*tiny, "windows.length=16", "encoder.patch=4")
    monkeypatch.setattr(module, "find", lambda name: override(RECIPES[name], changes))
    done = bandpass("demo", "--modality", "video", "--folder", tmp_path)
    assert done.code == 0, done.err
    for policy in ("surprise-band", "uniform"):
        assert f"training with policy {policy}" in done.out
        assert (tmp_path / policy / "evaluation.parquet").exists()
    assert (tmp_path / "surprise-band" / "report.html").exists()
    lines = done.out[done.out.rindex("evaluating") :].splitlines()
    (head,) = [line for line in lines if "task" in line.split()]
    assert {"band", "uniform", "init"} <= set(head.split())


def test_a_modality_without_a_demo_is_refused(bandpass, tmp_path):
    failed = bandpass("demo", "--modality", "smell", "--folder", tmp_path)
    assert failed.code == 1
    assert "no demo of 'smell': there is one of series, video" in failed.err
    assert not (tmp_path / "store").exists()
