"""A frozen encoder over a corpus: pooled embeddings, and what the predictor foresees."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Generator, Tensor

from bandpass.data import Batch, Corpus
from bandpass.data.mixed import apart
from bandpass.data.schedule.store import MODALITY
from bandpass.evaluation import raw_features
from bandpass.models import JEPA, MASKS, Mask

FUTURE = 0.25
"""Share of a window, at its end, that the predictor has to foresee."""

BATCH = 256

POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda tokens: tokens.mean(dim=1),
    "mean+std": lambda tokens: torch.cat([tokens.mean(dim=1), tokens.std(dim=1)], dim=1),
    "mean+std+max": lambda tokens: torch.cat(
        [tokens.mean(dim=1), tokens.std(dim=1), tokens.amax(dim=1)], dim=1
    ),
}


def default_pooling(modality: str) -> str:
    """Return the pooling of a modality.

    A day has few events among many empty slots, which a mean alone drowns.
    """
    return "mean+std+max" if modality == MODALITY else "mean+std"


def batches(windows: Corpus, ids: np.ndarray, most: int = BATCH) -> Iterator[Batch]:
    """Gather windows in the order of ``ids``, at most so many at a time, and of one part."""
    for some in apart(windows, ids):
        for start in range(0, len(some), most):
            yield windows[some[start : start + most]]


def embed_windows(
    jepa: JEPA, windows: Corpus, ids: np.ndarray, pooling: str = "mean+std"
) -> np.ndarray:
    """Embed the windows ``ids`` of a corpus as pooled tokens, (n, dim a part) float32."""
    return _pooled(jepa, windows, ids, pooling, past_only=False)


def embed_past(jepa: JEPA, windows: Corpus, ids: np.ndarray) -> np.ndarray:
    """Embed the windows ``ids`` without their last ``FUTURE``, mean+std pooled, (n, 2 dim)."""
    return _pooled(jepa, windows, ids, "mean+std", past_only=True)


@torch.no_grad()
def foresee_windows(jepa: JEPA, windows: Corpus, ids: np.ndarray) -> np.ndarray:
    """Return the predictor's mean output over the hidden future, (n, predictor dim) float32."""
    device = jepa.device
    found = []
    for batch in batches(windows, ids):
        mask = _future_mask(jepa, len(batch.values)).to(device)
        batch = batch.to(device)
        hidden = jepa.foresee(batch.values, batch.observed, mask, batch.context)
        found.append(hidden.float().mean(dim=1).cpu().numpy())
    return np.concatenate(found)


@torch.no_grad()
def _pooled(
    jepa: JEPA, windows: Corpus, ids: np.ndarray, pooling: str, *, past_only: bool
) -> np.ndarray:
    device = jepa.device
    found = []
    for batch in batches(windows, ids):
        keep = _future_mask(jepa, len(batch.values)).context.to(device) if past_only else None
        tokens = jepa.embed(batch.values.to(device), batch.observed.to(device), keep)
        found.append(POOLINGS[pooling](tokens.float()).cpu().numpy())
    return np.concatenate(found)


def past_rows(time: int, patch: int) -> int:
    """Rows of a window of ``time`` rows that the future mask leaves visible."""
    mask: Mask = MASKS["future"](1, (time // patch,), FUTURE, Generator())
    return patch * mask.context.shape[1]


def _future_mask(jepa: JEPA, batch: int) -> Mask:
    return MASKS["future"](batch, jepa.grid, FUTURE, Generator())


def raw_windows(windows: Corpus, ids: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
    """Return the raw-feature control of the windows ``ids``, or of some rows of each."""
    parts = [
        raw_features(b.values[:, rows].numpy(), b.observed[:, rows].numpy())
        for b in batches(windows, ids)
    ]
    return np.concatenate(parts)


def mean_rows(values: Tensor, observed: Tensor) -> np.ndarray:
    """Average (batch, time, channels) over time where observed; NaN where nothing was."""
    total = torch.where(observed, values, 0).sum(dim=1)
    count = observed.sum(dim=1)
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan).numpy()


def last_rows(values: Tensor, observed: Tensor) -> np.ndarray:
    """Return the last observed row of every channel, (batch, channels); NaN where none was."""
    steps = torch.arange(1, values.shape[1] + 1)[None, :, None] * observed
    latest = steps.max(dim=1).values
    picked = values.gather(1, (latest - 1).clamp(min=0)[:, None])[:, 0]
    return torch.where(latest > 0, picked, torch.nan).numpy()
