"""From per-sample losses to what is recorded of them and the scalar that is differentiated."""

from collections.abc import Sized
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bandpass.curriculum.distributed import gather_rows
from bandpass.curriculum.draws import Draw
from bandpass.curriculum.gate import Evidence

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """A batch's results on the CPU, outside the graph.

    Attributes:
        scores: float64 (B,) log-scores; NaN where there is none.
        finite: bool (B,), where loss and embedding are finite.
        scaled: Whether scores are to be measured against the variance of the embeddings.
        embeddings: float64 (B, D), or None.
        evidence: What the gate is told, or None.
    """

    scores: Floats
    finite: NDArray[np.bool_]
    scaled: bool
    embeddings: Floats | None = None
    evidence: Evidence | None = None

    def part(self, slots: NDArray[np.int64]) -> "Observed":
        """The results of some slots."""
        told: dict[str, Any] = {name: v[slots] for name, v in _columns(self.evidence).items()}
        return Observed(
            self.scores[slots],
            self.finite[slots],
            self.scaled,
            None if self.embeddings is None else self.embeddings[slots],
            self.evidence and replace(self.evidence, **told),
        )

    def over(self, rank: int, world: int, number: int) -> "Observed":
        """The results of all ranks on draw `number`, in the order of its slots."""
        if world == 1:
            return self
        told = _columns(self.evidence)
        vectors = self.embeddings
        width = 0 if vectors is None else vectors.shape[1]
        columns = [self.scores, self.finite, *told.values()]
        rows = np.column_stack(columns if vectors is None else [*columns, vectors])
        whole = gather_rows(torch.from_numpy(rows), rank, world, key=number).numpy()
        numbers, vectors = np.split(whole, [len(columns)], axis=1)
        scores, finite, *rest = numbers.T
        known = dict(zip(told, rest, strict=True))
        evidence = self.evidence and replace(self.evidence, **known)
        return Observed(
            scores, finite.astype(bool), self.scaled, vectors if width else None, evidence
        )


def _columns(evidence: Evidence | None) -> dict[str, Floats]:
    given: dict[str, Any] = {} if evidence is None else vars(evidence)
    return {
        name: torch.as_tensor(values).detach().double().cpu().numpy()
        for name, values in given.items()
        if values is not None
    }


def observe(
    draw: Sized,
    losses: Tensor,
    embeddings: Tensor | None,
    scores: Tensor | None,
    evidence: Evidence | None,
) -> Observed:
    """Fetch a batch's results, refusing wrong ones at the first step of a run.

    Args:
        draw: The batch.
        losses: (B,) float.
        embeddings: (B, D) float, or None.
        scores: (B,) float log-scores; the logarithm of the losses if None.
        evidence: For the gate.

    Raises:
        ValueError, TypeError: A shape, dtype or sign is wrong.
    """
    if isinstance(losses, Tensor) and losses.shape != (len(draw),):
        raise ValueError(
            f"losses must have shape ({len(draw)},), one per drawn window, got "
            f"{tuple(losses.shape)}: reduce over tokens and dimensions, not over the batch"
        )
    values = _fetch(losses, "losses")
    if scores is None:
        if (values < 0).any():
            raise ValueError(
                f"losses must be at least 0, their logarithm is the score; got {values.min():.4g}: "
                "give scores= for a loss that may be negative"
            )
        with np.errstate(divide="ignore", invalid="ignore"):  # a loss of 0 goes to the lowest bin
            found = np.log(values)
    else:
        found = _fetch_scores(draw, scores)
    vectors = _fetch_embeddings(draw, embeddings)
    finite = np.isfinite(values) & _usable(vectors)
    return Observed(found, finite, scores is None, vectors, evidence)


def require_finite(draw: Draw, losses: Tensor, observed: Observed) -> None:
    """Refuse a batch, of all ranks, of which nothing can be learned.

    Raises:
        FloatingPointError: No loss is finite.
    """
    if not observed.finite.any():
        raise FloatingPointError(
            f"nothing in draw {draw.number} has a finite loss and embedding (first loss "
            f"{losses[0].item()}, ids {draw[:8]}): the model has diverged; lower the learning rate "
            "or clip gradients"
        )


def observe_scores(
    ids: Sized, scores: Tensor, embeddings: Tensor | None, evidence: Evidence | None
) -> Observed:
    """The same of windows that were not trained on: scores, as they are, in place of losses."""
    found, vectors = _fetch_scores(ids, scores), _fetch_embeddings(ids, embeddings)
    finite = np.ones(len(found), bool) & _usable(vectors)
    return Observed(found, finite, False, vectors, evidence)


def _usable(embeddings: Floats | None) -> NDArray[np.bool_]:
    """(B,) where the square of the embeddings, which enters the variance, fits single precision."""
    if embeddings is None:
        return np.ones(1, bool)
    with np.errstate(over="ignore"):
        return np.square(embeddings).sum(axis=1) < np.finfo(np.float32).max


def _fetch_scores(draw: Sized, scores: Tensor) -> Floats:
    if scores.shape != (len(draw),):
        raise ValueError(f"scores must have shape ({len(draw)},), got {tuple(scores.shape)}")
    return _fetch(scores, "scores")


def _fetch_embeddings(draw: Sized, embeddings: Tensor | None) -> Floats | None:
    if embeddings is None:
        return None
    if embeddings.ndim != 2 or len(embeddings) != len(draw):
        raise ValueError(
            f"embeddings must have shape ({len(draw)}, D), got {tuple(embeddings.shape)}"
        )
    return _fetch(embeddings, "embeddings")


def _fetch(tensor: Tensor, name: str) -> Floats:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
    return tensor.detach().double().cpu().numpy()


def weighted_mean(
    losses: Tensor, weights: Floats, finite: NDArray[np.bool_], total: float
) -> Tensor:
    """Sum of w * loss where finite, over `total`.

    With `total` the sum of the weights this is their weighted mean; ranks divide by their part
    of the sum over all ranks, so that the average of their results is the mean over all.

    A non-finite loss is left out, so it cannot make the whole gradient NaN through the mean.
    (A window whose *activations* are NaN still reaches the weights' gradient as 0 * NaN: keep
    NaN out of the inputs, or skip the update when the gradient norm is not finite.)

    Args:
        losses: (B,), differentiable; half precision is summed in float32.
        weights: float64 (B,), positive.
        finite: bool (B,), which losses to use.
        total: What the weights sum up to.

    Returns:
        Scalar tensor on the device of `losses`.
    """
    losses = losses.to(torch.promote_types(losses.dtype, torch.float32))
    if not finite.all():
        losses = losses[torch.from_numpy(finite).to(losses.device)]
        weights = weights[finite]
    scale = torch.from_numpy(weights / total)
    return (scale.to(losses) * losses).sum()
