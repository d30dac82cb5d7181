"""A small video store: a square that walks, hops or falls in front of a textured wall."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import open_store
from bandpass.data.series import Split
from bandpass.data.video.recording import Decoded, Event, Frames, Recording, VideoSource
from bandpass.data.video.signals import signals
from bandpass.data.video.store import ClipStore
from bandpass.data.video.writer import ClipWriter
from bandpass.recipes import Recipe, find, override
from bandpass.runs import train

FPS, SIDE = 8.0, 16
TINY = (
    *("steps=30", "batch=8", "log_every=10", "checkpoint_every=30", "device=cpu"),
    *("windows.length=8", "windows.stride=4", "policy=uniform"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)
ORDER = ("walk", "fall", "hop", "still")


def film(seed: int, rounds: int = 3) -> tuple[np.ndarray, np.ndarray, tuple[Event, ...]]:
    """Frames (F, SIDE, SIDE), the place of the square (F, 2), and what it does when."""
    generator = np.random.default_rng(seed)
    wall = generator.integers(90, 110, (SIDE, SIDE))
    place, places, events = np.array([8.0, 4.0]), list[np.ndarray](), list[Event]()
    for _ in range(rounds):
        for action in ORDER:
            first = len(places)
            for row in range(int(generator.integers(16, 26))):
                step = {"walk": (0, 0.7), "hop": (2.5 * (-1) ** row, 0), "fall": (0.8, 0.1)}
                place = place + step.get(action, (0.0, 0.0))
                place = np.where(place > SIDE - 5, 2.0, np.maximum(place, 1.0))
                places.append(place)
            events.append(Event(first / FPS, len(places) / FPS, action))
    moving = [Event(e.start, e.stop, "moving", "moving") for e in events if e.label != "still"]
    frames = np.stack([wall + generator.normal(0, 2, wall.shape) for _ in places])
    for frame, (y, x) in zip(frames, np.round(places).astype(int), strict=True):
        frame[y : y + 4, x : x + 4] = 220
    return frames.clip(0, 255).astype(np.uint8), np.array(places, np.float32), (*events, *moving)


def fill(path: Path, count: int, source: VideoSource, *, labelled: bool = True) -> ClipStore:
    path.mkdir()
    writer = ClipWriter(path, source, FPS, (SIDE, SIDE, 1))
    for number in range(count):
        frames, state, events = film(number)
        media = Frames(lambda: np.empty(0, np.uint8), FPS)
        recording = Recording(
            f"take-{number}",
            "room",
            media,
            events if labelled else (),
            state=state if labelled else None,
            split="test" if number >= count - 3 else "train",
        )
        missing = np.zeros(len(frames), bool)
        decoded = Decoded(frames[..., None], missing, np.arange(len(frames)), FPS, {})
        writer.add(recording, decoded, signals(frames[..., None], missing, FPS))
    writer.finish({}, [])
    found = open_store(path)
    assert isinstance(found, ClipStore)
    return found


def source(*state: str) -> VideoSource:
    words = ("test", "A square.", "none", "none", "none")
    return VideoSource(
        *words,
        lambda raw: iter(()),
        size=(SIDE, SIDE),
        fps=FPS,
        rare=frozenset({"fall"}),
        split=Split(by="series"),
        state=state,
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return fill(tmp_path_factory.mktemp("video") / "store", 8, source("y", "x"))


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return fill(tmp_path_factory.mktemp("video") / "store", 4, source(), labelled=False)


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return lambda *changes: override(find("video"), [*TINY, *changes])


@pytest.fixture(scope="session")
def run(
    tmp_path_factory: pytest.TempPathFactory, recipe: Callable[..., Recipe], store: ClipStore
) -> Path:
    """A finished run; nothing may be written into it but evaluations."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert train(recipe(), store, path, with_control=False)
    return path
