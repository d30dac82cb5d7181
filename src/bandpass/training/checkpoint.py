"""Checkpoints: a folder that is either whole or absent, weights in safetensors beside state."""

import pickle
import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bandpass.data.atomic import sync

WEIGHTS, STATE = "model.safetensors", "state.pt"


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or cannot be read; the message names it and the mend."""


def save(
    run: Path,
    step: int,
    weights: dict[str, Tensor],
    state: dict[str, Any],
    keep: Collection[int] = (),
) -> Path:
    """Write ``RUN/checkpoints/step-NNNNNNNN`` and drop all but the newest two and those to keep.

    A checkpoint of that step that is there already is replaced.

    Args:
        run: The run directory.
        step: Optimiser steps done.
        weights: ``state_dict`` of the model.
        state: Everything else that a resume needs: tensors, numbers, strings, lists, dicts.
        keep: Steps whose checkpoints stay for good.

    Raises:
        CheckpointError: If it cannot be written; those before it are untouched.
    """
    folder = run / "checkpoints"
    whole = folder / f"step-{step:08d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        partial = _hidden(whole)
        _write(partial, weights, state)
        if whole.exists():  # of a process that was killed before its tables said so
            _drop(whole)
        partial.rename(whole)
        sync(folder)
        for old in _whole(run)[:-2]:
            if step_of(old) not in keep:
                _drop(old)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch: RuntimeError on a full disk
        _sweep(folder)
        raise CheckpointError(
            f"cannot write {whole}: {error}; the checkpoint before it stands: make room, then "
            "repeat the command to continue from there"
        ) from error
    return whole


def latest(run: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, None if there is none."""
    return next(reversed(_whole(run)), None)


def step_of(checkpoint: Path) -> int:
    """Return the optimiser steps that were done when a checkpoint was written."""
    return int(checkpoint.name.removeprefix("step-"))


def load_weights(checkpoint: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Read the weights of a checkpoint."""
    try:
        return load_file(checkpoint / WEIGHTS, device=device)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot read {checkpoint / WEIGHTS}: {error}; delete {checkpoint} to fall back to "
            "the checkpoint before it"
        ) from error


def load_state(checkpoint: Path) -> dict[str, Any]:
    """Read the optimiser, sampler and log state of a checkpoint."""
    try:
        if not zipfile.is_zipfile(checkpoint / STATE):  # else torch tries a format of long ago
            raise EOFError("it is missing or cut short")
        return torch.load(checkpoint / STATE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"cannot read {checkpoint / STATE}: {error}; delete {checkpoint} to fall back to "
            "the checkpoint before it"
        ) from error


def _write(folder: Path, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
    folder.mkdir()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS)
    torch.save(state, folder / STATE)
    for file in (folder / WEIGHTS, folder / STATE):
        sync(file)
    sync(folder)


def _drop(checkpoint: Path) -> None:
    """Delete a checkpoint under a hidden name: a kill half-way leaves none that looks whole."""
    hidden = checkpoint.with_name(f".{checkpoint.name}.old")
    checkpoint.rename(hidden)
    shutil.rmtree(hidden)


def _sweep(folder: Path) -> None:
    """Delete what a killed process left half-written or half-deleted."""
    for stale in folder.glob(".step-*"):
        shutil.rmtree(stale, ignore_errors=True)


def _hidden(checkpoint: Path) -> Path:
    return checkpoint.with_name(f".{checkpoint.name}.partial")


def _whole(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))
