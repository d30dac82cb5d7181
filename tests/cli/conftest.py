import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bandpass.cli import main
from bandpass.data import prepare
from bandpass.data.sources import SOURCES

TINY = (
    *("steps=8", "batch=8", "log_every=4", "checkpoint_every=4", "device=cpu"),
    *("windows.length=32", "windows.stride=16"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def bandpass(monkeypatch, capsys) -> Callable[..., Result]:
    """Runs a command in this process, through the very function that the shell calls."""

    def bandpass(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["bandpass", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return Result(code, *capsys.readouterr())

    return bandpass


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    options = {"series": 2, "rows": 1500, "channels": 4, "failure_rate": 3.0}
    return prepare(SOURCES["plant"], folder, folder / "store", **options).path


@pytest.fixture
def train(bandpass, store, tmp_path) -> Callable[..., Result]:
    """Trains the tiny recipe with changes in ``tmp_path / "run"``."""
    words = ("train", "series", *TINY, "--no-control", "--store", store, "--run", tmp_path / "run")
    return lambda *changes: bandpass(*words, *changes)


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    return TINY
