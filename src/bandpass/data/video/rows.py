"""What is known of a recording, row by row: labels, classes, corruption, and runs of frames."""

from typing import NamedTuple

import numpy as np

from bandpass.data.series import EVENT, NORMAL, UNKNOWN_REGIME, UNLABELLED, Split
from bandpass.data.splits import Segment, segments
from bandpass.data.video.recording import Decoded, Recording

ACTION = "action"
"""The track whose labels tell classes apart."""

GAP = 1.0
"""Seconds of missing frames in a row that end a run."""


class RowEvent(NamedTuple):
    """A labelled stretch in rows of its recording, half-open."""

    start: int
    stop: int
    label: str
    track: str


def rows_of(recording: Recording, decoded: Decoded) -> tuple[list[RowEvent], list[str]]:
    """Events of a recording in the order in which they start, cut to it; notes if any was."""
    found, past, outside, rows = list[RowEvent](), 0, 0, len(decoded.frames)
    for event in sorted(recording.events, key=lambda event: (event.start, event.stop)):
        start, stop = round(event.start * decoded.fps), round(event.stop * decoded.fps)
        past += stop > rows + 1 and start < rows  # a row beyond may be rounding
        outside += start >= rows
        start, stop = max(start, 0), min(max(stop, start + 1), rows)
        if start < stop:
            found.append(RowEvent(start, stop, event.label, event.track))
    notes = [f"{recording.name}: {past} labels end past its end: cut to it"] if past else []
    if outside:
        seconds = f"{rows / decoded.fps:.4g} s"
        notes.append(f"{recording.name}: {outside} labels begin past its {seconds}: left out")
    return found, notes


def labels(
    recording: Recording, decoded: Decoded, events: list[RowEvent], rare: frozenset[str]
) -> np.ndarray:
    """(F,) int8: 1 event, 0 normal, -1 unlabelled; see ``Recording.label``."""
    if recording.label is not None:
        return shown_of(recording.label, decoded, UNLABELLED).astype(np.int8)
    found = np.full(len(decoded.frames), NORMAL if events else UNLABELLED, np.int8)
    for event in events:
        if event.label in rare:
            found[event.start : event.stop] = EVENT
    return found


def regimes(rows: int, events: list[RowEvent], codes: dict[str, int]) -> np.ndarray:
    """(F,) int16 class of every row; of stretches that overlap, the one that starts last.

    Args:
        rows: F.
        events: In the order in which they start.
        codes: Of the classes met so far; new ones are added.
    """
    found = np.full(rows, UNKNOWN_REGIME, np.int16)
    for event in events:
        if event.track == ACTION:
            found[event.start : event.stop] = codes.setdefault(event.label, len(codes))
    return found


def corruptions(recording: Recording, decoded: Decoded, injected: np.ndarray | None) -> np.ndarray:
    """(F,) int8: what the recording knows, and else what was injected."""
    known = shown_of(recording.corrupt, decoded, 0).astype(np.int8)
    return known if injected is None else np.where(known > 0, known, injected).astype(np.int8)


def shown_of(
    of_source: np.ndarray | None, decoded: Decoded, nothing: float, width: tuple[int, ...] = ()
) -> np.ndarray:
    """(F, *width) float32, what is known of the source frame that each row shows."""
    found = np.full((len(decoded.shown), *width), nothing, np.float32)
    if of_source is None:
        return found
    known = (decoded.shown >= 0) & (decoded.shown < len(of_source))
    found[known] = of_source[decoded.shown[known]]
    return found


def runs_of(recording: Recording, decoded: Decoded, split: Split) -> list[Segment]:
    """Runs that clips may lie in: of one split, and with no gap of ``GAP`` seconds inside."""
    rows = len(decoded.frames)
    whole = segments(rows, split, recording.name, recording.entity, recording.split)
    holes = _holes(decoded.missing, max(int(GAP * decoded.fps), 1))
    return [piece for run in whole for piece in _without(run, holes)]


def _holes(missing: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Start and stop of runs of at least so many missing frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    holes = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in holes if stop - start >= least]


def _without(run: Segment, holes: list[tuple[int, int]]) -> list[Segment]:
    """The pieces of a run that lie in no hole."""
    split, start, stop = run
    pieces = []
    for first, last in holes:
        if first < stop and last > start:
            if first > start:
                pieces.append((split, start, first))
            start = last
    if start < stop:
        pieces.append((split, start, stop))
    return pieces
