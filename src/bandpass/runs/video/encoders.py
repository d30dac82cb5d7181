"""Encoders that probes are asked of, and the features made by hand that stand beside them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bandpass.data import Batch
from bandpass.evaluation import videos
from bandpass.models import JEPA
from bandpass.runs.video.sample import Sample
from bandpass.scoring.frozen import BATCH, POOLINGS

PLACES = (2, 3)
"""Cells that "where" is kept in: finer ones are more numbers than there are labels."""

FINEST = (12, 16)
"""Cells of the finest grid of features made by hand; smaller frames have theirs."""

Features = dict[str, Tensor]
"""(B, d) by pooling, on the CPU."""

Encode = Callable[[Batch], Features]


@dataclass(frozen=True)
class View:
    """The clips as one encoder and pooling see them.

    Attributes:
        encoder: How the encoder is called in the tables.
        pooling: How it became one vector.
        fit: (n, d) of the clips to fit on.
        test: (m, d) of the clips to score on.
    """

    encoder: str
    pooling: str
    fit: np.ndarray
    test: np.ndarray


def frozen(jepa: JEPA) -> Encode:
    """Tokens of the encoder of a JEPA, pooled over the clip, and over time cell by cell."""
    steps, *places = jepa.grid
    cells = min(places[0], PLACES[0]), min(places[1], PLACES[1])

    def encode(batch: Batch) -> Features:
        seen = batch.to(jepa.device)
        tokens = jepa.embed(seen.values, seen.observed).float().cpu()
        on_grid = tokens.unflatten(1, (steps, *places)).movedim(-1, 2)  # (B, time, dim, y, x)
        mean, square = (
            F.adaptive_avg_pool2d(each.mean(dim=1), cells) for each in (on_grid, on_grid.square())
        )
        spread = (square - mean.square()).clamp(min=0).sqrt()
        return {
            videos.SPREAD: POOLINGS[videos.SPREAD](tokens),
            videos.PLACE: torch.cat([mean, spread], dim=1).flatten(1),
        }

    return encode


def motion_energy(batch: Batch) -> Features:
    """Mean absolute frame difference: its mean, deviation and maximum, and all of it in order."""
    steps = _steps(batch).mean(dim=2)
    summary = [steps.mean(dim=1), steps.std(dim=1, correction=0), steps.amax(dim=1)]
    return {videos.SUMMARY: torch.cat([torch.stack(summary, dim=1), steps], dim=1)}


def mean_frame(shape: tuple[int, int, int]) -> Encode:
    """The mean of the frames, on the finest grid."""

    def encode(batch: Batch) -> Features:
        mean = _over_time(batch.values, batch.observed)
        return {videos.PIXELS: _cells(mean, shape, _finest(shape))}

    return encode


def grid(shape: tuple[int, int, int], tubelets: tuple[int, int]) -> Encode:
    """Mean absolute value and mean absolute frame difference of every cell of a grid.

    Args:
        shape: Of a frame.
        tubelets: Places of the grid of tokens; a finest grid stands beside that.
    """

    def encode(batch: Batch) -> Features:
        level, step = _over_time(batch.values.abs(), batch.observed), _steps(batch).mean(dim=1)
        return {
            name: torch.cat([_cells(level, shape, size), _cells(step, shape, size)], dim=1)
            for name, size in ((videos.TUBELETS, tubelets), (videos.PIXELS, _finest(shape)))
        }

    return encode


def embed(encode: Encode, sample: Sample, ids: np.ndarray, *, backwards: bool = False) -> Features:
    """Encode clips by id, (n, d) by pooling; ``backwards`` shows them from last frame to first."""
    parts: list[Features] = []
    with torch.no_grad():
        for first in range(0, max(len(ids), 1), BATCH):
            batch = sample.clips[ids[first : first + BATCH]]
            if backwards:
                batch = Batch(batch.values.flip(1), batch.observed.flip(1), batch.draw)
            parts.append(encode(batch))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _over_time(values: Tensor, observed: Tensor) -> Tensor:
    """(B, T, C) to (B, C) means of the frames that are there."""
    return (values * observed).sum(dim=1) / observed.sum(dim=1).clamp(min=1)


def _steps(batch: Batch) -> Tensor:
    """(B, T - 1, C) absolute frame differences, 0 where one of the two is missing."""
    both = batch.observed[:, 1:] & batch.observed[:, :-1]
    return batch.values.diff(dim=1).abs() * both


def _finest(shape: tuple[int, int, int]) -> tuple[int, int]:
    return min(shape[0], FINEST[0]), min(shape[1], FINEST[1])


def _cells(frame: Tensor, shape: tuple[int, int, int], size: tuple[int, int]) -> Tensor:
    """(B, C) frames to (B, cells) means over colours and cells."""
    height, width, colours = shape
    grey = frame.reshape(len(frame), height, width, colours).mean(dim=3)
    return F.adaptive_avg_pool2d(grey[:, None], size).flatten(1)
