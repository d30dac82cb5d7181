"""From per-sample losses to what is recorded of them and the scalar that is differentiated."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bandpass.curriculum.draws import Draw

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """A batch's results on the CPU, outside the graph.

    Attributes:
        losses: float64 (B,), at least 0 or non-finite.
        embeddings: float64 (B, D), or None.
        finite: bool (B,), where loss and embedding are finite; true at least once.
    """

    losses: Floats
    embeddings: Floats | None
    finite: NDArray[np.bool_]


def observe(draw: Draw, losses: Tensor, embeddings: Tensor | None) -> Observed:
    """Fetch a batch's results, refusing wrong ones at the first step of a run.

    Args:
        draw: The batch.
        losses: (B,) float.
        embeddings: (B, D) float, or None.

    Raises:
        ValueError, TypeError: A shape, dtype or sign is wrong.
        FloatingPointError: Nothing is finite.
    """
    if losses.shape != (len(draw),):
        raise ValueError(
            f"losses must have shape ({len(draw)},), one per drawn window, got "
            f"{tuple(losses.shape)}: reduce over tokens and dimensions, not over the batch"
        )
    if embeddings is not None and (embeddings.ndim != 2 or len(embeddings) != len(draw)):
        raise ValueError(
            f"embeddings must have shape ({len(draw)}, D), got {tuple(embeddings.shape)}"
        )
    values = _fetch(losses, "losses")
    if (values < 0).any():
        raise ValueError(
            f"losses must be at least 0, their logarithm is the score; got {values.min():.4g}"
        )
    vectors = None if embeddings is None else _fetch(embeddings, "embeddings")
    finite = np.isfinite(values)
    if vectors is not None:
        finite &= np.isfinite(vectors).all(axis=1)
    if not finite.any():
        raise FloatingPointError(
            f"nothing in draw {draw.number} is finite (first loss {values[0]}, ids {draw[:8]}): "
            "the model has diverged; lower the learning rate or clip gradients"
        )
    return Observed(values, vectors, finite)


def _fetch(tensor: Tensor, name: str) -> Floats:
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
    return tensor.detach().double().cpu().numpy()


def weighted_mean(losses: Tensor, weights: Floats, finite: NDArray[np.bool_]) -> Tensor:
    """Mean of w * loss where finite, with the weights scaled to mean 1 there.

    A non-finite loss is left out, so it cannot make the whole gradient NaN through the mean.
    (A window whose *activations* are NaN still reaches the weights' gradient as 0 * NaN: keep
    NaN out of the inputs, or skip the update when the gradient norm is not finite.)

    Args:
        losses: (B,), differentiable; half precision is summed in float32.
        weights: float64 (B,), positive.
        finite: bool (B,), which losses to use; true at least once.

    Returns:
        Scalar tensor on the device of `losses`.
    """
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32))
    if not finite.all():
        losses = losses[torch.from_numpy(finite).to(losses.device)]
        weights = weights[finite]
    if (weights == weights[0]).all():
        return losses.mean()
    scale = torch.from_numpy(weights / weights.mean())
    return (scale.to(losses) * losses).mean()
