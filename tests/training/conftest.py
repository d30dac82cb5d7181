"""A small plant, and trainings of a tiny model on it, in this process or in one that may die."""

import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.data import Store, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import Recipe, build_curriculum, build_jepa, build_windows, find, override
from bandpass.training import fit

TINY = (
    *("steps=24", "batch=8", "log_every=2", "checkpoint_every=6", "seed=3", "device=cpu"),
    *("windows.length=32", "windows.stride=8", "warmup=0.2"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("plant")
    return prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=1500, channels=4)


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    return TINY


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """The tiny recipe with changes, as on the command line."""
    return lambda *changes: override(find("series"), [*TINY, *changes])


@pytest.fixture(scope="session")
def train(store) -> Callable[..., bool]:
    """Trains a recipe in a run directory, or continues there."""

    def train(recipe: Recipe, run: Path, on_log: Callable = lambda row, log: None) -> bool:
        windows = build_windows(recipe, store, "train")
        jepa = build_jepa(recipe, store.shape)
        return fit(jepa, windows, build_curriculum(recipe, windows), recipe.train, run, on_log)

    return train


@pytest.fixture(scope="session")
def in_child() -> Callable[..., int]:
    """Calls a function in a forked process and returns its exit code, -9 if it was killed."""

    def in_child(function: Callable[[], object]) -> int:
        process = multiprocessing.get_context("fork").Process(target=function)
        with warnings.catch_warnings():  # Python 3.12 warns of idle threads of other libraries
            warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
            process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    return in_child
