"""Variance and covariance terms of VICReg (Bardes et al., arXiv 2105.04906, section 4.1)."""

import torch
from torch import Tensor

from bandpass._types import Scalar, Vectors

_EPSILON = 1e-4  # keeps the gradient of the square root finite at zero variance


def variance(z: Vectors) -> Scalar:
    """Hinge that holds the standard deviation of every dimension at 1 or above.

    ``mean_d relu(1 - sqrt(var_d + 1e-4))`` with the unbiased variance over the samples.

    Args:
        z: Embeddings, (..., samples, dim); leading dimensions are independent groups.

    Returns:
        Scalar in [0, 0.99], averaged over groups; 0 when every dimension has unit variance.

    Raises:
        ValueError: If there are fewer than two samples.
    """
    deviation = torch.sqrt(_checked(z).var(dim=-2) + _EPSILON)
    return torch.relu(1.0 - deviation).mean()


def covariance(z: Vectors) -> Scalar:
    """Squared off-diagonal covariance, which decorrelates the dimensions.

    ``sum_{i != j} cov_ij^2 / D`` as in the paper (some codebases divide by ``D (D - 1)``), with the
    unbiased covariance over the samples.

    Args:
        z: Embeddings, (..., samples, dim); leading dimensions are independent groups.

    Returns:
        Scalar, averaged over groups; 0 when the dimensions are uncorrelated.

    Raises:
        ValueError: If there are fewer than two samples.
    """
    z = _checked(z)
    centred = z - z.mean(dim=-2, keepdim=True)
    with torch.autocast(z.device.type, enabled=False):
        cov = centred.mT @ centred / (z.shape[-2] - 1)
    off_diagonal = cov - torch.diag_embed(cov.diagonal(dim1=-2, dim2=-1))
    return off_diagonal.square().sum(dim=(-2, -1)).mean() / z.shape[-1]


def vicreg(z: Vectors, *, variance_weight: float = 25.0, covariance_weight: float = 1.0) -> Scalar:
    """Weighted sum of both terms; the prediction loss stands for the paper's invariance term.

    Half-precision input is computed in float32, also under autocast, here and in both terms.

    Args:
        z: Embeddings, (..., samples, dim); leading dimensions are independent groups. Put the batch
            at ``samples``: pooled over positions, a model that ignores its input looks healthy.
        variance_weight: Weight of :func:`variance` (paper: 25).
        covariance_weight: Weight of :func:`covariance` (paper: 1).

    Returns:
        Scalar in the dtype of the computation.

    Raises:
        ValueError: If there are fewer than two samples.
    """
    return variance_weight * variance(z) + covariance_weight * covariance(z)


def _checked(z: Tensor) -> Tensor:
    if z.ndim < 2 or z.shape[-2] < 2:
        raise ValueError(
            f"z must have shape (..., samples, dim) with at least 2 samples, got {tuple(z.shape)}; "
            "use a larger batch"
        )
    return z if z.dtype == torch.float64 else z.float()
