"""What a cell is measured by: frozen probes, readouts, surprise and the health of embeddings."""

from collections.abc import Iterator

import numpy as np

from bandpass.bench.asked import UNKNOWN, Asked, Side
from bandpass.bench.row_scores import stream_anomalies
from bandpass.evaluation import (
    calibration_errors,
    confusion_matrix,
    coverage,
    discriminant,
    few_shot_ridge,
    fit_ridge,
    logistic,
    macro_f1,
    positive_pairs,
    r2,
    rankme,
    rare_slice,
    regime_geometry,
)
from bandpass.models import JEPA
from bandpass.scoring import frozen
from bandpass.scoring.collect import ScoringSettings, collect

Measure = tuple[str, str, float]
"""Task, metric, value."""

SHOTS, DRAWS = 6, 20
EFFICIENCY = (2, 20)
"""Labels a class, beside ``SHOTS``, that few-shot probes get."""

FEWEST = 8
"""Windows that a slice must have to be read out."""


def measure(jepa: JEPA, asked: Asked, seed: int, settings: ScoringSettings) -> list[Measure]:
    """Ask a frozen model everything.

    Args:
        jepa: The model, in evaluation mode.
        asked: The windows.
        seed: Of the labels that few-shot probes get; the same for all arms of a pair.
        settings: Masks under which surprise is taken.

    Returns:
        Measures; what the windows do not determine is left out.
    """
    fit, test = asked.fit, asked.test
    pooling = frozen.default_pooling(test.windows.store.modality)
    scored = frozen.embed_windows(jepa, test.windows, test.ids, pooling)
    fitted = scored if fit is test else frozen.embed_windows(jepa, fit.windows, fit.ids, pooling)
    past = frozen.embed_past(jepa, test.windows, test.ids)
    ahead = frozen.foresee_windows(jepa, test.windows, test.ids)
    found = list(of_embeddings(asked, (fitted, scored), seed))
    found += readouts(asked.test, "next-state readout", past)
    found += readouts(asked.test, "future readout", ahead)
    found += of_score(test, surprise(jepa, test, settings))
    return [each for each in found if np.isfinite(each[2])]


def of_embeddings(
    asked: Asked, vectors: tuple[np.ndarray, np.ndarray], seed: int
) -> Iterator[Measure]:
    """What any vectors of the windows can be asked, those of a control too."""
    yield from _rare(asked, vectors, seed)
    yield from _classes(asked, vectors)
    yield from _signs(asked, vectors)
    yield from _health(asked, vectors)


def _rare(asked: Asked, vectors: tuple[np.ndarray, np.ndarray], seed: int) -> Iterator[Measure]:
    """Few-shot and all-label probes of the rare slice."""
    test = asked.test
    if not test.rare.any():
        return
    shown = np.where(test.clean, test.rare.astype(np.int8), -1)
    for shots in (SHOTS, *EFFICIENCY):
        scores = _few_shot(asked, vectors, shots, seed)
        if scores is None:
            return
        task = "few-shot rare" if shots == SHOTS else f"rare by {shots} labels"
        yield from _ranked(task, shown, scores)
        if shots == SHOTS and test.corrupt.any():
            among = np.where(test.corrupt, 0, shown).astype(np.int8)
            yield from _ranked("few-shot rare, corrupt among others", among, scores)
    chance = _by_folds(asked, vectors, _is_rare(asked.fit), seed)
    if chance is not None:
        yield from _ranked("all-label rare", shown, chance)
        errors = calibration_errors(shown, chance, seed=0)
        yield from (("all-label rare", name, each.value) for name, each in errors.items())


def _few_shot(
    asked: Asked, vectors: tuple[np.ndarray, np.ndarray], shots: int, seed: int
) -> np.ndarray | None:
    """(draws, m) score of the rare slice, told from every other class; None if a fold has none."""
    fit, test = asked.fit, asked.test
    found = np.zeros((DRAWS, len(test.ids)))
    own = fit.classes.max() + 1  # a rare window may be mostly of another class
    classes = np.where(fit.rare, own, fit.classes)
    for inside, scored in asked.folds:
        known = inside & (classes != UNKNOWN)
        labels = classes[known]
        if len(np.unique(labels)) < 2 or own not in labels:
            return None
        scores = few_shot_ridge(
            vectors[0][known], labels, vectors[1][scored], shots=shots, draws=DRAWS, seed=seed
        )
        found[:, scored] = scores[:, :, -1]
    return found


def _is_rare(side: Side) -> np.ndarray:
    return np.where(side.clean, side.rare.astype(np.int64), UNKNOWN)


def _by_folds(
    asked: Asked, vectors: tuple[np.ndarray, np.ndarray], labels: np.ndarray, seed: int
) -> np.ndarray | None:
    """(m,) probability of label 1 of a logistic probe on all labels."""
    found = np.zeros(len(asked.test.ids))
    for inside, scored in asked.folds:
        known = inside & (labels != UNKNOWN)
        if len(np.unique(labels[known])) < 2:
            return None
        chance = logistic(vectors[0][known], labels[known], vectors[1][scored], seed=seed)
        found[scored] = chance[:, 1]
    return found


def _classes(asked: Asked, vectors: tuple[np.ndarray, np.ndarray]) -> Iterator[Measure]:
    """Tell the declared classes apart, by all labels: of all clean windows, and of normal ones."""
    fit, test = asked.fit, asked.test
    if len(np.unique(fit.classes[fit.classes != UNKNOWN])) < 3:
        return  # rare against the rest is asked above
    guess = np.full(len(test.ids), UNKNOWN)
    for inside, scored in asked.folds:
        known = inside & (fit.classes != UNKNOWN)
        labels = fit.classes[known]
        chance = discriminant(vectors[0][known], labels, vectors[1][scored], seed=0)
        guess[scored] = np.unique(labels)[chance.argmax(axis=1)]
    for name, inside in (("classes", test.clean), ("classes, normal", test.normal)):
        known = inside & (test.classes != UNKNOWN)
        classes = np.unique(np.concatenate([test.classes[known], guess[known]]))
        matrix = confusion_matrix(test.classes[known], guess[known], classes)
        yield name, "macro_f1", float(macro_f1(matrix[None])[0])


def _ranked(task: str, labels: np.ndarray, scores: np.ndarray) -> Iterator[Measure]:
    for name, each in rare_slice(labels, scores, seed=0, resamples=2).items():
        yield task, name, each.value


def readouts(test: Side, task: str, vectors: np.ndarray) -> Iterator[Measure]:
    """Read the hidden last quarter out linearly, within every slice by itself.

    Fitted on every other block in time of the slice and scored on the blocks between, both ways:
    what vectors hold of a state, not how a readout carries over from other states. A prediction is
    kept to the range of the values that were fitted.
    """
    blocks = test.blocks
    for name, inside in test.slices.items():
        some = np.flatnonzero(inside)
        if len(some) < 2 * FEWEST:
            continue
        foretold = np.empty(test.future[some].shape)
        first = np.unique(blocks[some], return_inverse=True)[1] % 2 == 0
        if first.all():
            continue
        for half in (first, ~first):
            known = test.future[some[half]]
            ridge = fit_ridge(vectors[some[half]], known)
            range_ = np.fmin.reduce(known, axis=0), np.fmax.reduce(known, axis=0)  # NaN if all are
            foretold[~half] = ridge.predict(vectors[some[~half]]).clip(*range_)
        value = r2(foretold, test.future[some], seed=0, resamples=2)[0].value
        yield f"{task}, {name}", "r2", value


def _signs(asked: Asked, vectors: tuple[np.ndarray, np.ndarray]) -> Iterator[Measure]:
    """Read out change-points, spikes, missingness and strays across channels."""
    fit, test = asked.fit, asked.test
    foretold = np.full(test.signs.shape, np.nan)
    for inside, scored in asked.folds:
        ridge = fit_ridge(vectors[0][inside], fit.signs[inside])
        foretold[scored] = ridge.predict(vectors[1][scored])
    for column, name in enumerate(asked.names):
        pair = foretold[:, [column]], test.signs[:, [column]]
        yield f"{name} readout", "r2", r2(*pair, seed=0, resamples=2)[0].value


def _health(asked: Asked, vectors: tuple[np.ndarray, np.ndarray]) -> Iterator[Measure]:
    """Rank, spread in each regime, how much of the rare slice is covered, smoothness in time."""
    test, cloud = asked.test, vectors[1]
    yield "health", "rankme", rankme(cloud)
    shapes = regime_geometry(cloud, np.where(test.clean, test.classes, UNKNOWN))
    isotropy = [shape.isotropy for shape in shapes.values() if np.isfinite(shape.isotropy)]
    if isotropy:
        yield "health", "isotropy, lowest of the classes", min(isotropy)
        yield "health", "isotropy, mean of the classes", float(np.mean(isotropy))
    if test.rare.sum() >= FEWEST and asked.fit.rare.sum() >= FEWEST:
        yield "health", "tail coverage", coverage(cloud[test.rare], vectors[0][asked.fit.rare])
    pairs = positive_pairs(cloud, test.series, test.places, test.windows.length, seed=0)
    for name, each in pairs.items():
        yield "health", f"pair similarity {name}", each.value


def surprise(jepa: JEPA, side: Side, settings: ScoringSettings) -> np.ndarray:
    """(n,) mean latent loss of windows over four masks."""
    found = []
    for batch in frozen.batches(side.windows, side.ids):
        signals = collect(jepa, batch.to(jepa.device), ("mask_losses",), settings)
        assert signals.mask_losses is not None  # it was asked for
        found.append(signals.mask_losses.mean(dim=0).cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def of_score(side: Side, score: np.ndarray, whose: str = "") -> Iterator[Measure]:
    """How far surprise itself finds the rare slice, events and their rows, and corruption.

    Windows without a surprise are left out: no rank could be given to them.

    Args:
        side: The windows.
        score: (n,) surprise of each: that of a model, or what stands for it in a control.
        whose: Behind the name of the task; nothing for that of a model.
    """
    kinds = {
        "rare": np.where(side.clean, side.rare.astype(np.int8), -1),
        "event": np.where(side.corrupt, -1, side.event).astype(np.int8),
        "corrupt": side.corrupt.astype(np.int8),
    }
    for name, truth in kinds.items():
        labels = np.where(np.isfinite(score), truth, np.int8(-1))
        if (labels == 1).any() and (labels == 0).any():
            for metric, each in rare_slice(labels, score, seed=0, resamples=2).items():
                if metric in ("average_precision", "auroc"):
                    yield f"surprise, {name}{whose}", metric, each.value
    for metric, value in stream_anomalies(side, score).items():
        yield f"stream anomalies{whose}", metric, value
