"""Checkpoints: a folder that is either whole or absent, weights in safetensors beside state."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bandpass.training.atomic import sync_folder

WEIGHTS, STATE = "model.safetensors", "state.pt"


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or cannot be read; the message names it and the mend."""


def save(run: Path, step: int, weights: dict[str, Tensor], state: dict[str, Any]) -> Path:
    """Write ``RUN/checkpoints/step-NNNNNNNN`` and drop all but the newest two.

    Args:
        run: The run directory.
        step: Optimiser steps done.
        weights: ``state_dict`` of the model.
        state: Everything else that a resume needs: tensors, numbers, strings, lists, dicts.
    """
    folder = run / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / f"step-{step:08d}"
    partial = folder / f".{whole.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        save_file({name: value.contiguous() for name, value in weights.items()}, partial / WEIGHTS)
        torch.save(state, partial / STATE)
        for file in (partial / WEIGHTS, partial / STATE):
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        sync_folder(partial)
        if whole.exists():
            shutil.rmtree(whole)
        partial.rename(whole)
        sync_folder(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in _whole(run)[:-2]:
        shutil.rmtree(old)
    return whole


def latest(run: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, None if there is none."""
    return next(reversed(_whole(run)), None)


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
        return torch.load(checkpoint / STATE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"cannot read {checkpoint / STATE}: {error}; delete {checkpoint} to fall back to "
            "the checkpoint before it"
        ) from error


def _whole(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))
