"""The demo: generate a plant, train with the surprise band and uniformly, compare."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bandpass.data import AnyStore, StoreError, open_store, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import find
from bandpass.runs.evaluate import evaluate
from bandpass.runs.tasks import Row
from bandpass.runs.train import OnLog, train

PLANT = {"series": 12, "rows": 12_000, "seed": 7, "failure_rate": 0.3}


def demo(
    folder: Path,
    *,
    on_stage: Callable[[str], None],
    on_log: OnLog,
) -> dict[str, list[Row]] | None:
    """Run the whole main path on generated data, twice, at the same counted compute.

    Neither policy runs an extra forward pass, so equal steps of equal batches are equal FLOPs.

    Args:
        folder: Where store and runs go; what is already there is continued.
        on_stage: Told what happens next.
        on_log: Told of every logged training step.

    Returns:
        Evaluation rows by policy; None after Ctrl-C.
    """
    store = _store(folder / "store", on_stage)
    recipe = find("plant-demo")
    found: dict[str, list[Row]] = {}
    for policy in ("surprise-band", "uniform"):
        on_stage(f"training with policy {policy}")
        run = folder / policy
        arm = replace(recipe, policy=policy)
        if not train(arm, store, run, with_control=policy == "surprise-band", on_log=on_log):
            return None
        on_stage(f"evaluating {run}")
        found[policy] = evaluate(run, on_stage)
    return found


def _store(path: Path, on_stage: Callable[[str], None]) -> AnyStore:
    try:
        return open_store(path)
    except StoreError:
        on_stage(f"generating a plant into {path}")
        return prepare(SOURCES["plant"], path, path, overwrite=path.exists(), **PLANT)
