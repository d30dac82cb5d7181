"""Records in packed rows: what lies between the adapters and the store."""

import hashlib
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bandpass.data.schedule.record import LAST_DAY, UNDATED, Record
from bandpass.data.schedule.tokens import (
    AMOUNTS,
    DAY,
    FLAGS,
    MINUTES,
    RUN,
    SCALE,
    SLOTS,
    join,
)
from bandpass.data.series import DataError

RECORD = np.dtype(
    [
        ("id", "<u8"),
        ("owner", "<u8"),
        ("day", "<i4"),
        ("minute", "<u2"),
        ("minutes", "<u4"),
        ("what", "u1"),
    ]
    + [(name, "<u2") for name in AMOUNTS[1:]]
)
_RANGES = {
    "day": (UNDATED, LAST_DAY),
    "minute": (0, DAY - 1),
    "minutes": (0, math.inf),
    "what": (0, (1 << len(FLAGS)) - 1),
} | dict.fromkeys(AMOUNTS[1:], (0.0, 1.0))
"""Of the numbers of a `Record`, in order."""

NOBODY = 0
"""Owner of a record without actors."""

MOST_DAYS = 31
"""Days of one record that become part of its actors' days; what lasts longer is no event of a day.
"""

_KNOWN = 1 << 16


class Hasher:
    """Keyed 64-bit hashes of identifiers; without the key nobody can tell whose they are.

    Args:
        key: At most 64 bytes, kept outside the store.
        dataset: Equal identifiers of two datasets are not the same.
    """

    def __init__(self, key: bytes, dataset: str) -> None:
        self._keyed = hashlib.blake2b(f"{dataset}\0".encode(), digest_size=8, key=key)
        self._known: dict[str, int] = {}

    def __call__(self, identifiers: Collection[str]) -> np.ndarray:
        """Hash identifiers that will hardly come again.

        Returns:
            (n,) uint64.
        """
        return np.frombuffer(b"".join(map(self._digest, identifiers)), "<u8")

    def known(self, identifiers: Collection[str]) -> np.ndarray:
        """Hash identifiers that do come again, such as people: remembers them for a while."""
        if len(self._known) > _KNOWN:
            self._known.clear()
        new = set(identifiers).difference(self._known)
        self._known.update(zip(new, self(new).tolist(), strict=True))
        return np.fromiter(map(self._known.__getitem__, identifiers), np.uint64, len(identifiers))

    def _digest(self, identifier: str) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(identifier.encode("utf-8", "surrogatepass"))
        return keyed.digest()


@dataclass(frozen=True)
class Packed:
    """Some records.

    Attributes:
        records: (n,) of ``RECORD``.
        actors: (m,) uint64 hashes of all actors of all records.
        of: (m,) int64 record that each actor is of, ascending.
    """

    records: np.ndarray
    actors: np.ndarray
    of: np.ndarray


def pack(records: Iterable[Record], hasher: Hasher) -> Packed:
    """Bring records to rows: identifiers hashed, amounts in thousandths.

    Raises:
        DataError: If a number is not what a `Record` may hold; names record and field.
    """
    rows = list(records)
    packed = np.zeros(len(rows), RECORD)
    if not rows:
        return Packed(packed, np.zeros(0, np.uint64), np.zeros(0, np.int64))
    # A column at a time, which is several times faster than a row at a time.
    ids, actors, *numbers = zip(*rows, strict=True)
    packed["id"] = hasher(ids)
    own = [tuple(dict.fromkeys(some)) for some in actors]  # who is named twice was there once
    count = np.fromiter(map(len, own), np.int64, len(rows))
    hashes = hasher.known(list(chain.from_iterable(own)))
    packed["owner"][count > 0] = hashes[(np.cumsum(count) - count)[count > 0]]
    for (name, (low, high)), column in zip(_RANGES.items(), numbers, strict=True):
        values = np.fromiter(column, np.float64, len(rows))
        wrong = ~((values >= low) & (values <= high))  # NaN is not in any range
        if wrong.any():
            row = rows[int(np.argmax(wrong))]
            value = values[np.argmax(wrong)]
            raise DataError(f"record {row.id!r}: {name} is {value:g}, not in {low:g} .. {high:g}")
        values = np.rint(values * SCALE) if name in AMOUNTS else values
        packed[name] = np.minimum(values, np.iinfo(RECORD[name]).max)  # 8,000 years are enough
    return Packed(packed, hashes, np.repeat(np.arange(len(rows)), count))


def runs_of(records: np.ndarray) -> np.ndarray:
    """The one run that each record is on its first day.

    Args:
        records: (n,) of ``RECORD``.

    Returns:
        (n,) of ``RUN``.
    """
    runs = np.zeros(len(records), RUN)
    start = records["minute"].astype(np.int64)
    stop = np.minimum(start + np.maximum(records["minutes"].astype(np.int64), 1), DAY)
    runs["slot"] = start // MINUTES
    runs["slots"] = -(-stop // MINUTES) - start // MINUTES
    runs["what"] = records["what"]
    runs["duration"] = np.rint(np.minimum(records["minutes"], DAY) * (SCALE / DAY))
    for name in AMOUNTS[1:]:
        runs[name] = records[name]
    return runs


def merge(runs: np.ndarray, window: np.ndarray, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay runs over each other: in every slot the union of flags, and the largest amounts.

    Args:
        runs: (R,) of ``RUN``, which may overlap.
        window: (R,) int64 window of each.
        windows: Number of windows; a few thousand at a time.

    Returns:
        Disjoint runs, and the window of each, ascending.
    """
    length = runs["slots"].astype(np.int64)
    before = np.cumsum(length) - length
    inside = np.arange(length.sum()) - np.repeat(before, length)
    row = np.repeat(window * SLOTS + runs["slot"], length) + inside
    used = np.zeros(windows * SLOTS, bool)
    used[row] = True
    places = np.flatnonzero(used)  # few slots of a day are
    number = np.empty(windows * SLOTS, np.int64)
    number[places] = np.arange(len(places))
    place = number[row]
    slots = np.zeros((len(places), 1 + len(AMOUNTS)), np.uint16)
    np.bitwise_or.at(slots[:, 0], place, np.repeat(runs["what"], length).astype(np.uint16))
    for column, name in enumerate(AMOUNTS, 1):
        np.maximum.at(slots[:, column], place, np.repeat(runs[name], length))
    full = slots.any(axis=1)
    return join(places[full], slots[full])


def by_day(records: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut records at midnight: a run for every day that they touch, ``MOST_DAYS`` at most.

    Args:
        records: (n,) of ``RECORD``.

    Returns:
        (R,) of ``RUN``, the (R,) int64 record and the (R,) int32 day of each. Undated records
        have none.
    """
    dated = np.flatnonzero(records["day"] != UNDATED)
    end = records["minute"].astype(np.int64) + records["minutes"]
    days = np.clip(-(-end // DAY), 1, MOST_DAYS)[dated]
    days = np.minimum(days, LAST_DAY + 1 - records["day"][dated].astype(np.int64))
    of = np.repeat(dated, days)
    later = np.arange(len(of)) - np.repeat(np.cumsum(days) - days, days)
    parts = records[of]
    total = np.rint(np.minimum(parts["minutes"], DAY) * (SCALE / DAY))
    parts["minutes"] = np.maximum(end[of] - DAY * later - np.where(later, 0, parts["minute"]), 0)
    parts["minute"][later > 0] = 0
    runs = runs_of(parts)
    runs["duration"] = total
    return runs, of, parts["day"] + later.astype(np.int32)
