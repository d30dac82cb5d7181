"""The cells of an ablation: which there are, and in which order they are made."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bandpass.bench.arms import CONTROL, DEFAULT, Arm
from bandpass.bench.cost import By, Price, steps_within
from bandpass.bench.declared import Benchmark
from bandpass.evaluation.paired import HALF, UNIFORM
from bandpass.recipes import Recipe, to_dict

BUDGETS = ("flops", "time")
"""That every arm is run at."""

FREE = Price(0.0, 0.0)
"""Of an arm that is not trained."""

OVER = 1.1
"""Times its budget that rounding may let a cell spend, and no more."""

UNHASHED = ("steps", "seed", "device")
"""Settings of training that a table has columns for, or that change no figure."""

Key = tuple[str, int, str, str, int, int]
"""Benchmark, its version, arm, hash of the recipe, seed and steps: what tells rows apart."""


@dataclass(frozen=True)
class Cell:
    """One run of an ablation.

    Attributes:
        benchmark: What it is judged on.
        arm: Name of the arm.
        recipe: What is trained, with seed and steps in it; those of uniform for a control.
        budgets: All that these steps spend: "flops", "time", "half".
        seed: Of the pair.
        steps: Optimiser steps; none for a control.
        path: Its run directory, until it is measured.
        flops: Counted operations of the whole run, scoring included.
        seconds: Reference seconds of the whole run.
    """

    benchmark: Benchmark
    arm: str
    recipe: Recipe
    budgets: tuple[str, ...]
    seed: int
    steps: int
    path: Path
    flops: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.benchmark.name}, {self.arm}, seed {self.seed}, {self.steps} steps"

    @property
    def key(self) -> Key:
        """What its rows are found by."""
        recipe = recipe_hash(self.recipe)
        return (
            *(self.benchmark.name, self.benchmark.version),
            *(self.arm, recipe, self.seed, self.steps),
        )


def recipe_hash(recipe: Recipe) -> str:
    """Twelve hexadecimal digits of what a recipe sets, apart from name, seed, steps and device.

    What it leaves at the default has no part in it: a setting that is invented later does not make
    strangers of the rows of a table.
    """
    content = _set(to_dict(recipe), to_dict(Recipe("")))
    del content["name"]
    for name in UNHASHED:
        content.get("train", {}).pop(name, None)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _set(content: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """What differs from the default, group by group."""
    found = {
        key: _set(value, usual[key]) if isinstance(value, dict) else value
        for key, value in content.items()
    }
    return {key: value for key, value in found.items() if value != usual[key] and value != {}}


def budgets_of(arm: Arm) -> tuple[str, ...]:
    """What an arm is run at."""
    return (*BUDGETS, HALF) if arm.half else BUDGETS


def plan(
    benchmark: Benchmark,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    prices: Mapping[str, Price],
    base: Recipe,
    out: Path,
) -> list[Cell]:
    """List the cells of one benchmark; nothing is written.

    A budget is what uniform spends in the steps of ``base``; an arm gets the steps that its price
    leaves it of that; where not even its start is paid for, it has no cell (see `unpaid`). Steps
    that two budgets agree on are one cell. A control spends nothing and has a place in every full
    budget.

    Args:
        benchmark: What the arms are judged on.
        arms: Which, in the order of tables.
        seeds: Of every arm.
        prices: Of "uniform" and every arm that is trained, by name.
        base: Recipe of the benchmark; its steps are those of uniform.
        out: Run directories go below it.

    Returns:
        The cells, as `ordered` has them.
    """
    cells: list[Cell] = []
    for arm in arms:
        recipe, price = arm.recipe(base), FREE
        at: dict[int, list[str]] = {0: list(BUDGETS)}
        if arm.group != CONTROL:
            price = prices[arm.name]
            at, _ = _affordable(arm, base.train.steps, prices[UNIFORM], price)
        begin = f"{benchmark.name}-v{benchmark.version}-{arm.name}-{recipe_hash(recipe)}"
        for seed in seeds:
            for steps, budgets in at.items():
                train = replace(recipe.train, seed=seed, steps=steps or recipe.train.steps)
                cells.append(
                    Cell(
                        *(benchmark, arm.name, replace(recipe, train=train), tuple(budgets)),
                        *(seed, steps, out / f"{begin}-{seed}-{steps}"),
                        flops=price.flops_of(steps),
                        seconds=price.seconds_of(steps),
                    )
                )
    return ordered(cells)


def unpaid(
    benchmark: Benchmark, arms: Sequence[Arm], prices: Mapping[str, Price], steps: int
) -> Iterator[str]:
    """Say of which arms a budget of so many uniform steps does not pay for the start."""
    for arm in arms:
        if arm.group != CONTROL:
            for budget in _affordable(arm, steps, prices[UNIFORM], prices[arm.name])[1]:
                yield (
                    f"{benchmark.name}: budget {budget} does not pay for the start of {arm.name}, "
                    "which is left out of it: more steps would"
                )


def _affordable(
    arm: Arm, budget_steps: int, uniform: Price, price: Price
) -> tuple[dict[int, list[str]], list[str]]:
    """Steps of an arm, with the budgets that leave it so many; and the budgets that leave none."""
    at: dict[int, list[str]] = {}
    dear: list[str] = []
    for budget in budgets_of(arm):
        of = budget_steps // (2 if budget == HALF else 1)
        by: By = "seconds" if budget == "time" else "flops"
        steps = steps_within(of, uniform, price, by)
        if _spent(price, steps, by) > OVER * _spent(uniform, of, by):
            dear.append(budget)
        else:
            at.setdefault(steps, []).append(budget)
    return at, dear


def _spent(price: Price, steps: int, by: By) -> float:
    return price.flops_of(steps) if by == "flops" else price.seconds_of(steps)


def ordered(cells: Sequence[Cell]) -> list[Cell]:
    """Sort cells so that an interrupted grid can be read.

    The arms that are run where none is named come first, a whole seed of them after the other, over
    all benchmarks; then the others likewise.
    """
    seeds: dict[str, set[int]] = {}
    for cell in cells:
        seeds.setdefault(cell.benchmark.name, set()).add(cell.seed)
    places = {name: sorted(of) for name, of in seeds.items()}

    def place(cell: Cell) -> tuple[bool, int]:
        return cell.arm not in DEFAULT, places[cell.benchmark.name].index(cell.seed)

    return sorted(cells, key=place)
