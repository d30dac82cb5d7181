"""UCSD Ped2: a walkway, on which now and then comes something that is no pedestrian."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandpass.data.series import DataError
from bandpass.data.video.recording import Recording, Video, VideoSource
from bandpass.data.video.sources import _reading

HOME = "http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm (Ped2)"
LAYOUT = """RAW/ped2_train.mp4  all training clips, one after the other
RAW/ped2_test.mp4   all test clips, one after the other
RAW/clips.csv       split,clip,first_frame,n_frames,anomaly_first,anomaly_last,..."""
COLUMNS = ("split", "clip", "first_frame", "n_frames", "anomaly_first", "anomaly_last")
FPS = 10.0
# Each starts without an anomaly, so that train sees both of the same minute.
SOME = "2,7,12"


def recordings(raw: Path, *, test_clips: str = SOME) -> Iterator[Recording]:
    """Yield one recording per clip, such as ``test-07``.

    The published training clips hold no anomaly. To be a stream with rare events, train has some
    of the test clips too; the others are test.

    Args:
        raw: Folder with the two videos and the table.
        test_clips: Numbers of the test clips that go to train, separated by commas. Empty keeps
            the published split, whose frame AUC is that of the literature.

    Raises:
        DataError: If a file is missing or malformed, or there is no test clip of a number.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    table = files.file("clips.csv")
    found = [_clip(line, files) for line in _reading.lines(table, COLUMNS)]
    wanted = {f"test-{number.strip():0>2}" for number in test_clips.split(",") if number.strip()}
    missing = sorted(wanted - {name for name, *_ in found})
    if missing:
        raise DataError(f"option test_clips={test_clips!r}: {table} has no clip {missing[0]!r}")
    for name, media, label in found:
        split = "train" if name in wanted else name.split("-")[0]
        events = _reading.flagged(label > 0, FPS, "anomaly", "anomaly")
        yield Recording(name, "ped2", media, events, label, split=split)


def _clip(line: _reading.Line, files: _reading.Raw) -> tuple[str, Video, np.ndarray]:
    """Name, frames and (S,) int8 label of a clip."""
    split = line.text("split")
    if split not in ("train", "test"):
        raise line.wrong(f"split={split!r}: must be train or test")
    first, count = line.whole("first_frame"), line.whole("n_frames")
    start, last = line.whole("anomaly_first"), line.whole("anomaly_last")
    if first < 0 or count < 1 or not -1 <= start <= last < count or (start < 0 <= last):
        raise line.wrong("frames of the clip or of its anomaly that cannot be")
    label = np.zeros(count, np.int8)
    if start >= 0:
        label[start : last + 1] = 1
    media = Video(files.file(f"ped2_{split}.mp4"), first, count)
    return f"{split}-{line.whole('clip'):02d}", media, label


SOURCE = VideoSource(
    name="ucsd_ped2",
    title="A walkway; bicycles, skateboards and carts are the labelled anomalies",
    licence="none stated: research and evaluation only, do not redistribute",
    home=HOME,
    layout=LAYOUT,
    recordings=recordings,
    size=(32, 48),
    fps=FPS,
    rare=frozenset({"anomaly"}),
    options={"test_clips": f"test clips that go to train, separated by commas ({SOME})"},
)
