"""SIGReg: the sketched isotropic Gaussian regulariser of LeJEPA (arXiv 2511.08544, section 4).

The textbook form evaluates a sine and a cosine at every knot of every projection and keeps all of
them for the backward pass. The knots are equally spaced, so here one sine and one cosine give
``e = exp(i t_1 u)`` and every other knot is a power of it. With ``k = a + b`` the sum over samples
of ``e^k`` is a small matrix product of a few powers ``e^a`` with a few ``e^b``, and so is the
derivative. Both are taken chunk by chunk while the powers are in the cache; only the derivative,
one number per projection, is kept.
"""

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bandpass._types import Scalar, Vectors

_LAST_KNOT = 3.0
_CACHED = 1 << 15  # projections worked on at once on a CPU: their powers fit a level-2 cache
_LAUNCHED = 1 << 22  # elsewhere large chunks, since every kernel launch costs


def sigreg(
    z: Vectors,
    *,
    directions: int = 256,
    generator: torch.Generator | None = None,
    knots: int = 17,
    group: dist.ProcessGroup | None = None,
) -> Scalar:
    r"""Distance of the samples from N(0, I), by the Epps-Pulley test along random directions.

    With ``u`` the projections of ``N`` samples on one direction and knots ``t_k`` from 0 to 3,

        T = N sum_k w_k [(mean cos t_k u - phi_k)^2 + (mean sin t_k u)^2],

    where ``phi_k = exp(-t_k^2 / 2)`` and ``w_k = c_k phi_k`` are trapezoidal weights over both
    signs of t (``c`` is the spacing at the two ends and twice that inside). The result is the mean
    of T over directions and groups, **with** the factor N: on N(0, I) its expectation is
    ``sqrt(2 pi) (1 - 1 / sqrt 3) = 1.059`` for every N, and it is .409 N when all samples are zero
    (integrals over all t; ending at t = 3 leaves 1.053 and .402 N). Codebases differ in this factor
    and in how the term is added to the loss, so a weight does not carry over between them.

    Half-precision input is computed in float32, also under autocast.

    Args:
        z: Embeddings, (..., samples, dim), float; leading dimensions are independent groups that
            share the directions. Put the batch at ``samples``: pooled over positions or over time,
            some collapses look healthy.
        directions: Number of random directions.
        generator: Source of the directions; seed it per step, alike on every rank. None draws the
            same directions on every call, which suits diagnostics and not training.
        knots: Number of points, at least 2, at which characteristic functions are compared.
        group: Ranks that hold parts of the samples, e.g. ``torch.distributed.group.WORLD``. The
            statistic is then that of all samples on every rank, and the gradient is multiplied by
            the number of ranks, so that *averaging* gradients over ranks, as
            ``DistributedDataParallel`` does, gives the gradient of a single process. None: no
            communication.

    Returns:
        Scalar in the dtype of the computation.

    Raises:
        ValueError: If ``z`` has no samples or no dimension, or a count is too small.
    """
    if z.ndim < 2 or z.numel() == 0:
        raise ValueError(f"z must be a non-empty (..., samples, dim), got {tuple(z.shape)}")
    if directions < 1 or knots < 2:
        raise ValueError(f"need directions >= 1 and knots >= 2, got {directions} and {knots}")
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        sketch = unit_directions(z.shape[-1], directions, generator).to(z)
        projections = sketch @ z.reshape(-1, z.shape[-1]).mT
        return _EppsPulley.apply(projections.view(-1, z.shape[-2]), knots, group)


def unit_directions(dim: int, count: int, generator: torch.Generator | None) -> Tensor:
    """Draw directions uniformly from the unit sphere.

    Args:
        dim: Dimension of the space.
        count: Number of directions.
        generator: Source of randomness; None stands for a fresh one seeded with 0.

    Returns:
        Rows of unit length, (count, dim) float32 on the device of the generator, so that a CPU
        generator gives every rank and device the same ones.
    """
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    gaussian = torch.randn(count, dim, generator=generator, device=generator.device)
    return torch.nn.functional.normalize(gaussian, dim=1)


def expected_statistic(knots: int = 17) -> float:
    """Expectation of T on N(0, I), for any number of samples: 1.053 with 17 knots."""
    _, phi, weight = _quadrature(knots, torch.zeros((), dtype=torch.float64))
    return float(weight @ (1.0 - phi.square()))


class _EppsPulley(torch.autograd.Function):
    """Mean statistic T of the rows of (rows, samples), with its analytic derivative."""

    @staticmethod
    # pyrefly: ignore[bad-override]  # torch declares forward(*args) for every function
    def forward(ctx: Any, u: Tensor, knots: int, group: dist.ProcessGroup | None) -> Tensor:
        rows, samples = u.shape
        total, largest = _sample_counts(samples, u, group)
        chunk = max(1, (_CACHED if u.device.type == "cpu" else _LAUNCHED) // largest)
        t, phi, weight = (x[1:] for x in _quadrature(knots, u))  # at t = 0 the error is always 0
        # dT/du = -(2 / rows) sum_k w_k t_k Im(conj(error_k) e^k); times the ranks, because the
        # average over ranks is going to divide by them
        scale = -2.0 / rows * (1 if group is None else group.size()) * weight * t
        slope = torch.empty_like(u) if ctx.needs_input_grad[0] else None
        loss = u.new_zeros(())
        for start in range(0, rows, chunk):
            chosen = slice(start, start + chunk)
            low, high = _powers(u[chosen] * t[0], len(t))
            error = _sums(low, high)[:, : len(t)] / total
            if group is not None:
                dist.all_reduce(torch.view_as_real(error), group=group)
            error -= phi
            loss += (torch.view_as_real(error).square().sum(-1) @ weight).sum()
            if slope is not None:
                slope[chosen] = _derivative(low, high, error.conj() * scale)
        if slope is not None:
            ctx.save_for_backward(slope)
        return loss * (total / rows)

    @staticmethod
    # pyrefly: ignore[bad-override]
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():  # the derivative kept here is a constant to autograd
            raise RuntimeError(
                "sigreg cannot be differentiated twice; call backward without create_graph=True"
            )
        (slope,) = ctx.saved_tensors
        return slope * upstream, None, None


def _quadrature(knots: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Knots t, the Gaussian characteristic function there, and the trapezoidal weights."""
    t = torch.linspace(0.0, _LAST_KNOT, knots, dtype=like.dtype, device=like.device)
    phi = torch.exp(-0.5 * t.square())
    weight = 2.0 * _LAST_KNOT / (knots - 1) * phi
    weight[0] *= 0.5
    weight[-1] *= 0.5
    return t, phi, weight


def _sample_counts(samples: int, like: Tensor, group: dist.ProcessGroup | None) -> tuple[int, int]:
    """Samples of all ranks together, and of the rank that has most (all must chunk alike)."""
    if group is None:
        return samples, samples
    counts = torch.zeros(group.size(), dtype=torch.int64, device=like.device)
    counts[group.rank()] = samples
    dist.all_reduce(counts, group=group)
    return int(counts.sum()), int(counts.max())


def _powers(angle: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Powers of e = exp(i angle) whose products are e^1 ... e^count (and perhaps a few more).

    Returns:
        low (b, rows, samples) with exponents 1 ... b and high (a, rows, samples) with exponents
        0, b, 2b, ..., complex.
    """
    width = math.isqrt(count - 1) + 1
    e = torch.complex(angle.cos(), angle.sin())
    low = _geometric(e, e, width)
    return low, _geometric(torch.ones_like(e), low[-1], -(-count // width))


def _geometric(first: Tensor, ratio: Tensor, count: int) -> Tensor:
    terms = first.new_empty(count, *first.shape)
    terms[0] = first
    for k in range(1, count):
        torch.mul(terms[k - 1], ratio, out=terms[k])
    return terms


def _sums(low: Tensor, high: Tensor) -> Tensor:
    """Sum over samples of every power, (rows, powers) complex."""
    return torch.bmm(high.transpose(0, 1), low.permute(1, 2, 0)).flatten(1)


def _derivative(low: Tensor, high: Tensor, coefficient: Tensor) -> Tensor:
    """Imaginary part of sum_k coefficient_k e^k at every sample, (rows, samples)."""
    grid = coefficient.new_zeros(len(coefficient), len(high) * len(low))
    grid[:, : coefficient.shape[1]] = coefficient
    inner = torch.bmm(grid.unflatten(1, (len(high), len(low))), low.transpose(0, 1))
    return inner.mul_(high.transpose(0, 1)).sum(dim=1).imag
