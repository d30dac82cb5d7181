"""The window that every schedule source is brought to: 96 slots x 16 features, kept as runs.

A window is one day, a slot its quarter hour, in UTC. Equal neighbouring slots are one *run*; a
slot that no run covers is empty. A run holds seven flags and six amounts in thousandths, so that
a window is rebuilt from its runs to the bit.
"""

import numpy as np

from bandpass.data.series import DataError

SLOTS = 96
MINUTES = 15
"""Of a slot."""

DAY = SLOTS * MINUTES

FEATURES = (
    "slot_position",
    "day_position",
    "calendar_event",
    "task",
    "email_activity",
    "project_activity",
    "code_activity",
    "holiday",
    "deadline",
    "duration",
    "priority",
    "participant_count",
    "text_length",
    "completion",
    "source_confidence",
    "reserved",
)
CALENDAR, TASK, EMAIL, PROJECT, CODE, HOLIDAY, DEADLINE = (1 << bit for bit in range(7))
FLAGS = FEATURES[2:9]
AMOUNTS = ("duration", "priority", "participant_count", "text_length", "completion")
AMOUNTS += ("source_confidence",)
SCALE = 1000
"""Amounts are whole numbers of 1 / SCALE."""

RUN = np.dtype(
    [("slot", "u1"), ("slots", "u1"), ("what", "u1")] + [(name, "<u2") for name in AMOUNTS]
)

POSITIONS = (np.arange(SLOTS, dtype=np.float32) / np.float32(SLOTS - 1))[:, None]
EMPTY = np.zeros((SLOTS, len(FEATURES)), np.float32)
"""A window without events: slot_position and day_position of slot i are both i / 95."""
EMPTY[:, :2] = POSITIONS

_FLAGS = np.zeros((128, len(FLAGS)), np.float32)
_FLAGS[:] = np.arange(128)[:, None] >> np.arange(len(FLAGS)) & 1
_FIRST_FLAG, _FIRST_AMOUNT = FEATURES.index(FLAGS[0]), FEATURES.index(AMOUNTS[0])
_AMOUNTS_AT = RUN.itemsize - 2 * len(AMOUNTS)
_TOLERANCE = 1e-6 + 0.5 / SCALE


def dense(runs: np.ndarray, window: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write runs into empty windows.

    Args:
        runs: (R,) of ``RUN``, disjoint within a window.
        window: (R,) int64 window that each run is of, an index into ``out``.
        out: (B, SLOTS, 16) float32, overwritten.

    Returns:
        ``out``.
    """
    out[:] = EMPTY
    values = np.zeros((len(runs), len(FEATURES) - _FIRST_FLAG), np.float32)
    values[:, : len(FLAGS)] = _FLAGS[runs["what"]]
    amounts = runs.view(np.uint8).reshape(len(runs), RUN.itemsize)[:, _AMOUNTS_AT:]
    values[:, len(FLAGS) : -1] = np.ascontiguousarray(amounts).view("<u2")  # six columns at once
    values[:, len(FLAGS) :] /= np.float32(SCALE)
    length = runs["slots"].astype(np.int64)
    first = window * SLOTS + runs["slot"] - (np.cumsum(length) - length)
    row = np.repeat(first, length) + np.arange(length.sum())
    out.reshape(-1, len(FEATURES))[row, _FIRST_FLAG:] = np.repeat(values, length, axis=0)
    return out


def sparse(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the runs of windows: the inverse of `dense`, exact up to ``0.5 / SCALE``.

    Args:
        tokens: (B, SLOTS, 16) floats.

    Returns:
        (R,) of ``RUN``, and the (R,) int64 window of each, ascending.

    Raises:
        DataError: If a window is no window; names the first, what is wrong and where.
    """
    if tokens.shape[1:] != EMPTY.shape:
        raise DataError(f"tokens have shape {tokens.shape[1:]}, a window is {EMPTY.shape}")
    _check(tokens)
    what = (tokens[:, :, _FIRST_FLAG:_FIRST_AMOUNT] > 0.5) @ (1 << np.arange(len(FLAGS)))
    amounts = np.rint(tokens[:, :, _FIRST_AMOUNT:-1] * SCALE).astype(np.uint16)
    return runs_of_slots(np.concatenate([what[:, :, None].astype(np.uint16), amounts], axis=2))


def runs_of_slots(slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge equal neighbouring slots.

    Args:
        slots: (B, SLOTS, 7) uint16: the sum of flags, then the amounts in the order of ``RUN``.

    Returns:
        (R,) of ``RUN``, and the (R,) int64 window of each, ascending.
    """
    flat = slots.reshape(-1, slots.shape[2])
    used = np.flatnonzero(flat.any(axis=1))
    return join(used, flat[used])


def join(places: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge equal neighbouring slots, given those that are not empty.

    Args:
        places: (n,) int64 of the slots, those of all windows end to end; ascending.
        slots: (n, 7) as of `runs_of_slots`.

    Returns:
        (R,) of ``RUN``, and the (R,) int64 window of each, ascending.
    """
    new = (np.diff(places, prepend=-2) != 1) | (places % SLOTS == 0)
    new[1:] |= (slots[1:] != slots[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    runs = np.zeros(len(first), RUN)
    runs["slot"], runs["slots"] = places[first] % SLOTS, np.diff(first, append=len(new))
    for place, name in enumerate(("what", *AMOUNTS)):
        runs[name] = slots[first, place]
    return runs, places[first] // SLOTS


def faults(tokens: np.ndarray) -> dict[str, np.ndarray]:
    """What no window can have: (B, SLOTS, 16) bool each, by what is wrong with a value."""
    binary = tokens[:, :, _FIRST_FLAG:_FIRST_AMOUNT]
    found = {
        "is not in [0, 1]": ~((tokens >= 0) & (tokens <= 1)),  # NaN is not either
        "is not i / 95 in slot i": np.zeros(tokens.shape, bool),
        "is neither 0 nor 1": np.zeros(tokens.shape, bool),
        "is not 0, and it is reserved": np.zeros(tokens.shape, bool),
    }
    far, flag, reserved = list(found.values())[1:]
    far[:, :, :2] = np.abs(tokens[:, :, :2] - POSITIONS) > _TOLERANCE
    flag[:, :, _FIRST_FLAG:_FIRST_AMOUNT] = (binary != 0) & (binary != 1)
    reserved[:, :, -1] = tokens[:, :, -1] != 0
    return found


def _check(tokens: np.ndarray) -> None:
    """Say what is wrong with the first value that no window can have."""
    for text, where in faults(tokens).items():
        if where.any():
            window, slot, feature = (int(place) for place in np.argwhere(where)[0])
            value = tokens[window, slot, feature]
            raise DataError(f"window {window}, slot {slot}: {FEATURES[feature]} {value} {text}")
