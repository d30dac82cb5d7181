"""A steady video that shakes at times: the gate keeps the slots away from it. The real path."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bandpass.data.ingest import describe
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import find as find_source
from bandpass.data.video.store import ClipStore
from bandpass.recipes import Recipe, build_sampler, build_windows, find, override
from bandpass.runs.train import train

pytestmark = pytest.mark.slow


def shaken(path: Path, share: float) -> ClipStore:
    world = {"corrupt": 0.0, "recordings": 3, "seconds": 100, "rare": 0.05, "seed": 3}
    options = Options(workers=1, of_source=world, corrupt=share, corrupt_kinds="jitter")
    return prepare_video(find_source("world"), path, path / "store", options)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return shaken(tmp_path_factory.mktemp("half"), 0.5)


@pytest.fixture(scope="module")
def seldom(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return shaken(tmp_path_factory.mktemp("seldom"), 0.1)


def static(*changes: str) -> Recipe:
    return override(find("video"), ["policy=static", "steps=60", "batch=16", "seed=0", *changes])


def risen(store: ClipStore, slots: np.ndarray) -> dict[str, float]:
    """Share of the slots over the natural share, of jittered background and of steady events."""
    clips = build_windows(find("video"), store, "train")
    slices = clips.slices()
    groups = {"jittered": slices["corrupt"] & (clips.labels() != 1), "events": slices["rare"]}
    return {name: slots[of].sum() / slots.sum() / of.mean() for name, of in groups.items()}


def test_the_shaken_part_is_convicted_up_to_six_tenths_of_a_stream_and_none_of_it_beyond(half):
    clips = build_windows(find("video"), half, "train")
    convicted, slices = describe(clips).faults >= 0.9, clips.slices()
    rows, entities = clips.rows(np.arange(len(clips))), clips.entities()
    shares, recalls = [], []
    for entity in range(3):
        own = entities == entity
        shares.append((half.column("corrupt")[np.unique(rows[own])] > 0).mean())
        recalls.append(convicted[own & slices["corrupt"]].mean())
    assert min(shares) < 0.6 < 0.65 < max(shares)  # spans fall as they fall: both cases are there
    for share, recall in zip(shares, recalls, strict=True):
        assert recall > 0.9 if share < 0.6 else recall == 0
    assert convicted[slices["rare"] | slices["normal"]].mean() < 0.02


def test_without_the_gate_jitter_takes_slots_and_with_it_events_do(seldom):
    clips = build_windows(find("video"), seldom, "train")
    open_, gated = (
        risen(seldom, build_sampler(static(gate), clips).probabilities())
        for gate in ("gate=false", "gate=true")
    )
    assert open_["jittered"] > 1.5
    assert gated["jittered"] < 0.5
    assert gated["events"] > max(open_["events"], 1.0)


def test_a_run_draws_the_steady_half_and_its_events(half: ClipStore, tmp_path: Path):
    train(static("gate=true"), half, tmp_path / "run", with_control=False)
    drawn = pq.read_table(tmp_path / "run" / "windows.parquet")["drawn"].to_numpy()
    found = risen(half, drawn)
    assert found["jittered"] < 0.6
    assert found["events"] > 1.2
