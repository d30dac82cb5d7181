"""The foot of an ablation's page: all other metrics, and what was run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandpass.report.ablation_cells import Cells, measure, number
from bandpass.report.ablation_inputs import BUDGETS, About
from bandpass.report.blocks import Block, Cell, Folded, Section, Table, Text


@dataclass(frozen=True)
class _Named:
    """Any metric of the table."""

    task: str
    metric: str


def others_section(every: Sequence[Cells]) -> Section:
    """One folded table a benchmark: means of every metric that is not primary, by arm."""
    blocks: list[Block] = []
    for cells in every:
        bench = cells.benchmark
        primary = {(each.task, each.metric) for each in (bench.rare, bench.normal, bench.corrupt)}
        held = [key for key in cells.values if key[3] == cells.budget]
        metrics = [
            pair for pair in dict.fromkeys((k[1], k[2]) for k in held) if pair not in primary
        ]
        arms = [arm for arm in cells.arms if any(key[0] == arm for key in held)]
        if metrics and arms:
            blocks.append(_table(cells, [_Named(*pair) for pair in metrics], arms))
        else:
            blocks.append(Text(f"{bench.name}: no other metric was measured at a full budget."))
    lead = "They describe and were not tested: with this many, some differ by chance."
    return Section("others", "All other metrics", lead, blocks)


def _table(cells: Cells, metrics: Sequence[_Named], arms: Sequence[str]) -> Folded:
    most = {
        arm: max(len(cells.by_seed(arm, metric, cells.budget)) for metric in metrics)
        for arm in arms
    }
    body = [[Cell("seeds (n)"), *(Cell(str(most[arm])) for arm in arms)]]
    for metric in metrics:
        line = [Cell(measure(metric))]
        for arm in arms:
            found = cells.by_seed(arm, metric, cells.budget)
            text = number(metric, cells.mean(arm, metric, cells.budget))
            fewer = len(found) < most[arm]
            line.append(Cell(text, f"n {len(found)}" if found and fewer else ""))
        body.append(line)
    name = cells.benchmark.name
    note = f"Means over seeds at {BUDGETS[cells.budget]}; n is said where it differs from the top."
    table = Table(f"{name}: other metrics by arm", ("metric", *arms), body, note, stacked=True)
    return Folded(f"{name}: {len(metrics)} metrics of {len(arms)} arms", table)


def ran_section(every: Sequence[Cells], about: About) -> Section:
    """How many cells of which seeds and steps, from which code, and what failed."""
    known = [
        f"Page written by code {about.commit or 'of an unknown commit'},",
        f"on {about.machine or 'an unknown machine'}; rows may be of an earlier call.",
        f"{len(about.failed)} {'cell' if len(about.failed) == 1 else 'cells'} failed in this one.",
    ]
    blocks: list[Block] = [_benchmarks(every)] if every else []
    if about.failed:
        blocks.append(_failures(about))
    for cells in every:
        if cells.rows:
            table = _arms(cells)
            blocks.append(Folded(table.caption, table))
        lost = sum(row["value"] is None or not np.isfinite(row["value"]) for row in cells.rows)
        if lost:
            of = f"{lost:,} of {len(cells.rows):,} values are not finite and are left out."
            blocks.append(Text(f"{cells.benchmark.name}: {of}"))
        if cells.outdated:
            of = f"{cells.outdated:,} rows of other versions than {cells.benchmark.version}"
            blocks.append(Text(f"{cells.benchmark.name}: {of} are left out."))
    return Section("ran", "What was run", " ".join(known), blocks)


def _benchmarks(every: Sequence[Cells]) -> Table:
    body = []
    for cells in every:
        bench, runs = cells.benchmark, _runs(cells)
        cost = [runs[key] for key in runs]
        seeds = {key[1] for key in runs}
        body.append(
            [
                Cell(bench.name, f"version {bench.version}"),
                Cell(str(len(runs))),
                Cell(str(len({key[0] for key in runs}))),
                Cell(_list(seeds & set(bench.seeds)), f"of {len(bench.seeds)}"),
                Cell(_list(seeds & set(bench.screen)), f"of {len(bench.screen)}"),
                Cell(_span({key[2] for key in runs})),
                Cell(f"{np.nansum([flops for flops, _ in cost]):.3g}"),
                Cell(f"{np.nansum([wall for _, wall in cost]) / 3600:.2f}"),
            ]
        )
    head = ("benchmark", "cells", "arms", "seeds that count", "screening seeds", "steps")
    return Table("Results", (*head, "FLOPs", "wall hours"), body)


def _runs(cells: Cells) -> dict[tuple[str, int, int], tuple[float, float]]:
    """FLOPs and wall seconds of every cell, under (arm, seed, steps)."""
    return {
        (row["arm"], row["seed"], row["steps"]): (row["flops"], row["wall_seconds"])
        for row in cells.rows
    }


def _arms(cells: Cells) -> Table:
    runs = _runs(cells)
    body = []
    for arm in cells.arms:
        mine = [key for key in runs if key[0] == arm]
        recipes = sorted({row["recipe"] for row in cells.rows if row["arm"] == arm})
        body.append(
            [
                Cell(arm),
                Cell(str(len(mine))),
                Cell(_list({seed for _, seed, _ in mine})),
                Cell(_span({steps for _, _, steps in mine})),
                Cell(", ".join(recipes) or "none"),
            ]
        )
    head = ("arm", "cells", "seeds", "steps", "recipe")
    return Table(f"{cells.benchmark.name}: cells by arm", head, body)


def _failures(about: About) -> Table:
    body = [
        [
            *(Cell(each.benchmark), Cell(each.arm), Cell(str(each.seed))),
            *(Cell(f"{each.steps:,}"), Cell(each.why)),
        ]
        for each in about.failed
    ]
    return Table("Failed cells", ("benchmark", "arm", "seed", "steps", "why"), body)


def _list(seeds: set[int]) -> str:
    """Seeds, runs of neighbours as a range; "none" without any."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    said = [str(p[0]) if len(p) == 1 else f"{p[0]}\N{EN DASH}{p[-1]}" for p in parts]
    return ", ".join(said) or "none"


def _span(steps: set[int]) -> str:
    if not steps:
        return "none"
    low, high = min(steps), max(steps)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
