"""The band over scores that are known before training: settled probabilities for `Fixed`."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bandpass.curriculum.band import SurpriseBand
from bandpass.curriculum.settings import BandSettings


def static_probabilities(
    scores: ArrayLike,
    settings: BandSettings,
    *,
    buckets: ArrayLike | None = None,
    held: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Probabilities that the band would have once it had scored every window.

    Args:
        scores: (n,) real log-scores. NaN: not scored.
        settings: Of the band; warm-up, cool-down, coverage and mode have no part in it.
        buckets: int (n,) from 0; surprise is ranked within a bucket.
        held: int, ids to leave at the floor: faults that are known, say.

    Returns:
        float64 (n,).
    """
    given = np.asarray(scores, np.float64)
    at_once = replace(
        settings, warm_up=0.0, cool_down=0.0, coverage="table", mode="live", refresh=1
    )
    band = SurpriseBand(len(given), 1, steps=1, buckets=buckets, settings=at_once)
    for _ in range(2):  # what is extreme shows once the rest is known
        band.record(np.arange(len(given)), torch.from_numpy(given))
    if held is not None:
        band.hold(held)
    return band.probabilities()
