"""Prediction losses, regularisers against collapse, and the terms that report it."""

from collections.abc import Callable

from torch import Generator, Tensor

from bandpass.losses.collapse import CollapseTerms, collapse_terms, collapse_warning
from bandpass.losses.prediction import PREDICTION_LOSSES
from bandpass.losses.sigreg import sigreg
from bandpass.losses.vicreg import covariance, variance, vicreg


def _vicreg(z: Tensor, *, generator: Generator | None = None) -> Tensor:
    del generator  # VICReg draws nothing
    return vicreg(z)


REGULARISERS: dict[str, Callable[..., Tensor]] = {"sigreg": sigreg, "vicreg": _vicreg}
"""``regulariser(z, generator=...)``: the generator makes whatever is random in it repeatable."""

__all__ = [
    "PREDICTION_LOSSES",
    "REGULARISERS",
    "CollapseTerms",
    "collapse_terms",
    "collapse_warning",
    "covariance",
    "sigreg",
    "variance",
    "vicreg",
]
