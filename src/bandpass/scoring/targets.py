"""How much the surprise ranking of windows depends on what the predictor is asked for."""

import numpy as np
import torch
from torch import Generator

from bandpass.data import Corpus, DataError
from bandpass.evaluation import Estimate, block_groups, fit_ridge
from bandpass.evaluation.agreement import agreement_table
from bandpass.models import JEPA, MASKS, TARGETS, EMATeacher, Mask, TextJEPA
from bandpass.models.encoder import take
from bandpass.scoring.frozen import batches

_BLOCK = 8  # window lengths in one block: neighbours overlap


def target_agreement(
    jepa: JEPA, windows: Corpus, ids: np.ndarray, *, mask_ratio: float = 0.4, seed: int = 0
) -> dict[tuple[str, str], dict[str, Estimate]]:
    """Compare the surprise of the same windows under each pair of targets, see `agreement`.

    Args:
        jepa: A trained model; whatever its own target is, all are asked.
        windows: The windows.
        ids: (n,) ids of windows, a few thousand; in blocks of 8 window lengths they are dealt to
            the two halves and resampled.
        mask_ratio: Share of the tokens that is hidden, by one span shared by all windows.
        seed: Draws the mask and the resamples.
    """
    series, starts = windows.locate(ids)
    groups = block_groups(series, starts, _BLOCK * windows.length)
    scores = target_surprise(jepa, windows, ids, groups, mask_ratio=mask_ratio, seed=seed)
    return agreement_table(scores, groups, seed=seed)


def target_surprise(
    jepa: JEPA,
    windows: Corpus,
    ids: np.ndarray,
    groups: np.ndarray,
    *,
    mask_ratio: float = 0.4,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Score windows by how badly each target can be read from what the predictor foresees.

    A ridge readout from the predictor's features of the hidden tokens to the target's vectors is
    fitted on each half of the groups and judged on the other, so that no target has the advantage
    of having been trained for. The score is the log of the mean squared error in units of each
    dimension's variance. Targets are built on the model's teacher, if it has one, else on its
    encoder.

    Args:
        jepa: A trained model.
        windows: The windows.
        ids: (n,) ids of windows.
        groups: (n,) groups that lie in one half as wholes, at least two.
        mask_ratio: Share of the tokens that is hidden.
        seed: Draws the mask.

    Returns:
        (n,) float64 scores by the name of the target.
    """
    if isinstance(jepa, TextJEPA):
        raise DataError("a model of answers foresees no tokens: take one of another model.target")
    half = np.unique(groups, return_inverse=True)[1].reshape(-1) % 2
    if not half.any():
        raise ValueError("all windows are of one group: two halves need at least two")
    features, targets = _hidden_tokens(jepa, windows, ids, mask_ratio, seed)
    return {name: _residual(features, found, half) for name, found in targets.items()}


SCALED = ("ema-raw", "ema-standard")
"""Targets that are the tokens of ``ema`` on another scale: the same to a linear readout."""


@torch.no_grad()
def _hidden_tokens(
    jepa: JEPA, windows: Corpus, ids: np.ndarray, mask_ratio: float, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(n, N, width) features of the hidden tokens, and (n, N, D) of each target."""
    one = MASKS["span"](1, jepa.grid, mask_ratio, Generator().manual_seed(seed))
    teacher = jepa.target.encoder if isinstance(jepa.target, EMATeacher) else jepa.encoder
    built = {
        name: build(teacher).to(jepa.device)
        for name, build in TARGETS.items()
        if name not in SCALED
    }

    found: dict[str, list[np.ndarray]] = {name: [] for name in built}
    features: list[np.ndarray] = []
    for batch in batches(windows, ids):
        values, observed = batch.values.to(jepa.device), batch.observed.to(jepa.device)
        shape = (len(values), -1)
        mask = Mask(one.context.expand(shape), one.target.expand(shape)).to(jepa.device)
        features.append(jepa.foresee(values, observed, mask).cpu().numpy())
        for name, target in built.items():
            tokens = target.normalise(target(teacher, values, observed))
            found[name].append(take(tokens, mask.target).cpu().numpy())
    return np.concatenate(features), {n: np.concatenate(parts) for n, parts in found.items()}


def _residual(features: np.ndarray, target: np.ndarray, half: np.ndarray) -> np.ndarray:
    score = np.empty(len(features))
    for fold in (0, 1):
        fit, rest = half != fold, half == fold
        rows, wanted = _rows(features[fit]), _rows(target[fit])
        readout = fit_ridge(rows, wanted)
        error = readout.predict(_rows(features[rest])) - _rows(target[rest])
        variance = wanted.var(axis=0)
        scaled = error**2 / np.maximum(variance, 1e-4 * variance.mean())
        score[rest] = np.log(scaled.reshape(int(rest.sum()), -1).mean(axis=1))
    return score


def _rows(tokens: np.ndarray) -> np.ndarray:
    return tokens.reshape(-1, tokens.shape[-1]).astype(np.float64)
