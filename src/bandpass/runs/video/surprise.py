"""Scores of frames that no label has a part in: latent surprise, distance, motion."""

import numpy as np
import torch
from torch import Generator

from bandpass.data import Batch
from bandpass.evaluation import frame_scores
from bandpass.models import JEPA, MASKS, TextJEPA
from bandpass.runs.video.sample import Sample, motion_of
from bandpass.scoring.frozen import batches

HIDDEN = (0.25, 0.5)
"""Shares of a clip, at its end, that have to be foreseen; what is said of a frame is averaged."""

USUAL = 1000
"""Clips to fit on that the usual error at each position is taken from."""

NEIGHBOURS = 5


def foresees(jepa: JEPA) -> bool:
    """Whether a model predicts latents of hidden frames; not raw patches, not text."""
    return jepa.settings.latent and not isinstance(jepa, TextJEPA)


def surprise(jepa: JEPA, fit: Sample, test: Sample) -> np.ndarray:
    """(m, length) latent prediction error at every position of clips, in units of its usual value.

    The end of each clip is hidden and foreseen from its beginning. What lies further ahead is
    harder everywhere, so errors are divided by their mean on clips of the training side at the
    same position. NaN where nothing is ever hidden, and at missing frames.
    """
    some = fit.ids[:: -(-len(fit.ids) // USUAL)]
    usual = [_mean(each) for each in _errors(jepa, fit, some)]
    own = [each / mean for each, mean in zip(_errors(jepa, test, test.ids), usual, strict=True)]
    return _mean(np.stack(own))


def by_row(sample: Sample, scores: np.ndarray) -> np.ndarray:
    """(rows of the store,) mean of what the clips that cover a frame say of it; NaN elsewhere."""
    return frame_scores(scores, sample.rows, sample.store.rows)


def motion_by_row(sample: Sample) -> np.ndarray:
    """(rows of the store,) mean absolute difference of a frame to the one before, in levels."""
    motion = motion_of(sample.clips, sample.rows)
    first = np.full((len(motion), 1), np.nan)  # the frame before is in no clip
    return by_row(sample, np.concatenate([first, motion], axis=1))


def distance(fit: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(m,) mean distance of (m, d) embeddings to the nearest of (n, d), standardised by those."""
    scale = fit.std(axis=0)
    scale = np.where(scale > 1e-6 * np.abs(fit).max(), scale, np.inf)
    one, other = fit / scale, test / scale
    square = (other**2).sum(axis=1)[:, None] - 2 * other @ one.T + (one**2).sum(axis=1)
    nearest = np.partition(square, min(NEIGHBOURS, len(one) - 1), axis=1)[:, :NEIGHBOURS]
    return np.sqrt(np.maximum(nearest, 0)).mean(axis=1)


def _mean(scores: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(scores)
    count = known.sum(axis=0)
    return np.where(count, np.where(known, scores, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _errors(jepa: JEPA, sample: Sample, ids: np.ndarray) -> list[np.ndarray]:
    """For each share of ``HIDDEN``, (n, length) errors, NaN where nothing is hidden."""
    found: list[list[np.ndarray]] = [[] for _ in HIDDEN]
    for batch in batches(sample.clips, ids):
        for parts, share in zip(found, HIDDEN, strict=True):
            parts.append(_foresee(jepa, batch, share))
    return [np.concatenate(parts) for parts in found]


@torch.no_grad()
def _foresee(jepa: JEPA, batch: Batch, share: float) -> np.ndarray:
    seen = batch.to(jepa.device)
    mask = MASKS["future"](len(seen.values), jepa.grid, share, Generator()).to(jepa.device)
    errors = jepa(seen.values, seen.observed, mask).errors
    assert errors is not None  # the caller asks `foresees`
    steps, patch = jepa.grid[0], batch.values.shape[1] // jepa.grid[0]
    # A future mask hides all places of its last time steps, in order.
    hidden = mask.target.shape[1] // (jepa.tokens // steps)
    each = errors.float().unflatten(1, (hidden, -1)).mean(dim=2)
    whole = torch.full(batch.values.shape[:2], torch.nan)
    whole[:, -hidden * patch :] = each.repeat_interleave(patch, dim=1).cpu()
    return torch.where(batch.observed.any(dim=2), whole, torch.nan).numpy()
