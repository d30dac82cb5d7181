"""Windows that probes are fitted on or scored on, drawn once for all encoders."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bandpass.data.schedule.store import ACTOR_DAY, RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.tokens import FEATURES, FLAGS, SLOTS
from bandpass.data.schedule.windows import ScheduleWindows, dated

DAYS, OTHERS = 6000, 3000
"""Windows of a side at most: actor days, and windows of the other populations."""

DAYS_OF_ONE = 60
"""Days of one actor at most, so that nobody is a sample of their own."""

_FIRST_FLAG = FEATURES.index(FLAGS[0])
_FLAGS = slice(_FIRST_FLAG, _FIRST_FLAG + len(FLAGS))
HOUR = SLOTS / 24


@dataclass(frozen=True, eq=False)
class Sample:
    """Some windows of one side of a split, actors in random order.

    Attributes:
        store: Where they lie; asked for the day after.
        about: (n,) of ``store.WINDOW``.
        values: (n, 96, 16) float32.
    """

    store: ScheduleStore
    about: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.about)

    @property
    def actors(self) -> np.ndarray:
        """(n,) uint64: whose windows they are; one of nobody stands alone."""
        return np.where(self.about["actor"] != 0, self.about["actor"], self.about["id"])

    @cached_property
    def active(self) -> np.ndarray:
        """(n, 96) bool: slots in which something is going on."""
        return active_slots(self.values)

    @cached_property
    def tomorrow(self) -> tuple[np.ndarray, np.ndarray]:
        """Events of the same actor on the day after, and their hour, each (n,) float64.

        The events are 0 where the actor does nothing on a day that lies before their last one in
        the store, and NaN on that last one: nobody knows what came then. The hour is NaN wherever
        there is no day after.
        """
        return _day_after(self.store, self.about)


def active_slots(values: np.ndarray) -> np.ndarray:
    """(n, 96) bool: slots of (n, 96, 16) windows in which something is going on."""
    return np.max(values[:, :, _FLAGS], axis=2) > 0


def hours(active: np.ndarray) -> np.ndarray:
    """(n,) float64 hour of the centre of mass of active slots; NaN where none is, or all are."""
    count = active.sum(axis=1)
    centre = active @ (np.arange(SLOTS) + 0.5) / np.maximum(count, 1) / HOUR
    return np.where((count > 0) & (count < SLOTS), centre, np.nan)


def draw_days(windows: ScheduleWindows, seed: int) -> Sample:
    """Draw dated actor days: all days of one actor after the other, in random order."""
    about = windows.about()
    days = np.flatnonzero((about["kind"] == ACTOR_DAY) & dated(about))
    generator = np.random.default_rng([seed, len(days)])
    days = generator.permutation(days)
    _, actor = np.unique(about["actor"][days], return_inverse=True)
    place = generator.permutation(actor.max(initial=-1) + 1)[actor]
    keep = _rank_within(place) < DAYS_OF_ONE
    days, place = days[keep], place[keep]
    return _sample(windows, days[np.argsort(place, kind="stable")][:DAYS])


def draw_records(windows: ScheduleWindows, seed: int) -> Sample:
    """Draw record windows, of every dataset as many as of any other as far as they go."""
    return _draw_even(windows, lambda about: about["kind"] == RECORD_WINDOW, seed)


def draw_all(windows: ScheduleWindows, seed: int) -> Sample:
    """Draw windows of both kinds, of every dataset as many as of any other as far as they go."""
    return _draw_even(windows, lambda about: np.ones(len(about), bool), seed)


POPULATIONS: dict[str, Callable[[ScheduleWindows, int], Sample]] = {
    "days": draw_days,
    "records": draw_records,
    "all": draw_all,
}


def _draw_even(
    windows: ScheduleWindows, which: Callable[[np.ndarray], np.ndarray], seed: int
) -> Sample:
    about = windows.about()
    found = np.flatnonzero(which(about))
    generator = np.random.default_rng([seed, len(found)])
    found = generator.permutation(found)
    strata = about["dataset"][found].astype(np.int64) * 2 + about["kind"][found]
    found = found[np.argsort(_rank_within(strata), kind="stable")][:OTHERS]
    return _sample(windows, _by_actor(about[found], found, generator))


def _by_actor(about: np.ndarray, ids: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Bring the windows of one actor together: the last ones are then of actors of their own."""
    someone = np.where(about["actor"] != 0, about["actor"], about["id"])
    _, actor = np.unique(someone, return_inverse=True)
    place = generator.permutation(actor.max(initial=-1) + 1)[actor]
    return ids[np.argsort(place, kind="stable")]


def _sample(windows: ScheduleWindows, ids: np.ndarray) -> Sample:
    values = windows.store.tokens(windows.rows[ids])
    return Sample(windows.store, windows.about(ids), values)


def _rank_within(codes: np.ndarray) -> np.ndarray:
    """(n,) how many equal codes stand before each."""
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    new = np.ones(len(codes), bool)
    new[1:] = ranked[1:] != ranked[:-1]
    first = np.flatnonzero(new)
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes)) - first[np.cumsum(new) - 1]
    return rank


def _day_after(store: ScheduleStore, about: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    every = store.windows
    known = (every["kind"] == ACTOR_DAY) & np.isin(every["actor"], np.unique(about["actor"]))
    rows = np.flatnonzero(known & dated(every))
    events, hour = np.full((2, len(about)), np.nan)
    if not len(rows):
        return events, hour
    actor, day = every["actor"][rows], every["day"][rows].astype(np.int64)
    rows = rows[order := np.lexsort((day, actor))]
    actor, day = actor[order], day[order]
    names, first, count = np.unique(actor, return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(names, about["actor"]), len(names) - 1)
    wanted = about["day"].astype(np.int64) + 1
    inside = (names[place] == about["actor"]) & (wanted <= day[(first + count - 1)[place]])
    span = int(day.max() - day.min()) + 3  # one axis, actors apart
    keys = np.searchsorted(names, actor) * span + day - day.min()
    asked = place * span + np.clip(wanted - day.min(), 0, span - 1)
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    found = inside & (keys[at] == asked)
    events[inside] = 0
    events[found] = every["events"][rows[at[found]]]
    hour[found] = hours(active_slots(store.tokens(rows[at[found]])))
    return events, hour
