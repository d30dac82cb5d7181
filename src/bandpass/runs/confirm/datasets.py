"""Which datasets of a store a confirmation is of, and which are too small for runs of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bandpass.data import DataError
from bandpass.data.schedule import splits
from bandpass.data.schedule.store import KINDS, RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.recipes import Recipe
from bandpass.recipes.recipe import nearest
from bandpass.runs.run import RunError

COMBINED = "combined"
"""Name of the run over all datasets."""

FEWEST = 50
"""Records that a dataset must have for runs of its own."""


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


def too_small(
    chosen: list[str], recipe: Recipe, store: ScheduleStore, passes: int
) -> Iterator[LeftOut]:
    """Datasets with too few records, or too few windows in one of the passes."""
    about = store.windows
    records = np.bincount(about["dataset"][about["kind"] == RECORD_WINDOW], minlength=256)
    fewest = np.min([_windows(recipe, store, seed) for seed in range(passes)], axis=0)
    for name in chosen:
        place = store.datasets.index(name)
        count, (train, test) = int(records[place]), fewest[place].tolist()
        why = ""
        if count < FEWEST:
            why = f"fewer than {FEWEST} records"
        elif train < recipe.train.batch:
            why = f"{train} training windows, a batch takes {recipe.train.batch}"
        elif not test:
            why = "nothing is held out"
        if why:
            yield LeftOut(name, count, why)


def _windows(recipe: Recipe, store: ScheduleStore, seed: int) -> np.ndarray:
    """(256, 2) windows of every dataset in a pass, to train on and held out."""
    cut, about = recipe.schedule, store.windows
    side = splits.sides(about, cut.split, seed)
    if cut.kind != "all":
        side = np.where(about["kind"] == KINDS.index(cut.kind), side, splits.NEITHER)
    counts = np.bincount(about["dataset"].astype(np.int64) * 3 + side, minlength=256 * 3)
    return counts.reshape(256, 3)[:, [splits.TRAIN, splits.TEST]]


def by_dataset(recipe: Recipe, store: ScheduleStore) -> dict[str, int]:
    """Training windows of every dataset that has some, all together."""
    entities = ScheduleWindows(store, "train", recipe.schedule).entities()
    counts = np.bincount(entities, minlength=len(store.datasets))
    return {name: n for name, n in zip(store.datasets, counts.tolist(), strict=True) if n}
