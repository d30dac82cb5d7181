"""What can be had without a model: statistics of windows, persistence, and plain anomaly scores."""

from collections.abc import Iterator

import numpy as np

from bandpass.bench.asked import Asked, Side
from bandpass.bench.measures import FEWEST, Measure, of_embeddings, of_score, readouts
from bandpass.evaluation import BASELINES, r2, raw_features
from bandpass.scoring import frozen


def measure_by_hand(asked: Asked, past: int, seed: int) -> list[Measure]:
    """Ask hand-made features everything that a model is asked.

    In place of embeddings stand six statistics a channel (`raw_features`), of what `Corpus.sketch`
    shows: the windows, or the signals of clips. What a predictor foresees is persistence: the last
    values. Surprise is each of `BASELINES`, under its own name, fitted where probes are.

    Args:
        asked: The windows.
        past: Rows of a window before the part that has to be foreseen.
        seed: Of the labels that few-shot probes get, and of the isolation forest.

    Returns:
        Measures as of a model; what the windows do not determine is left out.
    """
    fit, test = asked.fit, asked.test
    shown = _rows(test)
    known = shown if fit is test else _rows(fit)
    whole = raw_features(*known), raw_features(*shown)
    found = list(of_embeddings(asked, whole, seed))
    found += readouts(test, "next-state readout", raw_features(*(e[:, :past] for e in shown)))
    found += _persistence(test)
    for name, baseline in BASELINES.items():
        score = np.full(len(test.ids), np.nan)
        for inside, scored in asked.folds:
            score[scored] = baseline(known[0][inside], shown[0][scored], seed=seed)
        found += of_score(test, score, f", {name}")
    return [each for each in found if np.isfinite(each[2])]


def _rows(side: Side) -> tuple[np.ndarray, np.ndarray]:
    """(n, rows, channels) values, 0 where missing, and which were observed."""
    parts = [
        side.windows.sketch(side.ids[first : first + frozen.BATCH])
        for first in range(0, len(side.ids), frozen.BATCH)
    ]
    values, observed = (
        [getattr(part, of).numpy() for part in parts] for of in ("values", "observed")
    )
    return np.concatenate(values), np.concatenate(observed)


def _persistence(test: Side) -> Iterator[Measure]:
    """Foretell that the last values stay, in every slice that is read out."""
    for name, inside in test.slices.items():
        if inside.sum() >= 2 * FEWEST:
            value = r2(test.last[inside], test.future[inside], seed=0, resamples=2)[0].value
            yield f"future readout, {name}", "r2", value
