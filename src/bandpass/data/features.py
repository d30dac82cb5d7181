"""Cheap numbers about windows: no model, no labels, a few passes over values in cache."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NARROWEST, WIDEST = 32, 256
"""Columns that features are projected to, if there are more: what `ROOM` allows, between these."""

ROOM = 1 << 29
"""Bytes that the features of all windows should not exceed."""

CLIP = 10.0
"""Raw features are cut to so many robust deviations, so that one channel cannot be all of it."""

THIN = 32
"""Sampled windows from which an entity has a scale of its own."""

MIXES = 48
"""Correlations are between channels, or between so many fixed mixes if there are more channels."""


@dataclass(frozen=True)
class Glance:
    """What one look at some windows gives.

    Attributes:
        raw: (B, R) float32; what is in it is said at `glance`.
        weight: (R,) float32; gives each group of columns the same part in a distance.
        marks: Named (B,) float32 each: ``max_abs_z``, ``motion``, ``missing`` (share of values),
            ``change`` (largest change of level between halves over the spread inside them),
            ``step`` (how far a channel, constant but for a few steps, has come at the end).
    """

    raw: Tensor
    weight: Tensor
    marks: dict[str, Tensor]


def glance(values: Tensor, observed: Tensor) -> Glance:
    """Describe windows by level, spread, roughness, slope and change, and by correlations.

    Per channel: mean, log of the standard deviation, log of the root mean square step, slope, and
    change of the mean between halves. Pooled over channels: means and extremes of these, range,
    largest step, and the shares of missing and of repeated values. Then the correlation of every
    two channels.

    Args:
        values: (B, T, C) float32, 0 where missing.
        observed: (B, T, C) bool.
    """
    length = values.shape[1]
    half = max(length // 2, 1)
    count = observed.sum(1).clamp(min=1)
    mean = values.sum(1) / count
    centred = torch.where(observed, values - mean[:, None], 0.0)
    spread = (centred.square().sum(1) / count).sqrt()
    steps = centred.diff(dim=1) if length > 1 else torch.zeros_like(centred)
    rough = steps.square().mean(1).sqrt()
    time = torch.linspace(-1, 1, length)
    slope = torch.einsum("btc,t->bc", centred, time) * (2 / length)
    first, last = centred[:, :half], centred[:, -half:]
    change = last.mean(1) - first.mean(1)
    bend = last.std(1, correction=0) - first.std(1, correction=0)
    low, high = centred.amin(1), centred.amax(1)
    jump = steps.abs().amax(1)
    missing = 1 - count / length
    both = observed[:, 1:] & observed[:, :-1]
    still = ((steps == 0) & both).sum(1) / both.sum(1).clamp(min=1)
    within = (last.var(1, correction=0) + first.var(1, correction=0)).div(2).sqrt()
    held = (still > 0.9) & (missing < 0.1)
    logs = [(x + 0.05).log() for x in (spread, rough)]
    fine = [(x + 0.01).log() for x in (spread, rough, high - low, jump)]  # for quiet windows
    pooled = [mean.mean(1), mean.std(1, correction=0), mean.abs().amax(1)]
    pooled += [fine[0].mean(1), fine[1].mean(1), fine[1].amin(1)] + [x.amax(1) for x in fine]
    pooled += [slope.abs().mean(1), slope.abs().amax(1), change.abs().amax(1), bend.abs().amax(1)]
    pooled += [missing.mean(1), still.mean(1)]
    related = _correlations(centred)
    if related.shape[1]:
        pooled += [related.abs().mean(1), related.mean(1)]
    per_channel = torch.cat([mean, *logs, slope, change], 1)
    groups = [per_channel, torch.stack(pooled, 1), related]
    marks = {
        "max_abs_z": values.abs().amax((1, 2)),
        "motion": steps.abs().mean((1, 2)),
        "missing": missing.mean(1),
        "change": (change.abs() / (within + 0.1)).amax(1),
        "step": torch.where(held, (centred[:, -1] - centred[:, 0]).abs(), 0.0).amax(1),
    }
    weights = [torch.full((g.shape[1],), max(g.shape[1], 1) ** -0.5) for g in groups]
    return Glance(torch.cat(groups, 1), torch.cat(weights), marks)


def _correlations(centred: Tensor) -> Tensor:
    """(B, pairs) correlations between channels, towards 0 where a channel hardly moves."""
    channels = centred.shape[-1]
    if channels > MIXES:
        signs = torch.randint(2, (channels, MIXES), generator=torch.Generator().manual_seed(0))
        centred = centred @ (2.0 * signs - 1) / channels**0.5
    unit = centred / (centred.square().sum(1, keepdim=True).sqrt() + 1e-3)
    both = unit.transpose(1, 2) @ unit
    upper = torch.triu_indices(both.shape[1], both.shape[1], 1)
    return both[:, upper[0], upper[1]]


class Projection:
    """Robust standardisation of raw features and, where they are many, a fixed random projection.

    Standardised twice, among all windows and among those of the same entity, side by side: a rare
    entity is unusual among all, and an event among the windows of its entity. A random projection
    keeps distances (Johnson and Lindenstrauss 1984), those along directions in which only a few
    windows differ too, which principal components would drop.

    Args:
        sample: Of windows drawn uniformly. Each raw column is centred by its median there and
            scaled by its interquartile range over 1.35, or by its standard deviation where half of
            them agree.
        entity: (m,) int64 of the sample. One with fewer than ``THIN`` windows in it is
            standardised among all only.
        entities: How many there are.
        count: Windows there are.

    Attributes:
        width: Columns of a feature: at n windows, as many as fit in ``ROOM``, never under
            ``NARROWEST`` or over ``WIDEST``, nor more than there are raw, two times.
    """

    def __init__(self, sample: Glance, entity: np.ndarray, entities: int, count: int) -> None:
        raw = sample.raw.numpy()
        centre, scale = _robust(raw)
        self._centre = np.repeat(centre[None], entities + 1, 0)  # the last row is of all
        self._scale = np.repeat(scale[None], entities + 1, 0)
        for one in np.flatnonzero(np.bincount(entity, minlength=entities) >= THIN):
            self._centre[one], self._scale[one] = _robust(raw[entity == one])
        size = 2 * raw.shape[1]
        self.width = min(max(ROOM // (2 * count), NARROWEST), WIDEST, size)
        draws = np.random.default_rng(size).standard_normal((size, self.width))
        turned = np.linalg.qr(draws)[0] * (size / self.width) ** 0.5  # distances on average kept
        weight = np.tile(sample.weight.numpy(), 2)[:, None]
        self._matrix = (weight * turned).astype(np.float32)

    def __call__(self, raw: Tensor, entity: np.ndarray) -> np.ndarray:
        """(B, R) raw features of entities (B,) to (B, width) float16."""
        both = [
            np.clip((raw.numpy() - self._centre[which]) / self._scale[which], -CLIP, CLIP)
            for which in (np.full(1, -1), entity)
        ]
        return (np.concatenate(both, 1) @ self._matrix).astype(np.float16)


def _robust(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, centre, high = np.quantile(raw, (0.25, 0.5, 0.75), axis=0).astype(np.float32)
    scale = np.where(high - low > 1e-4 * raw.std(0), (high - low) / 1.35, raw.std(0))
    return centre, np.maximum(scale, 1e-3)
