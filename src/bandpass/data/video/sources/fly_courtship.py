"""Two courting flies, tracked in every frame: a real video whose latent state is known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandpass.data.series import DataError, Split
from bandpass.data.video.recording import Recording, Video, VideoSource
from bandpass.data.video.sources import _reading

HOME = "https://github.com/talmolab/sleap (docs/notebooks/analysis_example)"
VIDEO = "20190128_113421.120s.mp4"
LAYOUT = f"""RAW/{VIDEO}  the origin's
RAW/state.npz                 thorax_xy, heading_rad, distance_px, fast, contact, wing_extension
                              of every frame, from the origin's predictions.analysis.h5"""
FPS, SIDE = 25.0, 1024  # frames a second, pixels of a side
# Frames, flies and coordinates of what state.npz must hold.
SHAPES = {
    "thorax_xy": (2, 2),
    "heading_rad": (2,),
    "distance_px": (),
    "fast": (2,),
    "contact": (),
    "wing_extension": (2,),
}
STATE = ("x-0", "y-0", "x-1", "y-1", "cos-0", "sin-0", "cos-1", "sin-1", "distance")


def recordings(raw: Path) -> Iterator[Recording]:
    """Yield the one recording, with its state and what the flies do.

    The state is, in the order of ``STATE``, where both thoraces are and how far apart, in sides of
    the frame, and where both heads point. A frame is an event when a fly is fast or both touch.

    Raises:
        DataError: If a file is missing or malformed.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    path = files.file("state.npz")
    found = dict(zip(SHAPES, _reading.arrays(path, list(SHAPES)), strict=True))
    rows = len(found["distance_px"])
    for name, shape in SHAPES.items():
        if found[name].shape != (rows, *shape):
            raise DataError(
                f"{path}: {name} is of shape {found[name].shape}, not {(rows, *shape)}; "
                f"make it again"
            )
    fast, contact = np.asarray(found["fast"].any(1)), found["contact"].astype(bool)
    events = (
        *_reading.flagged(fast, FPS, "fast", "fast"),
        *_reading.flagged(contact, FPS, "contact", "contact"),
        *_reading.flagged(found["wing_extension"][:, 0], FPS, "wing-0", "wing"),
        *_reading.flagged(found["wing_extension"][:, 1], FPS, "wing-1", "wing"),
    )
    label, media = (fast | contact).astype(np.int8), Video(files.file(VIDEO))
    yield Recording("flies", "flies", media, events, label, state=_state(found))


def _state(found: dict[str, np.ndarray]) -> np.ndarray:
    """(S, 9) float32 in the order of ``STATE``."""
    thorax, heading = found["thorax_xy"] / SIDE, found["heading_rad"]
    towards = np.stack([np.cos(heading), np.sin(heading)], 2)
    parts = [thorax.reshape(-1, 4), towards.reshape(-1, 4), found["distance_px"][:, None] / SIDE]
    return np.concatenate(parts, 1).astype(np.float32)


SOURCE = VideoSource(
    name="fly_courtship",
    title="Two courting flies from above, with the pose of both in every frame",
    licence="Clear BSD, limited to academic and research use (Princeton University)",
    home=HOME,
    layout=LAYOUT,
    recordings=recordings,
    size=(64, 64),
    fps=12.5,
    rare=frozenset({"fast", "contact"}),
    split=Split(by="time", test_share=0.4, embargo=25),
    state=STATE,
)
