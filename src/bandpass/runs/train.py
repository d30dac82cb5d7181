"""Start a run, or continue it where it stands."""

import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bandpass.data import Store, Windows
from bandpass.data.atomic import alone
from bandpass.models import JEPA
from bandpass.recipes import Recipe, build_jepa, build_sampler, build_windows
from bandpass.recipes.named import control
from bandpass.runs.run import CONTROL, RunError, create_run
from bandpass.training import fit, pick_device
from bandpass.training.atomic import write_json
from bandpass.training.log import RunLog
from bandpass.training.quarantine import write_quarantine
from bandpass.training.step import forward

OnLog = Callable[[str, dict[str, Any], RunLog], None]


def train(
    recipe: Recipe,
    store: Store,
    path: Path,
    *,
    with_control: bool = True,
    on_log: OnLog = lambda name, row, log: None,
) -> bool:
    """Train a recipe on a store, then its raw-patch control at the same budget.

    A directory that holds the same run is continued from its newest checkpoint.

    Args:
        recipe: What to train.
        store: Where the windows lie.
        path: The run directory.
        with_control: Train the masked raw-patch regression too, in ``path/raw-patch``, so that
            ``evaluate`` can show it beside the run.
        on_log: Told of every logged row, with the name of the recipe being trained.

    Returns:
        Whether the budget is spent; False after Ctrl-C.

    Raises:
        RunError: If the directory holds another run, or another process is training in it.
    """
    done = _fit(path, recipe, store, on_log)
    if done and with_control:
        done = _fit(path / CONTROL, control(recipe), store, on_log)
    return done


def _fit(path: Path, recipe: Recipe, store: Store, on_log: OnLog) -> bool:
    source = store.manifest["source"]
    if recipe.source not in ("any", source):
        raise RunError(
            f"recipe {recipe.name} is for {recipe.source}, {store.path} holds {source}: take "
            "another recipe, or say source=any"
        )
    # The parts come first: a recipe that cannot be built shall not leave a run directory.
    pick_device(recipe.train.device)
    windows = build_windows(recipe, store, "train")
    jepa = build_jepa(recipe, len(store.channels))
    sampler = build_sampler(recipe, windows)
    run = create_run(path, recipe, store)

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is training in {path}: wait for it or choose another --run")

    with alone(path / ".lock", busy):
        write_json(run.path / "environment.json", _environment(recipe, jepa, windows))
        done = fit(
            jepa,
            windows,
            sampler,
            recipe.train,
            run.path,
            lambda row, log: on_log(recipe.name, row, log),
        )
        write_quarantine(run.path, windows, sampler)
    return done


def _environment(recipe: Recipe, jepa: JEPA, windows: Windows) -> dict[str, Any]:
    return {
        "bandpass": importlib.metadata.version("bandpass"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "windows": len(windows),
        "parameters": sum(p.numel() for p in jepa.parameters() if p.requires_grad),
        "kappa": recipe.train.steps * recipe.train.batch / len(windows),
        "flops_per_step": flops_per_step(recipe, jepa, windows),
    }


def flops_per_step(recipe: Recipe, jepa: JEPA, windows: Windows) -> int:
    """Count the floating-point operations of one forward and backward pass of the recipe."""
    batch = windows[[0] * recipe.train.batch]
    with FlopCounterMode(display=False) as counter:
        output = forward(jepa, batch.values, batch.observed, recipe.train, step=0)
        (output.prediction + output.grounding).mean().backward()
    jepa.zero_grad(set_to_none=True)
    return counter.get_total_flops()
