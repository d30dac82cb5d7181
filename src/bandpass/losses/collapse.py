"""Which axis of the representation has collapsed: over samples, over time, or in scale.

Statistics pooled over a batch of windows each miss a collapse: tokens that are the same for every
sample, or constant in time, still look Gaussian when all tokens are thrown together, and a rank
does not see that everything shrank. Hence one term per axis, blind to the other two.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bandpass._types import Tokens
from bandpass.losses.sigreg import expected_statistic, sigreg

_DIRECTIONS = 32  # enough for a diagnostic that is averaged over positions or samples too
_TINY = 1e-8  # below any deviation float32 activations can carry

POSITION_LIMIT = 0.5
"""Half-way to "same for every sample", which scores 1; healthy tokens score about 0."""

SAMPLE_LIMIT = 0.8
"""Slow signals are legitimately smooth in time, so the check is soft: 96 tokens of a healthy
Ornstein-Uhlenbeck process with correlation .9 score .11, constant tokens score 1."""

SCALE_LIMIT = math.log(10.0)
"""A standard deviation ten times off 1 in either direction; "shrunk to .01" scores 4.6."""


class CollapseTerms(NamedTuple):
    """One number per way to collapse, each about 0 on tokens distributed as N(0, I).

    Attributes:
        position: Do samples differ at a position? 0 if they do, 1 if all samples are the same.
        sample: Do tokens of a sample differ over time? 0 if they do, 1 if constant.
        scale: ``|log std|`` of all tokens around their common mean.
    """

    position: Tensor
    sample: Tensor
    scale: Tensor


@torch.no_grad()
def collapse_terms(tokens: Tokens) -> CollapseTerms:
    """Measure collapse over the batch, over time and in scale, each by its own term.

    Tokens are centred and divided by their pooled standard deviation before the first two terms,
    so that scale shows in ``scale`` alone. These are then SIGReg statistics ``T / N``, over the
    batch at each position and over time in each sample, shifted and scaled so that N Gaussian draws
    score 0 and N equal ones 1.

    Args:
        tokens: (batch, tokens, dim), at least two samples and two tokens.

    Returns:
        The three terms, scalar tensors.

    Raises:
        ValueError: If there are fewer than two samples or two tokens.
    """
    if min(tokens.shape[:2]) < 2:
        raise ValueError(
            f"tokens must hold at least 2 samples of 2 tokens, got shape {tuple(tokens.shape)}"
        )
    tokens = tokens if tokens.dtype == torch.float64 else tokens.float()
    centred = tokens - tokens.mean(dim=(0, 1))
    deviation = centred.square().mean().sqrt().clamp_min(_TINY)
    standard = centred / deviation
    return CollapseTerms(
        position=_excess(standard.transpose(0, 1)),
        sample=_excess(standard),
        scale=deviation.log().abs(),
    )


def collapse_warning(terms: CollapseTerms) -> str | None:
    """Say in plain words which axis has collapsed.

    Args:
        terms: What :func:`collapse_terms` measured.

    Returns:
        One line naming every axis beyond its limit (``POSITION_LIMIT``, ``SAMPLE_LIMIT``,
        ``SCALE_LIMIT``), or None if all is well.
    """
    found = []
    if not terms.position <= POSITION_LIMIT:
        found.append(f"tokens are nearly the same for every sample (position {terms.position:.2f})")
    if not terms.sample <= SAMPLE_LIMIT:
        found.append(f"tokens are nearly constant in time (sample {terms.sample:.2f})")
    if not terms.scale <= SCALE_LIMIT:
        found.append(f"the scale of the tokens is far from 1 (scale {terms.scale:.2f})")
    return "collapse: " + "; ".join(found) if found else None


def _excess(z: Tensor) -> Tensor:
    """SIGReg per sample, 0 for N Gaussian draws and 1 for N equal Gaussian points."""
    count = z.shape[-2]
    gaussian = expected_statistic()
    statistic = sigreg(z, directions=_DIRECTIONS) / count
    return (statistic - gaussian / count) / (gaussian * (1.0 - 1.0 / count))
