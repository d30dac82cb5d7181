"""A small plant and a tiny run on it, trained once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.data import Store, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import Recipe, find, override
from bandpass.runs import train

TINY = (
    *("steps=12", "batch=8", "log_every=4", "checkpoint_every=6", "device=cpu"),
    *("windows.length=32", "windows.stride=16"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


def plant(folder: Path, **options: object) -> Store:
    some = {"series": 2, "rows": 1500, "channels": 4, "failure_rate": 3.0}
    return prepare(SOURCES["plant"], folder, folder / "store", **some | options)


@pytest.fixture(scope="session")
def make_store(tmp_path_factory) -> Callable[..., Store]:
    return lambda **options: plant(tmp_path_factory.mktemp("plant"), **options)


@pytest.fixture(scope="session")
def store(make_store) -> Store:
    return make_store()


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return lambda *changes: override(find("series"), [*TINY, *changes])


@pytest.fixture(scope="session")
def run(tmp_path_factory, recipe, store) -> Path:
    """A finished run with its control; nothing may be written into it but evaluations."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert train(recipe(), store, path)
    return path
