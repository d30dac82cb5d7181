"""Small heads on detached predictor features: what they disagree on, and the error they expect."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from bandpass.data import Batch
from bandpass.models import JEPA, MASKS, Output

_LIMIT = 10.0  # of a log-variance: exp of it must not swallow or drown a loss


class Heads(nn.Module):
    """Linear heads that each learn from their own half of the windows, and one for the variance.

    The spread of linear fits over random halves of the data grows with the leverage of the
    features, so heads disagree where the predictor is far from what it was trained on, and agree
    on noise that no fit can explain. No gradient reaches the model.

    Args:
        jepa: The model whose predictor features they read; it must predict latents.
        count: Linear heads, at least 2.
        seed: Draws their first weights.
    """

    def __init__(self, jepa: JEPA, count: int = 4, seed: int = 0) -> None:
        super().__init__()
        if count < 2:
            raise ValueError(f"count must be at least 2 heads that can disagree, got {count}")
        width, dim = jepa.to_latent.in_features, jepa.to_latent.out_features
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(count, width, dim, generator=generator) / width**0.5
        self.weight = nn.Parameter(start.to(jepa.device))
        self.bias = nn.Parameter(torch.zeros(count, 1, 1, dim, device=jepa.device))
        self.variance = nn.Linear(width, 1, device=jepa.device)
        nn.init.zeros_(self.variance.weight)
        nn.init.zeros_(self.variance.bias)

    @property
    def weights(self) -> int:
        """Elements of the matrices of all heads."""
        return self.weight.numel() + self.variance.weight.numel()

    def predictions(self, features: Tensor) -> Tensor:
        """(B, N, width) predictor features to (H, B, N, D) latents."""
        return torch.einsum("bnw,hwd->hbnd", features, self.weight) + self.bias

    def log_variance(self, features: Tensor) -> Tensor:
        """(B, N, width) predictor features to (B, N) logs of the expected squared error."""
        return self.variance(features)[..., 0].clamp(-_LIMIT, _LIMIT)

    def loss(self, output: Output, ids: Tensor) -> Tensor:
        """Return the loss to minimise for one batch, a scalar.

        Squared error of every head over the windows it may see, and the negative log-likelihood
        of the model's own error under the variance head (Nix and Weigend 1994, equation 5).

        Args:
            output: A forward pass of the model; everything read from it is detached.
            ids: int64 (B,) stable window ids: they decide which heads see a window.

        Raises:
            ValueError: If the model has no latent target.
        """
        if output.foreseen is None:
            raise ValueError("this model predicts no latents (latent=False): it can have no heads")
        features, wanted = output.features.float(), output.wanted.float()
        error = (self.predictions(features) - wanted).square().mean(dim=(2, 3))
        seen = self._seen(ids.to(error.device))
        fit = (error * seen).sum() / seen.sum().clamp(min=1)
        expected = self.log_variance(features)
        own = (output.foreseen.float() - wanted).square().mean(dim=2)
        return fit + 0.5 * (own * (-expected).exp() + expected).mean()

    def _seen(self, ids: Tensor) -> Tensor:
        """(H, B) which windows a head learns from: half of them, always the same ones."""
        head = torch.arange(1, len(self.weight) + 1, device=ids.device)[:, None]
        mixed = ids[None] * 0x2545F4914F6CDD1D + head * 0x1B873593CC9E2D51  # wraps around
        mixed = (mixed ^ (mixed >> 29)) * 0x369DEA0F31A53F85
        return (mixed >> 40) & 1


def fit_heads(
    jepa: JEPA,
    batches: Iterable[Batch],
    *,
    count: int = 4,
    mask_ratio: float = 0.4,
    lr: float = 1e-2,
    seed: int = 0,
) -> Heads:
    """Train heads on a finished model, one AdamW step for each batch, under span masks.

    Args:
        jepa: The model, left as it is.
        batches: Batches that carry the ids of their windows; a few hundred are enough.
        count: Linear heads.
        mask_ratio: Share of the tokens that is hidden.
        lr: Learning rate.
        seed: Seeds heads and masks.
    """
    heads = Heads(jepa, count, seed)
    optimizer = torch.optim.AdamW(heads.parameters(), lr=lr, weight_decay=0.0)
    generator = torch.Generator().manual_seed(seed)
    for batch in batches:
        mask = MASKS["span"](len(batch.values), jepa.grid, mask_ratio, generator).to(jepa.device)
        on = batch.to(jepa.device)
        with torch.no_grad():
            output = jepa(on.values, on.observed, mask, context=on.context)
        optimizer.zero_grad(set_to_none=True)
        heads.loss(output, torch.as_tensor(batch.draw)).backward()
        optimizer.step()
    return heads
