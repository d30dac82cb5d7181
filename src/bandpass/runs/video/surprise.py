"""Scores of frames that no label has a part in: latent surprise, distance, motion."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator

from bandpass.data import Batch, DataError
from bandpass.evaluation import frame_scores
from bandpass.models import JEPA, MASKS, TextJEPA
from bandpass.models.masking import NEXT
from bandpass.runs.video.sample import Sample, motion_of
from bandpass.scoring.frozen import batches

HIDDEN = (("future", 0.25), ("future", 0.5))
"""Masks that hide the end of a clip, and how much; what is said of a frame is averaged."""

FOLLOWING = ((NEXT, 1.0),)
"""The mask that a model of the next latent state is trained by; it hides no share."""

USUAL = 1000
"""Clips to fit on that the usual error at each position is taken from."""

NEIGHBOURS = 5

Ways = tuple[tuple[str, float], ...]


def foresees(jepa: JEPA) -> bool:
    """Whether a model predicts latents of hidden frames; not raw patches, not text."""
    return jepa.settings.latent and not isinstance(jepa, TextJEPA)


def surprise(jepa: JEPA, fit: Sample, test: Sample, masks: Sequence[str]) -> np.ndarray:
    """(m, length) latent prediction error at every position of clips, in units of its usual value.

    The end of each clip is hidden and foreseen from its beginning; a model that was trained by the
    mask "next" foresees each time step from those before it. What lies further ahead is harder
    everywhere, so errors are divided by their mean on clips of the training side at the same
    position. NaN where nothing is ever hidden, and at missing frames.

    Args:
        jepa: Foresees latents.
        fit: Clips of the training side.
        test: The m clips.
        masks: That the model was trained by.

    Raises:
        DataError: If a clip is one time step only.
    """
    if jepa.grid[0] < 2:
        raise DataError(
            f"clips of {test.clips.length} frames are one time step of the model: "
            "none is left to foresee it from; train with a longer windows.length or a "
            "smaller encoder.patch"
        )
    ways = FOLLOWING if NEXT in masks else HIDDEN
    some = fit.ids[:: -(-len(fit.ids) // USUAL)]
    usual = [_mean(each) for each in _errors(jepa, fit, some, ways)]
    found = _errors(jepa, test, test.ids, ways)
    own = [each / mean for each, mean in zip(found, usual, strict=True)]
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


def _errors(jepa: JEPA, sample: Sample, ids: np.ndarray, ways: Ways) -> list[np.ndarray]:
    """For each way to hide, (n, length) errors, NaN where nothing is hidden."""
    found: list[list[np.ndarray]] = [[] for _ in ways]
    for batch in batches(sample.clips, ids):
        for parts, (mask, share) in zip(found, ways, strict=True):
            parts.append(_foresee(jepa, batch, mask, share))
    return [np.concatenate(parts) for parts in found]


@torch.no_grad()
def _foresee(jepa: JEPA, batch: Batch, name: str, share: float) -> np.ndarray:
    seen = batch.to(jepa.device)
    share = max(share, 1 / jepa.grid[0])  # one time step at least
    mask = MASKS[name](len(seen.values), jepa.grid, share, Generator()).to(jepa.device)
    errors = jepa(seen.values, seen.observed, mask).errors
    assert errors is not None  # the caller asks `foresees`
    steps, patch = jepa.grid[0], batch.values.shape[1] // jepa.grid[0]
    # Either mask asks for all places of its last time steps, in order.
    hidden = mask.target.shape[1] // (jepa.tokens // steps)
    each = errors.float().unflatten(1, (hidden, -1)).mean(dim=2)
    whole = torch.full(batch.values.shape[:2], torch.nan)
    whole[:, -hidden * patch :] = each.repeat_interleave(patch, dim=1).cpu()
    return torch.where(batch.observed.any(dim=2), whole, torch.nan).numpy()
