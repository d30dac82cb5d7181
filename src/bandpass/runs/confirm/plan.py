"""What a confirmation consists of: the runs of every pass, and what is left out of it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data import AnyStore
from bandpass.data.schedule.store import ScheduleStore
from bandpass.recipes import Recipe, from_dict, to_dict
from bandpass.runs.confirm.datasets import COMBINED, LeftOut, by_dataset, choose, too_small
from bandpass.runs.run import RunError
from bandpass.training.atomic import write_json

SUMMARY = "confirm.json"


@dataclass(frozen=True)
class Cell:
    """One run of a confirmation.

    Attributes:
        number: Of the pass, from 0.
        order: Place in the pass, from 0.
        name: The dataset, or ``COMBINED``.
        recipe: What is trained.
        path: Its run directory.
    """

    number: int
    order: int
    name: str
    recipe: Recipe
    path: Path

    def __str__(self) -> str:
        return f"pass {self.number}, {self.name}"


@dataclass(frozen=True)
class Plan:
    """All runs of a confirmation.

    Attributes:
        out: Directory of the tables, with one of the runs in it per pass.
        recipe: What every run is a variant of.
        store: The store.
        cells: The runs in the order in which they are made.
        left_out: Datasets without runs of their own.
        timeless: Datasets without any time, whose share of the combined runs is limited.
        combined: Training windows of the first combined run, by dataset.
    """

    out: Path
    recipe: Recipe
    store: ScheduleStore
    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    timeless: tuple[str, ...]
    combined: dict[str, int]

    def about(self) -> dict[str, Any]:
        """What ``confirm.json`` says of the plan."""
        order: dict[str, list[str]] = {}
        for cell in self.cells:
            order.setdefault(str(cell.number), []).append(cell.name)
        return {
            "recipe": to_dict(self.recipe),
            "store": str(self.store.path.resolve()),
            "store_hash": self.store.hash,
            "order": order,
            "left_out": [vars(each) for each in self.left_out],
            "timeless": list(self.timeless),
            "combined_windows": self.combined,
        }


def plan(
    recipe: Recipe, store: AnyStore, out: Path, *, passes: int = 6, combined_only: bool = False
) -> Plan:
    """List the runs of a confirmation; nothing is written.

    Pass p of 0 .. passes - 1 is seeded with p: ``schedule.split_seed`` and ``train.seed`` are p in
    all its runs, so another pass holds out other windows and starts from other weights. A
    generator seeded with p shuffles the datasets. Each is trained on by itself, in
    ``out/pass-P/DATASET``, then all of them together in ``out/pass-P/combined``; where there is one
    dataset only, that is its run. More passes can be asked for later: those that are there stay.

    Args:
        recipe: What to train; ``schedule.datasets`` chooses datasets, all if empty. Its two seeds
            are replaced.
        store: A store of schedules.
        out: Where the runs and the tables go.
        passes: How many.
        combined_only: Leave out the runs of single datasets.

    Raises:
        RunError: If ``out`` holds another confirmation, or nothing can be confirmed.
        DataError: If a dataset is not in the store.
    """
    if not isinstance(store, ScheduleStore):
        raise RunError(
            f"{store.path} holds {store.manifest['source']}, a confirmation is of schedules: take "
            "a store that `bandpass prepare schedule` made"
        )
    if passes < 1:
        raise RunError(f"{passes} passes confirm nothing: ask for at least 1")
    recipe = _seeded(recipe, 0, recipe.schedule.datasets)
    _refuse_another(out, recipe, store)
    chosen = choose(recipe, store)
    left_out = tuple(too_small(chosen, recipe, store))
    few = {each.name for each in left_out}
    apart = [name for name in chosen if name not in few]
    if combined_only or len(chosen) == 1:
        apart.clear()
    every = np.array(chosen, object)
    cells: list[Cell] = []
    for number in range(passes):
        shuffled = np.random.default_rng(number).permutation(every).tolist()
        own = [name for name in shuffled if name in apart]
        for order, name in enumerate([*own, COMBINED]):
            datasets = recipe.schedule.datasets if name == COMBINED else (name,)
            variant = _seeded(recipe, number, datasets)
            cells.append(Cell(number, order, name, variant, out / f"pass-{number}" / name))
    timeless = {entry["name"] for entry in store.manifest["datasets"] if entry["timeless"]}
    return Plan(
        *(out, recipe, store, tuple(cells), left_out),
        timeless=tuple(name for name in chosen if name in timeless),
        combined=by_dataset(recipe, store),
    )


def _seeded(recipe: Recipe, seed: int, datasets: tuple[str, ...]) -> Recipe:
    return replace(
        recipe,
        schedule=replace(recipe.schedule, split_seed=seed, datasets=datasets),
        train=replace(recipe.train, seed=seed),
    )


def _refuse_another(out: Path, recipe: Recipe, store: ScheduleStore) -> None:
    """Refuse a directory that holds a confirmation of something else."""
    file = out / SUMMARY
    if not file.exists():
        return
    try:
        content = json.loads(file.read_text())
        found, found_hash = from_dict(content["recipe"]), content["store_hash"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{file} cannot be read ({error}): delete it, the runs beside it stay"
        ) from error
    differing = [] if found == recipe else ["recipe or datasets"]
    differing += [] if found_hash == store.hash else ["store"]
    if differing:
        raise RunError(
            f"{out} holds another confirmation (differs in {' and '.join(differing)}): choose "
            "another --out, or repeat its settings to resume it"
        )


def write_summary(plan: Plan, more: dict[str, Any]) -> None:
    """Write ``confirm.json``."""
    write_json(plan.out / SUMMARY, plan.about() | more)
