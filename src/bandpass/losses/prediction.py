"""Losses between predicted and target tokens, one value per token.

Nothing is averaged over tokens or samples here: the curriculum needs the loss of every window, and
whether a window is worth its mean or its hardest token is the caller's choice.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from bandpass._types import Tokens


def smooth_l1(prediction: Tokens, target: Tokens) -> Tensor:
    """Huber-like loss with the bend at 1, averaged over the feature dimension.

    The loss of data2vec (arXiv 2202.03555, section 3.3): quadratic below an error of 1, linear
    above, so that one wild token does not own the gradient.

    Args:
        prediction: Predicted tokens, (batch, tokens, dim).
        target: Target tokens of the same shape; the caller stops their gradient.

    Returns:
        Loss per token, (batch, tokens).
    """
    return F.smooth_l1_loss(prediction, target, reduction="none").mean(dim=-1)


def l1(prediction: Tokens, target: Tokens) -> Tensor:
    """Absolute error averaged over the feature dimension (V-JEPA, arXiv 2404.08471, equation 1).

    Args:
        prediction: Predicted tokens, (batch, tokens, dim).
        target: Target tokens of the same shape; the caller stops their gradient.

    Returns:
        Loss per token, (batch, tokens).
    """
    return F.l1_loss(prediction, target, reduction="none").mean(dim=-1)


def mse(prediction: Tokens, target: Tokens) -> Tensor:
    """Squared error averaged over the feature dimension (I-JEPA, arXiv 2301.08243, section 3).

    Args:
        prediction: Predicted tokens, (batch, tokens, dim).
        target: Target tokens of the same shape; the caller stops their gradient.

    Returns:
        Loss per token, (batch, tokens).
    """
    return F.mse_loss(prediction, target, reduction="none").mean(dim=-1)


def cosine(prediction: Tokens, target: Tokens) -> Tensor:
    """One minus the cosine similarity: 0 when aligned, 1 when orthogonal, 2 when opposed.

    Blind to the length of the tokens, and thus to magnitude, by design.

    Args:
        prediction: Predicted tokens, (batch, tokens, dim).
        target: Target tokens of the same shape; the caller stops their gradient.

    Returns:
        Loss per token, (batch, tokens).
    """
    # Rounding can put the similarity of equal vectors an ulp above 1; a loss is never below 0.
    return (1.0 - F.cosine_similarity(prediction, target, dim=-1)).clamp(min=0.0)


PREDICTION_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "smooth-l1": smooth_l1,
    "l1": l1,
    "mse": mse,
    "cosine": cosine,
}
