"""A small store of each modality, and a tiny mixed run on them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.data import AnyStore, prepare
from bandpass.data.sources import SOURCES
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.recipes import Recipe, find, override
from bandpass.runs import train_mixed
from bandpass.runs.confirm.smoke import look_alike

TINY = (
    *("steps=12", "batch=8", "log_every=4", "checkpoint_every=6", "device=cpu", "seed=3"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


@pytest.fixture(scope="session")
def stores(tmp_path_factory) -> list[AnyStore]:
    folder = tmp_path_factory.mktemp("stores")
    plant = {"series": 2, "rows": 3000, "channels": 4, "failure_rate": 3.0}
    worlds = Options(workers=1, of_source={"recordings": 2, "seconds": 20})
    return [
        prepare(SOURCES["plant"], folder, folder / "plant", **plant),
        look_alike(folder / "days"),
        prepare_video(VIDEO_SOURCES["world"], folder, folder / "world", worlds),
    ]


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return lambda *changes: override(find("mixed"), [*TINY, *changes])


@pytest.fixture(scope="session")
def run(tmp_path_factory, recipe, stores) -> Path:
    """A finished run; nothing may be written into it but evaluations."""
    path = tmp_path_factory.mktemp("runs") / "mixed"
    assert train_mixed(recipe("validate_every=6"), stores, path)
    return path
