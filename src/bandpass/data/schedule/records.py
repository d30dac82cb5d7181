"""Records in packed rows: what lies between the adapters and the store."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bandpass.data.schedule.record import LAST_DAY, UNDATED, Record
from bandpass.data.schedule.tokens import (
    AMOUNTS,
    DAY,
    MINUTES,
    RUN,
    SCALE,
    SLOTS,
    runs_of_slots,
)

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
_NAMES = ("id", "owner", "day", "minute", "minutes", "what")
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

    def __call__(self, identifier: str) -> int:
        """Hash an identifier that will hardly come again."""
        digest = self._keyed.copy()
        digest.update(identifier.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest(), "little")

    def actor(self, identifier: str) -> int:
        """Hash an actor, who does come again."""
        found = self._known.get(identifier)
        if found is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            found = self._known[identifier] = self(identifier)
        return found


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
    """Bring records to rows: identifiers hashed, amounts in thousandths."""
    rows: list[tuple[int, ...]] = []
    amounts: list[tuple[float, ...]] = []
    actors: list[int] = []
    of: list[int] = []
    for number, record in enumerate(records):
        hashes = [hasher.actor(actor) for actor in record.actors]
        actors += hashes
        of += [number] * len(hashes)
        owner = hashes[0] if hashes else NOBODY
        rows.append((hasher(record.id), owner, *record[2:6]))
        amounts.append(record[6:])
    packed = np.zeros(len(rows), RECORD)
    if rows:
        for name, column in zip(_NAMES, zip(*rows, strict=True), strict=True):
            packed[name] = column
        thousandths = np.rint(np.array(amounts) * SCALE)
        for place, name in enumerate(AMOUNTS[1:]):
            packed[name] = thousandths[:, place]
    return Packed(packed, np.array(actors, np.uint64), np.array(of, np.int64))


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
    slots = np.zeros((windows * SLOTS, 1 + len(AMOUNTS)), np.uint16)
    np.bitwise_or.at(slots[:, 0], row, np.repeat(runs["what"], length).astype(np.uint16))
    for place, name in enumerate(AMOUNTS, 1):
        np.maximum.at(slots[:, place], row, np.repeat(runs[name], length))
    return runs_of_slots(slots.reshape(windows, SLOTS, -1))


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
