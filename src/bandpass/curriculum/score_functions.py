"""The scores as functions of `Signals`: (B,) logs, more is more surprising.

`scores.SCORES` names them and says what they need and cost.
"""

import math

import torch
from torch import Tensor

from bandpass.curriculum.signals import Signals

TOP = 0.25
"""Share of the hidden tokens that `top_quarter` averages over."""

_FLOOR = 1e-4  # of the mean variance: a dimension that hardly varies must not own the residual


def loss(signals: Signals) -> Tensor:
    """Log of the training loss."""
    return signals.get("losses").log()


def residual(signals: Signals) -> Tensor:
    """Log of the mean squared error, each dimension in units of the target's variance.

    The variance is ``target_variance``, or that of the batch's own targets without it.
    """
    return _whitened(signals).mean(dim=1).log()


def residual_max(signals: Signals) -> Tensor:
    """The residual of the worst token: an event is shorter than its window."""
    return _whitened(signals).amax(dim=1).log()


def energy(signals: Signals) -> Tensor:
    """Log of half the squared error, summed over tokens and dimensions.

    A JEPA's energy is its error in latent space: LeCun, "A Path Towards Autonomous Machine
    Intelligence" (2022), section 4.4. With the factor 1/2 it is minus the log-likelihood of the
    target under a unit Gaussian about the prediction, but for a constant.
    """
    return (0.5 * _squared_error(signals).sum(dim=(1, 2))).log()


def cosine(signals: Signals) -> Tensor:
    """Log of the mean of 1 - cos over tokens; NaN where a latent has no direction (all zero)."""
    one, other = (
        latents / latents.norm(dim=2, keepdim=True)
        for latents in (signals.get("prediction"), signals.get("target"))
    )
    return (0.5 * (one - other).square().sum(dim=2)).mean(dim=1).log()


def max_token(signals: Signals) -> Tensor:
    """Log loss of the worst token."""
    return signals.get("token_losses").amax(dim=1).log()


def top_quarter(signals: Signals) -> Tensor:
    """Log of the mean loss of the worst quarter of the tokens, at least one."""
    losses = signals.get("token_losses")
    top = losses.topk(math.ceil(TOP * losses.shape[1]), dim=1).values  # NaN counts as largest
    return top.mean(dim=1).log()


def mask_variation(signals: Signals) -> Tensor:
    """Log coefficient of variation (deviation over mean) of the loss across masks.

    Raises:
        ValueError: If there is one mask only.
    """
    losses = signals.get("mask_losses")
    _need_two(losses, "mask_losses", "masks")
    return (losses.std(dim=0) / losses.mean(dim=0)).log()


def disagreement(signals: Signals) -> Tensor:
    """Log variance over heads, averaged over tokens and dimensions.

    Pathak et al., "Self-Supervised Exploration via Disagreement" (arXiv 1906.04161), equation 1.

    Raises:
        ValueError: If there is one head only.
    """
    predictions = signals.get("head_predictions")
    _need_two(predictions, "head_predictions", "heads")
    return predictions.var(dim=0).mean(dim=(1, 2)).log()


def progress(signals: Signals) -> Tensor:
    """Log loss of the slow weights minus that of the fast ones: positive where the model learns.

    The gamma-Progress of Kim et al., "Active World Model Learning with Progress Curiosity"
    (arXiv 2007.07853), in logs, and against one teacher target, so that the drift of the target
    does not count as progress.
    """
    return signals.get("slow_losses").log() - signals.get("losses").log()


def uncertainty(signals: Signals) -> Tensor:
    """Log of the mean squared error that the variance head foretells."""
    expected = signals.get("log_variance").flatten(1)
    return expected.logsumexp(dim=1) - math.log(expected.shape[1])


def surprisal(signals: Signals) -> Tensor:
    """Mean negative log-likelihood of the target under the foretold variance, in nats.

    Nix and Weigend, "Estimating the Mean and Variance of the Target Probability Distribution"
    (1994), without the constant: noise that was foretold is no surprise.
    """
    expected, error = signals.get("log_variance"), _squared_error(signals)
    if expected.ndim == 2:
        error = error.mean(dim=2)
    return 0.5 * (error * (-expected).exp() + expected).flatten(1).mean(dim=1)


def reducible(signals: Signals) -> Tensor:
    """Log ratio of the loss to a reference model's.

    The reducible hold-out loss of Mindermann et al. (arXiv 2206.07137), equation 3, in logs: the
    two losses live in different latent spaces, and only a ratio survives a change of scale.
    """
    return signals.get("losses").log() - signals.get("reference_losses").log()


def alignment(signals: Signals) -> Tensor:
    """Log geometric mean of the loss and of a downstream probe's loss; NaN without a label.

    For squared losses the norm of a gradient goes with the root of the loss, so by Cauchy and
    Schwarz this bounds, but for a constant, the log of the inner product of the two gradients: a
    window with a low loss in either cannot move both in one direction.
    """
    return 0.5 * (signals.get("losses").log() + signals.get("probe_losses").log())


def density(signals: Signals) -> Tensor:
    """Log distance to other windows, as the ingest found it."""
    return signals.get("density")


def density_ratio(signals: Signals) -> Tensor:
    """Log distance to other windows minus that among novel ones, as the ingest found it."""
    return signals.get("density_ratio")


def _squared_error(signals: Signals) -> Tensor:
    return (signals.get("prediction") - signals.get("target")).square()


def _whitened(signals: Signals) -> Tensor:
    """(B, N) squared error of each token, each dimension in units of its variance."""
    if signals.target_variance is not None:
        variance = signals.get("target_variance")
    else:
        variance = _variance(signals.get("target"))
    floor = (_FLOOR * variance.mean()).clamp(min=torch.finfo(variance.dtype).tiny)
    return (_squared_error(signals) / variance.clamp(min=floor)).mean(dim=2)


def _variance(target: Tensor) -> Tensor:
    """(D,) variance over the windows of (B, N, D) that are finite, without leaving the device."""
    usable = target.isfinite().all(dim=2).all(dim=1)[:, None, None]
    count = (usable.sum() * target.shape[1]).clamp(min=1)
    mean = target.where(usable, 0).sum(dim=(0, 1)) / count
    return (target - mean).square().where(usable, 0).sum(dim=(0, 1)) / count


def _need_two(stacked: Tensor, name: str, what: str) -> None:
    if len(stacked) < 2:
        raise ValueError(
            f"{name} has shape {tuple(stacked.shape)}: a spread needs at least 2 {what}"
        )
