"""A run directory: what was asked for, where the data lies, what came of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandpass.data import AnyStore, open_store
from bandpass.models import JEPA
from bandpass.recipes import Recipe, build_jepa, from_dict, to_dict
from bandpass.training import checkpoint, pick_device
from bandpass.training.atomic import write_json

CONTROL = "raw-patch"

BESIDE = frozenset(("store", "store_hash", "members"))
"""What ``recipe.json`` has beside the recipe."""


class RunError(RuntimeError):
    """A run that cannot be started, continued or read; the message names the mend."""


@dataclass(frozen=True)
class Run:
    """A run directory that holds a recipe.

    Attributes:
        path: The directory.
        recipe: The resolved recipe.
        store_path: The store it trains on.
        store_hash: Hash of that store when the run was started.
    """

    path: Path
    recipe: Recipe
    store_path: Path
    store_hash: str

    def open_store(self) -> AnyStore:
        """Open the store of the run; refuse one that has changed since."""
        store = open_store(self.store_path)
        if store.hash != self.store_hash:
            raise RunError(
                f"store {self.store_path} has changed since {self.path} was started "
                f"({store.hash[:12]} against {self.store_hash[:12]}): start a new run"
            )
        return store

    @property
    def finished(self) -> bool:
        """Whether the budget of the recipe is spent."""
        newest = checkpoint.latest(self.path)
        return newest is not None and checkpoint.step_of(newest) == self.recipe.train.steps

    def load_jepa(self, store: AnyStore) -> JEPA:
        """Build the model and load its newest checkpoint: frozen, on the device of the recipe."""
        newest = checkpoint.latest(self.path)
        if newest is None:
            raise RunError(f"{self.path} has no checkpoint yet: run `bandpass train` on it first")
        jepa = build_jepa(self.recipe, store.shape)
        weights = checkpoint.load_weights(newest)
        try:
            jepa.load_state_dict(weights)
        except RuntimeError as error:
            raise RunError(
                f"{newest} does not fit {self.path / 'recipe.json'}: one of them was changed by "
                "hand; start a new run"
            ) from error
        return jepa.to(pick_device(self.recipe.train.device)).eval()


def create_run(path: Path, recipe: Recipe, store: AnyStore) -> Run:
    """Start a run directory, or return the one that is there if it is the same run.

    Raises:
        RunError: If the directory holds a run of another recipe or store.
    """
    run = Run(path, recipe, store.path.resolve(), store.hash)
    if (path / "recipe.json").exists():
        found = open_run(path)
        differing = differences(to_dict(found.recipe), to_dict(recipe))
        if found.store_hash != store.hash:
            differing.append("store")
        if not differing and found.store_path != run.store_path:
            _write_recipe(run)  # the same store, somewhere else now
            return run
        if differing:
            raise RunError(
                f"{path} holds another run (differs in {', '.join(differing)}): choose another "
                "--run, or repeat its settings to resume it"
            )
        return found
    path.mkdir(parents=True, exist_ok=True)
    _write_recipe(run)
    return run


def open_run(path: Path) -> Run:
    """Open an existing run directory.

    Raises:
        RunError: If it is not one, its recipe cannot be read, or it is a mixed run.
    """
    content = content_of(path)
    if "members" in content:
        folders = ", ".join(str(path / name) for name in content["members"])
        raise RunError(f"{path} is a mixed run: take one of its members, {folders}")
    try:
        store, store_hash = Path(content.pop("store")), content.pop("store_hash")
    except (KeyError, TypeError) as error:
        raise _unreadable(path, error) from error
    return Run(path, from_dict(content), store, store_hash)


def recipe_of(path: Path) -> Recipe:
    """Read the recipe of a run directory, of a mixed run too.

    Raises:
        RunError: If it is not one, or its recipe cannot be read.
    """
    content = content_of(path)
    return from_dict({k: v for k, v in content.items() if k not in BESIDE})


def content_of(path: Path) -> dict[str, Any]:
    """Read ``recipe.json`` of a run as it is: the recipe, and what is beside it."""
    file = path / "recipe.json"
    if not file.exists():
        raise RunError(f"{path} is not a run: it has no recipe.json; `bandpass train` makes runs")
    try:
        content = json.loads(file.read_text())
    except ValueError as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(path, TypeError(f"it holds a {type(content).__name__}"))
    return content


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(f"{path / 'recipe.json'} cannot be read ({error}): start a new run")


def _write_recipe(run: Run) -> None:
    content = to_dict(run.recipe)
    content |= {"store": str(run.store_path), "store_hash": run.store_hash}
    write_json(run.path / "recipe.json", content)


def differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the keys in which two recipes differ, as they are said on the command line."""
    found: list[str] = []
    for key in one.keys() | other.keys():
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif (list(a) if isinstance(a, tuple) else a) != (list(b) if isinstance(b, tuple) else b):
            found.append(prefix + key)
    return sorted(found)
