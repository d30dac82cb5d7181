"""Which windows are for training and which are held out: nothing is read or written again."""

import numpy as np

from bandpass.data.schedule.record import UNDATED

RANDOM, HONEST = "random", "honest"
RULES = (RANDOM, HONEST)

HELD_OUT = 0.1
"""Share of the windows that a random split holds out."""

HELD_OUT_ACTORS = 0.3
LATEST = 0.3
"""Share of the dated windows of a dataset, the latest, that an honest split holds out."""

NEITHER, TRAIN, TEST = range(3)
_ACTORS = 0x5EED


def sides(windows: np.ndarray, rule: str, seed: int) -> np.ndarray:
    """Put every window on a side.

    ``random``: every window by itself, nine to train and one to test, as the reference procedure
    has it. An actor's day may then be on one side and a record of it on the other: it flatters.

    ``honest``: test is what people who were held out did in the time that was held out, and train
    what the others did before; the rest is on neither side. What has no date is split by actor, and
    what has no actor by itself. A dataset of a single day is all for training: with no time between
    them, one event would be part of days on both sides.

    Args:
        windows: (n,) of ``store.WINDOW``.
        rule: One of ``RULES``.
        seed: Another one holds out other windows, or other actors.

    Returns:
        (n,) uint8 of ``NEITHER``, ``TRAIN`` and ``TEST``.
    """
    if rule == RANDOM:
        return np.where(_uniform(windows["id"], seed) < HELD_OUT, TEST, TRAIN).astype(np.uint8)
    someone = np.where(windows["actor"] != 0, windows["actor"], windows["id"])
    stranger = _uniform(someone, seed + _ACTORS) < HELD_OUT_ACTORS
    day, later = windows["day"], stranger.copy()
    for dataset in np.unique(windows["dataset"]):
        own = windows["dataset"] == dataset
        dated = own & (day != UNDATED)
        if dated.any():
            cut = _cut(day[dated])
            several = cut > day[dated].min()
            later[dated] = several & (day[dated] >= cut)
            stranger[dated] &= several
    found = np.full(len(windows), NEITHER, np.uint8)
    found[stranger & later] = TEST
    found[~stranger & ~later] = TRAIN
    return found


def _cut(days: np.ndarray) -> int:
    """First day of the held-out time: as near ``LATEST`` of the windows as days allow.

    It is never the first day of all, unless that is the only one.
    """
    each, count = np.unique(days, return_counts=True)
    if len(each) == 1:
        return int(each[0])
    share = 1 - np.cumsum(count)[:-1] / len(days)  # of what would be later, day by day
    return int(each[1 + np.argmin(np.abs(share - LATEST))])


def _uniform(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Numbers in [0, 1) that are a function of hash and seed (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = hashes.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed + 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) / float(1 << 53)
