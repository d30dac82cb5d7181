"""Array aliases and the checks every evaluation function starts with."""

from importlib import import_module
from types import ModuleType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.integer]
Booleans: TypeAlias = npt.NDArray[np.bool_]


def eval_extra(module: str) -> ModuleType:
    """Import a module of the optional `eval` extra.

    Raises:
        ModuleNotFoundError: when it is not installed, naming the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{module} is needed for this evaluation: pip install bandpass[eval]"
        ) from error


def as_features(features: Floats, name: str = "features") -> Doubles:
    """Return `features` as a float64 matrix (n, d).

    Raises:
        ValueError: when it is no matrix or holds NaN or infinity.
    """
    if features.ndim != 2:
        raise ValueError(f"{name} must have shape (n, d), got {features.shape}")
    matrix = features.astype(np.float64)
    broken = int((~np.isfinite(matrix)).any(axis=1).sum())
    if broken:
        raise ValueError(
            f"{name}: {broken} of {len(matrix)} rows hold NaN or infinity; "
            "drop them or find out where the encoder diverged"
        )
    return matrix


def check_rows(count: int, **arrays: np.ndarray | None) -> None:
    """Raise ValueError unless every given array has `count` rows along its first axis."""
    for name, array in arrays.items():
        if array is not None and (array.ndim == 0 or len(array) != count):
            raise ValueError(f"{name} must have {count} rows, got shape {array.shape}")


def moments(fit: Doubles) -> tuple[Doubles, Doubles]:
    """Return column means and scales of `fit`; a constant column has scale inf, so it becomes 0."""
    mean, deviation = fit.mean(axis=0), fit.std(axis=0)
    # Rounding gives a constant column a tiny deviation; dividing by it would amplify the rounding.
    constant = deviation <= 1e-10 * np.abs(mean)
    return mean, np.where(constant, np.inf, deviation)
