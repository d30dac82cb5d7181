"""From per-sample losses to the scalar that is differentiated."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bandpass.curriculum.draws import Draw


def check_losses(draw: Draw, losses: Tensor, embeddings: Tensor | None = None) -> None:
    """Raise at the first step, not deep in a run, if shapes, dtypes or signs are wrong."""
    if losses.shape != (len(draw),):
        raise ValueError(
            f"losses must have shape ({len(draw)},), one per drawn window, got "
            f"{tuple(losses.shape)}: reduce over tokens and dimensions, not over the batch"
        )
    if not losses.is_floating_point():
        raise TypeError(f"losses must be floating point, got {losses.dtype}")
    if bool((losses < 0).any()):
        raise ValueError(
            f"losses must not be negative, their logarithm is the score; got {losses.min():.4g}"
        )
    if embeddings is None:
        return
    if embeddings.ndim != 2 or len(embeddings) != len(draw):
        raise ValueError(
            f"embeddings must have shape ({len(draw)}, D), got {tuple(embeddings.shape)}"
        )
    if not embeddings.is_floating_point():
        raise TypeError(f"embeddings must be floating point, got {embeddings.dtype}")


def weighted_mean(draw: Draw, losses: Tensor, weights: NDArray[np.float64]) -> Tensor:
    """Mean of `weights * losses` over the finite losses, weights scaled to mean 1 over them.

    One non-finite loss is left out, so it cannot make the whole gradient NaN through the
    mean. (A window whose *activations* are NaN still reaches the weights as 0 * NaN: keep
    NaN out of the inputs, or skip the update when the gradient norm is not finite.)

    Args:
        draw: The batch, for the error message.
        losses: (B,), differentiable, any float dtype; half precision is summed in float32.
        weights: float64 (B,), positive.

    Returns:
        Scalar tensor on the device of `losses`.

    Raises:
        FloatingPointError: No loss of the batch is finite.
    """
    finite = losses.detach().isfinite()
    if not bool(finite.any()):
        raise FloatingPointError(
            f"every loss of draw {draw.number} is non-finite (first: {losses[0].item()}, ids "
            f"{draw[:8]}...): the model has diverged; lower the learning rate or clip gradients"
        )
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32))[finite]
    scale = torch.from_numpy(weights).to(losses.device)[finite]
    return ((scale / scale.mean()).to(losses.dtype) * losses).mean()
