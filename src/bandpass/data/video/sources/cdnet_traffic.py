"""CDnet 2014 "traffic": a road, and a camera that never stops shaking."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandpass.data.series import Split
from bandpass.data.video.recording import Recording, Video, VideoSource
from bandpass.data.video.sources import _reading

HOME = "http://changedetection.net (CDnet 2014, cameraJitter/traffic)"
LAYOUT = """RAW/traffic.mp4  the frames
RAW/labels.csv   frame,in_temporal_roi,moving_fraction"""
COLUMNS = ("frame", "in_temporal_roi", "moving_fraction")
FPS = 25.0
MOVING = 0.005  # share of the pixels from which on something moves


def recordings(raw: Path) -> Iterator[Recording]:
    """Yield the one recording; outside the annotated frames (900 and on) it has no labels.

    Raises:
        DataError: If a file is missing or malformed.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    label: list[int] = []
    for line in _reading.lines(files.file("labels.csv"), COLUMNS):
        if line.whole("frame") != len(label):
            raise line.wrong(f"frame={line.text('frame')}: must be {len(label)}, one line a frame")
        known = line.whole("in_temporal_roi") == 1
        label.append(int(line.real("moving_fraction") > MOVING) if known else -1)
    labels = np.array(label, np.int8)
    events = _reading.flagged(labels > 0, FPS, "moving", "moving")
    yield Recording("traffic", "traffic", Video(files.file("traffic.mp4")), events, labels)


SOURCE = VideoSource(
    name="cdnet_traffic",
    title="A road seen by a camera that shakes in every frame; moving cars are labelled",
    licence="none stated: research and evaluation only, do not redistribute",
    home=HOME,
    layout=LAYOUT,
    recordings=recordings,
    size=(24, 32),
    fps=12.5,
    rare=frozenset({"moving"}),
    # Labels begin at 57% of the frames: a larger share would leave train without any.
    split=Split(by="time", test_share=0.2, embargo=25),
)
