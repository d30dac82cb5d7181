"""The honest bench: declared benchmarks, arms at matched compute, verdicts that can be negative.

The names below are loaded when they are first used: to name a benchmark takes no model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandpass.bench.arms import ARMS, ROLES, Arm, find_arm
    from bandpass.bench.block import Block, Ending, run
    from bandpass.bench.cells import run_cell
    from bandpass.bench.declared import (
        BENCHMARKS,
        Benchmark,
        Group,
        Metric,
        find,
        from_json,
        of_store,
        store_of,
    )
    from bandpass.bench.grid import Cell, plan, recipe_hash
    from bandpass.bench.judgement import Judgement, judge
    from bandpass.bench.results import read_results, write_results
    from bandpass.bench.stream import Corpora, build_corpora
    from bandpass.bench.verdict import Verdict

_HOMES = {
    "ARMS": "arms",
    "Arm": "arms",
    "BENCHMARKS": "declared",
    "Benchmark": "declared",
    "Block": "block",
    "Cell": "grid",
    "Corpora": "stream",
    "Ending": "block",
    "Group": "declared",
    "Judgement": "judgement",
    "Metric": "declared",
    "ROLES": "arms",
    "Verdict": "verdict",
    "build_corpora": "stream",
    "find": "declared",
    "find_arm": "arms",
    "from_json": "declared",
    "judge": "judgement",
    "of_store": "declared",
    "plan": "grid",
    "read_results": "results",
    "recipe_hash": "grid",
    "run": "block",
    "run_cell": "cells",
    "store_of": "declared",
    "write_results": "results",
}

__all__ = [
    "ARMS",
    "BENCHMARKS",
    "ROLES",
    "Arm",
    "Benchmark",
    "Block",
    "Cell",
    "Corpora",
    "Ending",
    "Group",
    "Judgement",
    "Metric",
    "Verdict",
    "build_corpora",
    "find",
    "find_arm",
    "from_json",
    "judge",
    "of_store",
    "plan",
    "read_results",
    "recipe_hash",
    "run",
    "run_cell",
    "store_of",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name in _HOMES:
        return getattr(import_module(f"bandpass.bench.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
