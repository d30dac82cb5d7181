"""Which datasets of a store a confirmation is of, and which are too small for runs of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bandpass.data import DataError
from bandpass.data.schedule.store import RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.recipes import Recipe
from bandpass.recipes.recipe import nearest
from bandpass.runs.run import RunError

COMBINED = "combined"
"""Name of the run over all datasets."""

FEWEST = 50
"""Records that a dataset must have for runs of its own."""


BATCHES = 3
"""Batches that the windows of a dataset must fill, those of both sides of a split together."""


@dataclass(frozen=True)
class LeftOut:
    """A dataset without runs of its own.

    Attributes:
        name: Of the dataset.
        records: How many it has in the store.
        why: Why they are not enough.
    """

    name: str
    records: int
    why: str


def choose(recipe: Recipe, store: ScheduleStore) -> list[str]:
    """Datasets that are asked for, in the order of the store.

    Raises:
        DataError: If one is not there; names the nearest.
        RunError: If one cannot name a run directory.
    """
    asked = recipe.schedule.datasets
    for name in asked:
        if name not in store.datasets:
            raise DataError(str(nearest(f"dataset in {store.path}", name, store.datasets)))
    chosen = [name for name in store.datasets if not asked or name in asked]
    for name in chosen:  # an imported store may call its datasets anything
        if name == COMBINED or not re.fullmatch(r"\w[\w.-]*", name):
            raise RunError(
                f"dataset {name!r} of {store.path} cannot name a run directory: call it something "
                "else, in letters, digits, _ . and -"
            )
    return chosen


def too_small(chosen: list[str], recipe: Recipe, store: ScheduleStore) -> Iterator[LeftOut]:
    """Datasets with too few records, or too few windows of the recipe's cut, in any pass."""
    about = store.windows
    records = np.bincount(about["dataset"][about["kind"] == RECORD_WINDOW], minlength=256)
    every = ScheduleWindows(store, None, recipe.schedule)
    windows = np.bincount(every.entities(), minlength=256)
    held_out = np.bincount(
        ScheduleWindows(store, "test", recipe.schedule).entities(), minlength=256
    )
    least = BATCHES * recipe.train.batch
    for name in chosen:
        place = store.datasets.index(name)
        count = int(records[place])
        if count < FEWEST:
            yield LeftOut(name, count, f"fewer than {FEWEST} records")
        elif windows[place] < least:
            yield LeftOut(name, count, f"{windows[place]} windows to split, {least} are needed")
        elif not held_out[place]:  # a single day, which an honest split leaves whole
            yield LeftOut(name, count, "nothing is held out")


def by_dataset(recipe: Recipe, store: ScheduleStore) -> dict[str, int]:
    """Training windows of every dataset that has some, all together."""
    entities = ScheduleWindows(store, "train", recipe.schedule).entities()
    counts = np.bincount(entities, minlength=len(store.datasets))
    return {name: n for name, n in zip(store.datasets, counts.tolist(), strict=True) if n}
