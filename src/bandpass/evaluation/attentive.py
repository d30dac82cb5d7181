"""The attentive probe: one learned query attends over frozen tokens, then a linear layer."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows

STEPS, BATCH = 300, 64
RATE, WEIGHT_DECAY = 3e-3, 0.1
HEADS = 4


def attentive(fit_tokens: Floats, fit_labels: Integers, tokens: Floats, *, seed: int) -> Doubles:
    """Fit the probe on tokens of labelled clips and return class probabilities.

    A learned query attends over the tokens of a clip, and a linear layer reads what it gathers
    (V-JEPA, arXiv 2404.08471, section 4; there with a residual MLP, which hundreds of labelled
    clips cannot pay for). Tokens are standardised by those of the fit clips. ``STEPS`` steps of
    AdamW at fixed rate and weight decay; nothing is searched or stopped early.

    Args:
        fit_tokens: Frozen tokens of the labelled clips, (n, tokens, dim).
        fit_labels: Their classes, (n,).
        tokens: Tokens of the clips to score, (m, tokens, dim).
        seed: Of initialisation and batches.

    Returns:
        Probabilities (m, k), columns as ``numpy.unique(fit_labels)``.

    Raises:
        ValueError: On shapes that do not match, or tokens that are not finite.
    """
    if fit_tokens.ndim != 3 or tokens.ndim != 3 or fit_tokens.shape[1:] != tokens.shape[1:]:
        raise ValueError(
            f"tokens must be (n, tokens, dim) and alike, got {fit_tokens.shape}, {tokens.shape}"
        )
    check_rows(len(fit_tokens), fit_labels=fit_labels)
    if not len(fit_labels):
        raise ValueError("there are no labelled clips to fit on")
    classes, codes = np.unique(fit_labels, return_inverse=True)
    if len(classes) < 2:
        return np.ones((len(tokens), 1))
    mean, scale = _moments(fit_tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = _Probe(fit_tokens.shape[2], len(classes))
    _fit(probe, fit_tokens, torch.from_numpy(codes.reshape(-1)), (mean, scale), seed)
    with torch.no_grad():
        parts = [
            probe(_standard(tokens[first : first + 256], mean, scale)).softmax(dim=1).numpy()
            for first in range(0, len(tokens), 256)
        ]
    return np.concatenate([np.empty((0, len(classes))), *parts]).astype(np.float64)


class _Probe(nn.Module):
    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        heads = HEADS if dim % HEADS == 0 else 1
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.head = nn.Linear(dim, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self.query.expand(len(tokens), -1, -1)
        gathered, _ = self.attention(query, tokens, tokens, need_weights=False)
        return self.head(gathered[:, 0])


def _fit(
    probe: _Probe,
    tokens: Floats,
    codes: Tensor,
    moments: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(probe.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        rows = torch.randint(0, len(codes), (min(BATCH, len(codes)),), generator=generator)
        loss = F.cross_entropy(probe(_standard(tokens[rows.numpy()], *moments)), codes[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _moments(tokens: Floats) -> tuple[np.ndarray, np.ndarray]:
    if not np.isfinite(tokens).all():
        raise ValueError("tokens hold NaN or infinity; find out where the encoder diverged")
    mean = tokens.mean(axis=(0, 1), dtype=np.float64)
    scale = tokens.std(axis=(0, 1), dtype=np.float64)
    return mean, np.where(scale > 1e-10 * np.abs(mean), scale, np.inf)


def _standard(tokens: Floats, mean: np.ndarray, scale: np.ndarray) -> Tensor:
    return torch.from_numpy(((tokens - mean) / scale).astype(np.float32))
