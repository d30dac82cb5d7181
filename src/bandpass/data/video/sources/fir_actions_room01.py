"""FIR-Image-Action-Dataset, room 01: one person seen from the ceiling, by light and by warmth."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bandpass.data.series import DataError, Split
from bandpass.data.video.recording import Event, Frames, Recording, Video, VideoSource
from bandpass.data.video.sources import _reading

HOME = "https://github.com/noahzhy/FIR-Image-Action-Dataset (sessions of room 01)"
LICENCE = "none stated: research and evaluation only, do not redistribute"
LAYOUT = """RAW/rgb/20200626_154313.mp4 ...  the sessions' videos
RAW/thermal.npz                  <session>_temp_centi (T, 24, 32) int16, <session>_time_s (T,)
RAW/sessions.csv                 session,thermal_rows,...
RAW/segments.csv                 session,label,<thermal|video>_<start|end>,... in rows, frames"""
SEGMENTS = ("session", "label", "thermal_start", "thermal_end", "video_start", "video_end")
VIDEO_FPS, THERMAL_FPS = 25.0, 3.9
COLDEST, WARMEST = 20.0, 40.0  # degC that become 0 and 255
LAG = 1.0  # s
# No split is published. Four sessions, with 9 of the 23 falls; all but the first have a thermal
# record.
TEST = ("20200626_154556", "20200627_185209", "20200628_144536", "20200628_183032")


def video(raw: Path) -> Iterator[Recording]:
    """Yield the video of every session, such as ``20200626_154313``, with its labelled actions.

    Raises:
        DataError: If a file is missing or malformed.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    names = [line.text("session") for line in _sessions(files, ["session"])]
    events = _actions(files, names, "video")
    for name in names:
        path = files.file(f"rgb/{name}.mp4")
        found = tuple(
            Event(start / VIDEO_FPS, stop / VIDEO_FPS, label) for label, start, stop in events[name]
        )
        yield Recording(name, "room01", Video(path), found)


def thermal(raw: Path) -> Iterator[Recording]:
    """Yield the thermal record of every session that has one, with the same actions.

    The sensor reads every other pixel in turn, which leaves a chessboard: a frame is the mean of
    two consecutive rows. The thermal image trails the video, to which the labels fit, by 0.5 to
    1.5 s: events are put ``LAG`` seconds later than their rows.

    Raises:
        DataError: If a file is missing or malformed.
    """
    files = _reading.Raw(Path(raw), HOME, LAYOUT)
    rows = {
        line.text("session"): line.whole("thermal_rows")
        for line in _sessions(files, ["session", "thermal_rows"])
    }
    events = _actions(files, list(rows), "thermal")
    path = files.file("thermal.npz")
    for name in (name for name, count in rows.items() if count):
        time = _time(path, name)
        ends = np.append(time, 2 * time[-1] - time[-2])  # an end may be the number of rows
        found = tuple(
            Event(float(ends[start]) + LAG, float(ends[min(stop, len(time))]) + LAG, label)
            for label, start, stop in events[name]
            if start < len(time)
        )
        media = Frames(partial(temperatures, path, name), THERMAL_FPS, path)
        yield Recording(name, "room01", media, found)


def temperatures(path: Path, session: str) -> np.ndarray:
    """Return the thermal record of a session at an even rate.

    Args:
        path: The file ``thermal.npz``.
        session: Name of the session.

    Returns:
        (S, 24, 32) uint8 at ``THERMAL_FPS``, 0 at 20 degC or below, 255 at 40 degC or above.
    """
    time, centi = _time(path, session), _reading.arrays(path, [f"{session}_temp_centi"])[0]
    if centi.ndim != 3 or len(centi) != len(time):
        raise DataError(f"{path}: {session} has {len(time)} times for {centi.shape} temperatures")
    even = np.arange(0.0, float(time[-1]), 1 / THERMAL_FPS)
    row = np.searchsorted(time, even, side="right") - 1
    after = np.minimum(row + 1, len(time) - 1)
    degrees = (centi[row].astype(np.float32) + centi[after]) / 200
    level = (degrees - COLDEST) / (WARMEST - COLDEST) * 255
    return np.clip(np.rint(level), 0, 255).astype(np.uint8)


def _time(path: Path, session: str) -> np.ndarray:
    """(T,) float64 seconds of the rows of a session."""
    time = _reading.arrays(path, [f"{session}_time_s"])[0].astype(np.float64)
    if time.ndim != 1 or len(time) < 2 or not (np.diff(time) > 0).all():
        raise DataError(f"{path}: {session}_time_s must be two or more times, one after the other")
    return time


def _sessions(files: _reading.Raw, columns: list[str]) -> Iterator[_reading.Line]:
    return _reading.lines(files.file("sessions.csv"), columns)


def _actions(
    files: _reading.Raw, sessions: list[str], clock: str
) -> dict[str, list[tuple[str, int, int]]]:
    """(label, start, stop) of the segments of every session, in frames of the video or rows."""
    found: dict[str, list[tuple[str, int, int]]] = {name: [] for name in sessions}
    for line in _reading.lines(files.file("segments.csv"), SEGMENTS):
        start, stop = line.whole(f"{clock}_start"), line.whole(f"{clock}_end")
        if not 0 <= start < stop:
            raise line.wrong(f"{clock}_start={start} and {clock}_end={stop}: no stretch of frames")
        name = line.text("session")
        if name not in found:
            raise line.wrong(f"session={name!r} is not in sessions.csv")
        found[name].append((line.text("label"), start, stop))
    return found


SOURCE = VideoSource(
    name="fir_actions_room01",
    title="One person in a room from the ceiling, 9 labelled actions, falls among them",
    licence=LICENCE,
    home=HOME,
    layout=LAYOUT,
    recordings=video,
    size=(24, 32),
    fps=VIDEO_FPS / 3,
    rare=frozenset({"falling"}),
    split=Split(by="series", test=frozenset(TEST)),
)
THERMAL = VideoSource(
    name="fir_thermal_room01",
    title="The same room and actions as a 24x32 thermal sensor sees them",
    licence=LICENCE,
    home=HOME,
    layout=LAYOUT,
    recordings=thermal,
    size=(24, 32),
    fps=THERMAL_FPS,
    rare=SOURCE.rare,
    split=Split(by="series", test=frozenset(TEST[1:])),
)
