"""A mixed run: one policy spends the slots of one model on stores of several modalities."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bandpass.data import AnyStore
from bandpass.data.mixed import Mixed
from bandpass.models import JEPA
from bandpass.recipes import (
    Recipe,
    RecipeError,
    build_curriculum,
    build_mixed,
    build_windows,
    parts_of,
    to_dict,
)
from bandpass.runs.run import RunError, content_of, create_run, differences
from bandpass.runs.train import OnLog, OnNote, expected_slots, fit_in, flops_per_step
from bandpass.training import checkpoint, pick_device
from bandpass.training.atomic import write_json


def train_mixed(
    recipe: Recipe,
    stores: Sequence[AnyStore],
    path: Path,
    *,
    cuts: Sequence[str] = (),
    on_log: OnLog = lambda name, row, log: None,
    on_note: OnNote = lambda text: None,
) -> bool:
    """Train one trunk on several stores, every batch of one of them, by one policy over all.

    A directory that holds the same run is continued from its newest checkpoint. When the budget is
    spent, every member is left as a run of its own in ``path/MODALITY``, that can be evaluated,
    embedded with and reported like any other.

    Args:
        recipe: Of the whole run: sizes of the blocks, budget, curriculum.
        stores: At least two.
        path: The run directory.
        cuts: Recipe that each store is cut by, and changes of it; see `recipes.parts_of`.
        on_log: Told of every logged row.
        on_note: Told, before training, what shares of the slots to expect.

    Returns:
        Whether the budget is spent; False after Ctrl-C.

    Raises:
        RecipeError: If the recipe does not fit, or asks for guards, which watch one modality.
        RunError: If the directory holds another run, or another process is training in it.
    """
    _check(recipe)
    pick_device(recipe.train.device)
    parts = parts_of(recipe, stores, cuts)
    windows, jepa = build_mixed_windows(parts, "train"), build_mixed(parts)
    # What overlaps is told from the windows; of several, those that overlap most.
    widest = min(parts.values(), key=lambda part: part[0].windows.stride / part[0].windows.length)
    recipe_of_all = replace(recipe, windows=widest[0].windows)
    curriculum = build_curriculum(recipe_of_all, windows)
    if recipe.train.validate_every:
        curriculum = replace(curriculum, held_out=build_mixed_windows(parts, "test"))
    _create(path, recipe, parts)
    on_note(expected_slots(recipe, windows, curriculum.sampler))
    on_note(_expected_modalities(windows, curriculum.sampler.expected_shares(windows.groups)))
    flops = {
        name: flops_per_step(member, jepa.members[number], windows.parts[number])
        for number, (name, (member, _)) in enumerate(parts.items())
    }
    about = {"parts": {n: len(p) for n, p in zip(windows.names, windows.parts, strict=True)}}
    about |= {"flops_per_step_of": flops}
    done = fit_in(path, recipe, (jepa, windows, curriculum), about, on_log)
    if done:
        for name, member in zip(parts, jepa.members, strict=True):
            _leave(path / name, member, recipe.train.steps)
    return done


def build_mixed_windows(parts: dict[str, tuple[Recipe, AnyStore]], split: str) -> Mixed:
    """Cut one split of every store by its recipe."""
    return Mixed(
        {name: build_windows(recipe, store, split) for name, (recipe, store) in parts.items()},
        own={name: recipe.bucket for name, (recipe, _) in parts.items()},
    )


def members(path: Path) -> list[Path]:
    """Directories of the runs in a run directory: those of a mixed run's members, else itself.

    Raises:
        RunError: If it is no run, or its recipe cannot be read.
    """
    return [path / name for name in content_of(path).get("members", [])] or [path]


def _check(recipe: Recipe) -> None:
    train = recipe.train
    for name in ("guard_every", "balance"):
        if getattr(train, name):
            raise RecipeError(
                f"train.{name} is {getattr(train, name)}, but the guards watch windows of one "
                f"modality: take train.{name}=0 in a mixed run"
            )


def _create(path: Path, recipe: Recipe, parts: dict[str, tuple[Recipe, AnyStore]]) -> None:
    """Start the directory of a mixed run, or find that it is there."""
    content = to_dict(recipe) | {"members": list(parts)}
    file = path / "recipe.json"
    if file.exists() and (differing := differences(content_of(path), content)):
        raise RunError(
            f"{path} holds another run (differs in {', '.join(differing)}): choose another "
            "--run, or repeat its settings to resume it"
        )
    path.mkdir(parents=True, exist_ok=True)
    for name, (member, store) in parts.items():
        create_run(path / name, member, store)
    write_json(file, content)


def _leave(path: Path, member: JEPA, steps: int) -> None:
    """Write the weights of a member into its own run directory, unless they are there."""
    newest = checkpoint.latest(path)
    if newest is None or checkpoint.step_of(newest) != steps:
        checkpoint.save(path, steps, member.state_dict(), {"step": steps})


def _expected_modalities(windows: Mixed, shares: np.ndarray) -> str:
    natural = [len(part) / len(windows) for part in windows.parts]
    told = [
        f"{name} {share:.1%} (natural {own:.1%})"
        for name, share, own in zip(windows.names, shares, natural, strict=True)
    ]
    return f"expected slots by modality: {', '.join(told)}"
