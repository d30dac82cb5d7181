"""What is taken off clips is measured on the train rows: nothing of the test side leaks in."""

from pathlib import Path

import numpy as np
import pytest

from bandpass.data import open_store
from bandpass.data.series import Split
from bandpass.data.video import ClipStore, Decoded, Frames, Recording, VideoSource
from bandpass.data.video.clips import Clips
from bandpass.data.video.marks import MARKS, mark_frames
from bandpass.data.video.signals import SIGNALS, signals
from bandpass.data.video.writer import ClipWriter

ROWS, SIDE, FPS = 200, 16, 8.0
LEVEL = 40, 200
"""Of the first quarter, which trains, and of what comes after it."""


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """Two recordings: one is cut by time, the other is of the test side whole."""
    words = ("test", "A wall.", "none", "none", "none")
    split = Split(by="time", test_share=0.5, embargo=50)
    source = VideoSource(*words, lambda raw: iter(()), size=(SIDE, SIDE), fps=FPS, split=split)
    writer = ClipWriter(tmp_path, source, FPS, (SIDE, SIDE, 1))
    generator = np.random.default_rng(0)
    level = np.where(np.arange(ROWS) < ROWS // 4, *LEVEL)[:, None, None, None]
    for name, side in (("cut", None), ("other", "test")):
        frames = (level + generator.integers(-2, 3, (ROWS, SIDE, SIDE, 1))).astype(np.uint8)
        missing = np.zeros(ROWS, bool)
        decoded = Decoded(frames, missing, np.arange(ROWS), FPS, {})
        media = Frames(lambda: np.empty(0, np.uint8), FPS)
        recording = Recording(name, name, media, split=side)
        writer.add(recording, decoded, signals(frames, missing, FPS))
    writer.finish({}, [])
    found = open_store(tmp_path)
    assert isinstance(found, ClipStore)
    return found


def test_the_background_is_that_of_the_train_rows_and_of_all_if_there_are_none(store):
    cut, other = store.column("backgrounds")
    assert cut.mean() == pytest.approx(LEVEL[0], abs=1)
    assert other.mean() == pytest.approx(LEVEL[1], abs=1)


def test_the_rows_that_train_are_those_of_its_runs(store):
    np.testing.assert_array_equal(np.flatnonzero(store.train_rows), np.arange(ROWS // 4))


def test_sketches_are_standardised_by_the_train_rows(store):
    clips = Clips(store, 8, 8, "train")
    sketch = clips.sketch(np.arange(len(clips))).values
    brightness = sketch[..., SIGNALS.index("brightness")].numpy()
    assert abs(np.median(brightness)) < 0.5
    assert brightness.std() > 0.5


def test_marks_are_those_of_each_recording_by_itself_and_sort_its_clips(store):
    parts = np.split(store.column("signals"), [ROWS])
    alone = np.concatenate([mark_frames(part, FPS) for part in parts])
    np.testing.assert_array_equal(store.marks, alone)
    assert alone.any()
    clips = Clips(store, 8, 8, None)
    codes, names = clips.buckets("mark")
    assert names == [*MARKS, "none"]
    rows = clips.rows(np.arange(len(clips)))
    held = [[names[i] for i in np.flatnonzero(alone[own].any(axis=0))] for own in rows]
    assert [names[code] for code in codes] == [(marks or ["none"])[0] for marks in held]
