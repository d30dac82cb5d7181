"""The chapter on run facts: budget, recipe, environment, store."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bandpass.report.blocks import Block, Cell, Folded, Section, Table, Text
from bandpass.report.tables import Run, rows


def facts_section(runs: Sequence[Run], files: Sequence[Block] = ()) -> Section:
    """Budget of every run side by side; recipe and environment of the first, folded.

    Args:
        runs: The run, and those it is compared with.
        files: Of videos: what was wrong with the files of the store.
    """
    run = runs[0]
    blocks: list[Block] = [_budget(runs), *files]
    blocks.append(Folded("Recipe", _flat("The resolved recipe", run.recipe)))
    if run.environment:
        blocks.append(Folded("Environment", _flat("Machine and versions", run.environment)))
    else:
        blocks.append(Text("This run logged no environment.json, so its machine is unknown."))
    lead = f"Read from {run.path.resolve()}. Everything on this page comes from tables in it"
    lead += ", and the frames from its store." if run.of_videos else "."
    return Section("facts", "Run facts", lead, blocks)


def elapsed(seconds: np.ndarray) -> float:
    """Wall seconds of training; the clock restarts whenever a run is resumed."""
    restarts = np.flatnonzero(np.diff(seconds) < 0)
    return float(seconds[restarts].sum() + seconds[-1]) if len(seconds) else 0.0


def duration(seconds: float) -> str:
    """Seconds in words (``42 s``, ``5 min 07 s``, ``3 h 20 min``)."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _budget(runs: Sequence[Run]) -> Table:
    body = [[Cell(name), *(Cell(_fact(run, name)) for run in runs)] for name in _FACTS]
    head = ("budget", *(run.name for run in runs))
    return Table("What was spent, and on what", head, body)


def _fact(run: Run, name: str) -> str:
    if name == "store":
        return str(run.recipe.get("store", "not logged"))
    if name == "store hash":
        return str(run.recipe.get("store_hash", "not logged"))
    if rows(run.metrics) == 0:
        return "nothing logged yet"
    metrics = run.metrics
    return {
        "steps": f"{metrics['step'][-1]:,}",
        "share of the budget spent": f"{metrics['fraction'][-1]:.0%}",
        "training time": duration(elapsed(metrics["seconds"])),
        "windows per second (median)": f"{np.nanmedian(metrics['windows_per_s']):,.0f}",
        "windows drawn": _drawn(run),
        "counted compute": _compute(run),
        "trainable parameters": _logged(run, "parameters"),
    }[name]


def _compute(run: Run) -> str:
    """Floating-point operations of all steps, counted and not timed."""
    each = run.environment.get("flops_per_step")
    total = int(run.metrics["step"][-1]) * each if isinstance(each, int) else None
    return "not logged" if total is None else f"{total:.3g} FLOPs"


def _logged(run: Run, name: str) -> str:
    value = run.environment.get(name)
    return f"{value:,}" if isinstance(value, int) else "not logged"


_FACTS = (
    "steps",
    "share of the budget spent",
    "windows drawn",
    "counted compute",
    "trainable parameters",
    "training time",
    "windows per second (median)",
    "store",
    "store hash",
)


def _drawn(run: Run) -> str:
    if rows(run.slots) == 0:
        return "not logged"
    last = run.slots["step"] == run.slots["step"].max()
    kinds = np.unique(run.slots["kind"][last])
    return f"{max(run.slots['drawn'][last & (run.slots['kind'] == k)].sum() for k in kinds):,}"


def _flat(caption: str, content: Mapping[str, Any]) -> Table:
    return Table(
        caption, ("setting", "value"), [[Cell(key), Cell(value)] for key, value in _leaves(content)]
    )


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value)) or "(empty)"
        else:
            yield f"{prefix}{key}", str(value)
