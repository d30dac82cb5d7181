"""Start a run, or continue it where it stands."""

import importlib.metadata
import math
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bandpass.curriculum import BandSettings, SurpriseBand
from bandpass.data import AnyStore, Corpus
from bandpass.data.atomic import alone
from bandpass.models import JEPA, AnyJEPA
from bandpass.recipes import Recipe, build_curriculum, build_jepa, build_windows
from bandpass.recipes.named import control
from bandpass.runs.run import CONTROL, RunError, create_run
from bandpass.training import Curriculum, fit, pick_device
from bandpass.training.atomic import write_json
from bandpass.training.cost import step_flops
from bandpass.training.feed import Sampler
from bandpass.training.log import RunLog

OnLog = Callable[[str, dict[str, Any], RunLog], None]
OnNote = Callable[[str], None]


def train(
    recipe: Recipe,
    store: AnyStore,
    path: Path,
    *,
    with_control: bool = True,
    on_log: OnLog = lambda name, row, log: None,
    on_note: OnNote = lambda text: None,
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
        on_note: Told, before training, what shares of the slots to expect.

    Returns:
        Whether the budget is spent; False after Ctrl-C.

    Raises:
        RunError: If the directory holds another run, or another process is training in it.
    """
    done = _fit(path, recipe, store, on_log, on_note)
    if done and with_control:
        done = _fit(path / CONTROL, control(recipe), store, on_log, lambda text: None)
    return done


def _fit(path: Path, recipe: Recipe, store: AnyStore, on_log: OnLog, on_note: OnNote) -> bool:
    source = store.manifest["source"]
    if recipe.source not in ("any", source):
        raise RunError(
            f"recipe {recipe.name} is for {recipe.source}, {store.path} holds {source}: take "
            "another recipe, or say source=any"
        )
    # The parts come first: a recipe that cannot be built shall not leave a run directory.
    pick_device(recipe.train.device)
    windows = build_windows(recipe, store, "train")
    jepa = build_jepa(recipe, store.shape)
    curriculum = build_curriculum(recipe, windows)
    if recipe.train.validate_every:
        curriculum = replace(curriculum, held_out=build_windows(recipe, store, "test"))
    run = create_run(path, recipe, store)
    on_note(expected_slots(recipe, windows, curriculum.sampler))
    about = {"flops_per_step": flops_per_step(recipe, jepa, windows)}
    return fit_in(run.path, recipe, (jepa, windows, curriculum), about, on_log)


def fit_in(
    path: Path,
    recipe: Recipe,
    parts: tuple[AnyJEPA, Corpus, Curriculum],
    about: dict[str, Any],
    on_log: OnLog,
) -> bool:
    """Train in a run directory that no other process is training in.

    Args:
        path: The run directory.
        recipe: What is trained.
        parts: Model, training windows and curriculum, as `training.fit` takes them.
        about: Written into ``environment.json`` beside what is known of any run.
        on_log: Told of every logged row, with the name of the recipe.

    Returns:
        Whether the budget is spent.

    Raises:
        RunError: If another process is training in it.
    """
    jepa, windows, curriculum = parts

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is training in {path}: wait for it or choose another --run")

    with alone(path / ".lock", busy):
        write_json(path / "environment.json", _environment(recipe, jepa, windows) | about)
        return fit(
            *(jepa, windows, curriculum, recipe.train, path),
            lambda row, log: on_log(recipe.name, row, log),
        )


def expected_slots(recipe: Recipe, windows: Corpus, sampler: Sampler) -> str:
    """Say which shares of the slots the first draw gives to each slice, and what may follow.

    A sampler that learns from scores knows none yet; how far a slice can rise is known all the
    same, since its effective sample size is bounded.
    """
    shares = []
    p = sampler.probabilities()
    for name, inside in windows.slices().items():
        if not inside.any():
            continue
        natural, share = float(inside.mean()), float(p[inside].sum())
        text = f"{name} {share:.1%} (natural {natural:.1%}"
        if isinstance(sampler, SurpriseBand):
            text += f", at most {most_slots(natural, recipe.band):.1%}"
        shares.append(f"{text})")
    text = f"expected slots, {recipe.policy}: {', '.join(shares)}"
    if not isinstance(sampler, SurpriseBand):
        return text
    kappa = recipe.train.steps * sampler.batch_size / len(windows)
    start = math.ceil(recipe.band.warm_up * recipe.train.steps)
    learns = f"; scores move them from step {start} on"
    return f"{text}{learns if recipe.band.mode == 'live' else ''}; {kappa:.2g} draws a window"


def most_slots(natural: float, band: BandSettings) -> float:
    """Greatest share of the slots that even a perfect score can give to a slice.

    Bounded by the effective sample size e (by Cauchy and Schwarz q + sqrt(q (1 - q) (1 / e - 1)),
    for a share q of the windows), by the floor, and by the cap.
    """
    if band.mode != "live":
        return natural
    spread = math.inf if band.ess == 0 else natural * (1 - natural) * (1 / band.ess - 1)
    floored = 1 - band.floor * (1 - natural)
    return min(natural + math.sqrt(spread), floored, band.cap * natural)


def _environment(recipe: Recipe, jepa: AnyJEPA, windows: Corpus) -> dict[str, Any]:
    return {
        "bandpass": importlib.metadata.version("bandpass"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "modality": windows.store.modality,
        "windows": len(windows),
        "parameters": sum(p.numel() for p in jepa.parameters() if p.requires_grad),
        "kappa": recipe.train.steps * recipe.train.batch / len(windows),
    }


def flops_per_step(recipe: Recipe, jepa: JEPA, windows: Corpus) -> int:
    """Count the floating-point operations of a step of the recipe, without its scoring."""
    context = windows[[0]].context
    asked = 0 if context is None else context.shape[1]
    return round(step_flops(jepa, recipe.train, asked).total)
