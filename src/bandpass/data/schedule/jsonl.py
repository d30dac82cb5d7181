"""Windows as JSON lines, for other tools: a side of a split written, or files of them read."""

import gzip
import json
import re
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, date, time
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bandpass.data.atomic import replacing, writing
from bandpass.data.schedule.record import EPOCH, LAST_DAY, UNDATED, Malformed
from bandpass.data.schedule.sources._reading import Unusable, moment, objects
from bandpass.data.schedule.store import KINDS, ScheduleStore
from bandpass.data.schedule.tokens import (
    FEATURES,
    FLAGS,
    POSITIONS,
    SCALE,
    SLOTS,
    faults,
    sparse,
)

CHUNK = 1024
"""Windows that are held at a time."""

FIELDS = (
    "dataset",
    "source_id",
    "window_kind",
    "window_start",
    "window_end",
    "tokens",
    "metadata",
)
MOST_EVENTS = 2**16 - 1
_ID = re.compile("[0-9a-f]{16}")
_HEADS = [f"[{p},{p}," for p in np.round(POSITIONS[:, 0].astype(float), 6).tolist()]
_TAIL = ",".join(["0.0"] * (len(FEATURES) - 2)) + "]"
_EMPTY = [head + _TAIL for head in _HEADS]


class Line(NamedTuple):
    """A window as its line has it, its tokens apart."""

    dataset: str
    kind: int
    id: int
    actor: int
    day: int
    events: int


def write_windows(
    store: ScheduleStore,
    rows: np.ndarray,
    file: Path,
    progress: Callable[[int], None] = lambda windows: None,
) -> None:
    """Write windows as gzip JSON lines of ``FIELDS``; the file appears when it is whole.

    ``source_id`` and ``metadata.actor`` are the keyed hashes of the store, 16 hex digits, the actor
    null where there is none; ``window_start`` and ``window_end`` are one midnight of UTC and the
    next, null for an undated window. Values have the decimals that matter: reading the line gives
    the very window back.

    Args:
        store: Where they are.
        rows: (n,) int64 of them, in the order wanted.
        file: Replaced if it is there.
        progress: Told how many more windows are written, now and then.

    Raises:
        StoreError: If the disk does not take it.
    """
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(file) as partial,
            partial.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,  # equal windows, equal bytes
        ):
            for first in range(0, len(rows), CHUNK):
                lines = _lines(store, rows[first : first + CHUNK])
                packed.write("".join(lines).encode())
                progress(min(CHUNK, len(rows) - first))


def read_windows(
    file: Path, malformed: Malformed
) -> Iterator[tuple[list[Line], np.ndarray, np.ndarray]]:
    """Read lines of ``FIELDS``, plain or gzip; whatever else they have is passed over.

    Args:
        file: What `write_windows` wrote, or another tool in the same form.
        malformed: Told of every line that holds no window, with its number.

    Yields:
        Windows in the order of the file, some at a time; the (R,) of ``RUN`` of them, and the (R,)
        int64 window of each. Amounts are rounded to whole ``1 / SCALE``.

    Raises:
        DataError: If the file cannot be read to its end; names the last good line.
    """
    lines: list[Line] = []
    numbers: list[int] = []
    tokens = np.empty((CHUNK, SLOTS, len(FEATURES)))
    for number, content in objects(file, malformed):
        try:
            line, values = _line(content)
        except Unusable as reason:
            malformed.add(f"{file.name}:{number}", str(reason))
            continue
        tokens[len(lines)] = values
        lines.append(line)
        numbers.append(number)
        if len(lines) == CHUNK:
            yield _sparse(lines, numbers, tokens, file.name, malformed)
            lines.clear()
            numbers.clear()
    yield _sparse(lines, numbers, tokens[: len(lines)], file.name, malformed)


def _lines(store: ScheduleStore, rows: np.ndarray) -> Iterator[str]:
    windows, datasets = store.windows[rows], [json.dumps(name) for name in store.datasets]
    runs, of = store.runs_in(rows)
    stops = np.searchsorted(of, np.arange(1, len(rows) + 1)).tolist()
    listed, start = runs.tolist(), 0
    for stop, window in zip(stops, windows, strict=True):
        day = int(window["day"])
        begin, end = _midnights(day)
        actor = f'"{window["actor"]:016x}"' if window["actor"] else "null"
        yield (
            f'{{"dataset": {datasets[window["dataset"]]}, "source_id": "{window["id"]:016x}", '
            f'"window_kind": "{KINDS[window["kind"]]}", "window_start": {begin}, '
            f'"window_end": {end}, "tokens": {_tokens(listed[start:stop])}, '
            f'"metadata": {{"actor": {actor}, "events": {window["events"]}}}}}\n'
        )
        start = stop


def _tokens(runs: list[tuple[int, ...]]) -> str:
    slots = _EMPTY.copy()
    for slot, length, *values in runs:
        tail = _values(*values)
        slots[slot : slot + length] = [head + tail for head in _HEADS[slot : slot + length]]
    return f"[{','.join(slots)}]"


@lru_cache(maxsize=4096)
def _values(what: int, *amounts: int) -> str:
    """Everything of a slot but where it is."""
    flags = [what >> bit & 1 for bit in range(len(FLAGS))]
    values = [*map(float, flags), *(amount / SCALE for amount in amounts), 0.0]
    return ",".join(map(repr, values)) + "]"


@lru_cache(maxsize=4096)
def _midnights(day: int) -> tuple[str, str]:
    if day == UNDATED:
        return "null", "null"
    first = date.fromordinal(day + EPOCH)
    if day == LAST_DAY:  # the year 10000 has no ISO date, but its first midnight is this one's last
        return f'"{first}T00:00:00Z"', f'"{first}T24:00:00Z"'
    return f'"{first}T00:00:00Z"', f'"{date.fromordinal(day + 1 + EPOCH)}T00:00:00Z"'


def _line(content: dict[str, object]) -> tuple[Line, np.ndarray]:
    """Check a line as far as it can be without its tokens' values."""
    for field in FIELDS:
        if field not in content:
            raise Unusable(f"no {field}")
    dataset, kind, metadata = content["dataset"], content["window_kind"], content["metadata"]
    if not isinstance(dataset, str) or not dataset:
        raise Unusable("dataset is no name")
    if kind not in KINDS:
        raise Unusable(f"window_kind is none of {', '.join(KINDS)}")
    if not isinstance(metadata, dict):
        raise Unusable("metadata is no object")
    actor, events = metadata.get("actor"), metadata.get("events")
    if type(events) is not int or not 0 < events <= MOST_EVENTS:
        raise Unusable(f"metadata.events is no whole number of 1 to {MOST_EVENTS}")
    line = Line(
        dataset,
        KINDS.index(kind),
        _hash("source_id", content["source_id"]),
        0 if actor is None else _hash("metadata.actor", actor),
        _day(content["window_start"], content["window_end"]),
        events,
    )
    return line, _numbers(content["tokens"])


def _hash(field: str, text: object) -> int:
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise Unusable(f"{field} is not of 16 hex digits")
    return int(text, 16)


def _day(start: object, end: object) -> int:
    """The day from one midnight to the next."""
    if start is None and end is None:
        return UNDATED
    if not isinstance(start, str) or not isinstance(end, str):
        raise Unusable("window_start or window_end is no text")
    try:
        first, last = _midnight(start), _midnight(end)
    except (ValueError, OverflowError) as error:
        raise Unusable("window_start or window_end is no midnight of UTC") from error
    if last != first + 1:
        raise Unusable("window_end is not a day after window_start")
    return first


@lru_cache(maxsize=4096)
def _midnight(text: str) -> int:
    if text == f"{date.max}T24:00:00Z":
        return LAST_DAY + 1
    found = moment(text)
    found = found.astimezone(UTC) if found.tzinfo else found
    if found.time() != time():
        raise ValueError(f"{text} is not midnight")
    return found.toordinal() - EPOCH


def _numbers(tokens: object) -> np.ndarray:
    if not isinstance(tokens, list) or not all(isinstance(slot, list) for slot in tokens):
        raise Unusable("tokens are no list of lists")
    if len(tokens) != SLOTS or any(len(slot) != len(FEATURES) for slot in tokens):
        raise Unusable(f"tokens are not {SLOTS} x {len(FEATURES)}")
    try:
        numbers = array("d", chain.from_iterable(tokens))
    except (TypeError, OverflowError) as error:
        raise Unusable("tokens are not all numbers") from error
    return np.frombuffer(numbers).reshape(SLOTS, len(FEATURES))


def _sparse(
    lines: list[Line], numbers: list[int], tokens: np.ndarray, file: str, malformed: Malformed
) -> tuple[list[Line], np.ndarray, np.ndarray]:
    """Runs of the windows that are windows."""
    good = np.ones(len(lines), bool)
    for reason, where in faults(tokens).items():
        for window in np.flatnonzero(where.any(axis=(1, 2)) & good):
            slot, feature = np.argwhere(where[window])[0]
            place = f"{file}:{numbers[window]}, slot {slot}, {FEATURES[feature]}"
            malformed.add(place, f"a value {reason}")
            good[window] = False
    anything = np.rint(tokens[:, :, 2:] * SCALE).any(axis=(1, 2))
    for window in np.flatnonzero(good & ~anything):
        malformed.add(f"{file}:{numbers[window]}", "no slot holds anything")
        good[window] = False
    runs, of = sparse(tokens[good])
    return [line for line, keep in zip(lines, good, strict=True) if keep], runs, of
