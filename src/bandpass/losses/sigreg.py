"""SIGReg: the sketched isotropic Gaussian regulariser of LeJEPA (arXiv 2511.08544, section 4)."""

import torch
from torch import Tensor

from bandpass._types import Scalar, Vectors


def sigreg(
    z: Vectors, *, directions: int = 256, generator: torch.Generator | None = None, knots: int = 17
) -> Scalar:
    """Epps-Pulley distance from N(0, I), averaged over random directions."""
    with torch.autocast(z.device.type, enabled=False):
        z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
        u = z @ draw_directions(z.shape[-1], directions, generator).to(z)
        t = torch.linspace(0.0, 3.0, knots, dtype=z.dtype, device=z.device)
        phi = torch.exp(-0.5 * t.square())
        weight = 2.0 * (t[1] - t[0]) * phi
        weight[[0, -1]] *= 0.5
        angle = u.unsqueeze(-1) * t
        error = (angle.cos().mean(-3) - phi).square() + angle.sin().mean(-3).square()
        return z.shape[-2] * (error @ weight).mean()


def draw_directions(dim: int, count: int, generator: torch.Generator | None) -> Tensor:
    """Unit vectors drawn uniformly from the sphere, (dim, count) float32."""
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    gaussian = torch.randn(dim, count, generator=generator, device=generator.device)
    return gaussian / gaussian.norm(dim=0)
