"""Run as a script, to be killed: a grid of cheap cells that take a while each.

Words: the table, jobs, seconds a cell.
"""

import sys
import time
from functools import partial
from pathlib import Path

from bandpass.bench.ablation import rows_of
from bandpass.bench.block import Block, run
from bandpass.bench.declared import Benchmark, Metric
from bandpass.bench.grid import Cell
from bandpass.recipes import find, override
from bandpass.runs.jobs import Listener

TOY = Benchmark(
    name="toy",
    version=1,
    title="a toy",
    source="plant",
    folder="",
    recipe="plant",
    split="none",
    slices={},
    rare=Metric("few-shot rare", "average_precision"),
    normal=Metric("future readout, normal", "r2"),
    corrupt=Metric("slots", "corrupt"),
    margin=0.02,
    screen=(0, 1),
    seeds=(100, 101, 102),
    chosen="for a test",
)


def cell(seed, arm="uniform", *, steps=10, budgets=("flops", "time"), changes=()):
    recipe = override(find("plant"), [f"seed={seed}", f"steps={steps}", *changes])
    cost = {"flops": 100.0 * steps, "seconds": 0.1 * steps}
    return Cell(TOY, arm, recipe, budgets, seed, steps, Path("nowhere"), **cost)


def work(cell, on_row, seconds=0.0):
    """What it comes to says nothing but the seed."""
    on_row({"step": cell.steps, "fraction": 1.0, "prediction": 0.0})
    time.sleep(seconds)
    return rows_of(cell, [("slots", "rare", float(cell.seed)), ("slots", "ess", 1.0)], seconds)


def silent(*told):
    """Nobody is told."""


SILENT = Listener(silent, silent, silent)
CELLS = [cell(seed) for seed in range(6)]

if __name__ == "__main__":
    table, jobs, seconds = sys.argv[1:]
    run(CELLS, partial(work, seconds=float(seconds)), Block(Path(table), int(jobs)), SILENT)
