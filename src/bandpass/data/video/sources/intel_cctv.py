"""Two clips of Intel's sample videos: people who come and go, a hand that moves bottles."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandpass.data.series import Split
from bandpass.data.video.recording import Recording, Video, VideoSource
from bandpass.data.video.sources import _reading

HOME = "https://github.com/intel-iot-devkit/sample-videos"
LAYOUT = """RAW/one-by-one-person-detection.mp4, RAW/bottle-detection.mp4  the origin's
RAW/<name>.weak.csv  frame,event,boundary,... of every frame, by rule"""
COLUMNS = ("frame", "event", "boundary")
# Name, frames a second, and what its event is.
VIDEOS = (
    ("one-by-one-person-detection", 10.0, "person"),
    ("bottle-detection", 179 / 6, "hand"),
)


def recordings(raw: Path) -> Iterator[Recording]:
    """Yield both videos with their weak labels, each an entity of its own.

    The labels were made by rules on brightness, not by people. An event is what the video is
    about and fills much of it, so the rare frames that matter are those of the track
    ``boundary``: within 8 frames of where an event starts or ends.

    Raises:
        DataError: If a file is missing or malformed.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    for name, fps, what in VIDEOS:
        table = files.file(f"{name}.weak.csv")
        found: list[tuple[bool, bool]] = []
        for line in _reading.lines(table, COLUMNS):
            if line.whole("frame") != len(found):
                raise line.wrong(f"frame={line.text('frame')}: must be {len(found)}")
            found.append((line.whole("event") == 1, line.whole("boundary") == 1))
        event, boundary = np.array(found, bool).reshape(-1, 2).T
        events = (
            *_reading.flagged(event, fps, what, "event"),
            *_reading.flagged(boundary, fps, "boundary", "boundary"),
        )
        yield Recording(name, name, Video(files.file(f"{name}.mp4")), events)


SOURCE = VideoSource(
    name="intel_cctv",
    title="People who come to a table one by one; a hand that moves bottles; weak labels",
    licence="CC BY 4.0 (Intel)",
    home=HOME,
    layout=LAYOUT,
    recordings=recordings,
    size=(24, 40),
    fps=10.0,
    rare=frozenset({"boundary"}),
    split=Split(by="time", test_share=0.4, embargo=20),
)
