"""What is asked of embeddings of clips and of labelled segments; each as (task, metric, estimate).

Every function is a generator that yields nothing where the store has not what it asks for.
"""

import numpy as np

from bandpass.evaluation import (
    Estimate,
    Items,
    Stretches,
    classify,
    event_order,
    few_shot_draws,
    leave_one_out,
    logistic,
    proposals,
    rare_slice,
    readout_r2,
    retrieval,
    segment_ap,
    successive,
    videos,
)
from bandpass.evaluation.statistics import missing
from bandpass.runs.tasks import Found
from bandpass.runs.video.encoders import View
from bandpass.runs.video.sample import Sample, Segments, corners, marked

SHOTS = 6
"""Labelled clips of a class that a few-shot probe is fitted on."""


def names_of(sample: Sample) -> list[tuple[int, str]]:
    """Code and name of the actions that the source calls rare."""
    rare = set(sample.store.manifest["rare"])
    return [(code, name) for code, name in enumerate(sample.store.regimes) if name in rare]


def actions(view: View, fit: Sample, test: Sample, seed: int) -> Found:
    """Tell the actions apart, clip by clip: all labels, a few labels, and in corner cases."""
    known = fit.side.regimes >= 0
    labels, truth = fit.side.regimes[known], test.side.regimes
    classes = np.unique(labels)
    if len(classes) < 2:
        return
    chance = logistic(view.fit[known], labels, view.test, seed=seed)
    groups = test.side.groups
    for metric, value in classify(truth, chance, classes, groups, seed=seed).items():
        yield videos.ACTION, metric, value
    yield videos.ACTION, "mean_average_precision", _mean_ap(truth, chance, classes)
    few = few_shot_draws(view.fit[known], labels, view.test, shots=SHOTS, seed=seed)
    for code, name in names_of(test):
        if code not in classes:
            continue
        own = int(np.searchsorted(classes, code))
        for how, scores in (("", chance[:, own]), (", few-shot", few[:, :, own])):
            found = rare_slice(_against(truth, code), scores, groups, seed=seed)
            for metric in ("average_precision", "auroc", "prevalence"):
                yield f"{videos.ACTION}, {name}{how}", metric, found[metric]
    for name, inside in corners(test).items():
        of = np.where(inside, truth, -1)
        found = classify(of, chance, classes, groups, seed=seed)
        yield f"{videos.ACTION} in {name} clips", "accuracy", found["accuracy"]


def folds(view: View, fit: Sample, test: Sample, seed: int) -> Found:
    """Tell the actions apart in every recording, fitted on all others.

    There is less variance in it than in one split, but the encoder has seen most of the recordings,
    if without their labels.
    """
    labels = np.concatenate([fit.side.regimes, test.side.regimes])
    series = np.concatenate([fit.side.series, test.side.series])
    groups = np.concatenate([fit.side.groups, test.side.groups + fit.side.groups.max() + 1])
    known = labels >= 0
    labels, series, groups = labels[known], series[known], groups[known]
    classes = np.unique(labels)
    if len(classes) < 2 or len(np.unique(series)) < 3:
        return
    scores = leave_one_out(np.concatenate([view.fit, view.test])[known], labels, series)
    task = f"{videos.ACTION}, leave one recording out"
    yield task, "macro_f1", classify(labels, scores, classes, groups, seed=seed)["macro_f1"]
    for code, name in names_of(test):
        if code in classes:
            own = scores[:, np.searchsorted(classes, code)]
            found = rare_slice(_against(labels, code), own, groups, seed=seed)
            yield f"{task}, {name}", "average_precision", found["average_precision"]


def segments(view: View, fit: Segments, test: Segments, seed: int) -> Found:
    """Classify labelled segments, search for their like, and say which of two came first."""
    classes = np.unique(fit.codes)
    if len(classes) < 2 or not len(test.codes):
        return
    one, other = fit.shares @ view.fit, test.shares @ view.test
    chance = logistic(one, fit.codes, other, seed=seed)
    for metric, value in classify(test.codes, chance, classes, test.groups, seed=seed).items():
        yield videos.SEGMENT, metric, value
    yield videos.SEGMENT, "mean_average_precision", _mean_ap(test.codes, chance, classes)
    mean, scale = one.mean(axis=0), one.std(axis=0)
    scale = np.where(scale > 1e-6 * np.abs(one).max(), scale, np.inf)
    near, far = (one - mean) / scale, (other - mean) / scale
    queries = Items(far, test.codes, test.where.recordings)
    gallery = Items(
        np.concatenate([near, far]),
        np.concatenate([fit.codes, test.codes]),
        np.concatenate([fit.where.recordings, test.where.recordings]),
    )
    for metric, value in retrieval(queries, gallery, test.groups, seed=seed).items():
        yield videos.SEARCH, metric, value
    pairs = [successive(*each.where) for each in (fit, test)]
    sides = [(e[p[:, 0]], e[p[:, 1]]) for e, p in zip((one, other), pairs, strict=True)]
    groups = test.groups[pairs[1][:, 0]]
    yield videos.ORDER, "accuracy", event_order(sides[0], sides[1], groups, seed=seed)


def localisation(view: View, fit: Sample, test: Sample, truth: Segments, seed: int) -> Found:
    """Find where each rare action begins and ends, by a probe slid over the test recordings."""
    for code, name in names_of(test):
        of, on = fit.asked, test.asked
        labels = (fit.side.regimes[of] == code).astype(np.int64)
        if len(np.unique(labels)) < 2 or not on.any():
            continue
        chance = logistic(view.fit[of], labels, view.test[on], seed=seed)[:, 1]
        clips = Stretches(*(column[on] for column in test.where))
        found, scores = proposals(clips, chance)
        own = Stretches(*(column[truth.codes == code] for column in truth.where))
        for metric, value in segment_ap(found, scores, own, seed=seed).items():
            yield f"{videos.WHERE}, {name}", metric, value


def state(view: View, fit: Sample, test: Sample, seed: int) -> Found:
    """Read the known state at the last frame of the clip, linearly."""
    targets, truth = fit.side.targets, test.side.targets
    if not targets.shape[1]:
        return
    found = readout_r2(view.fit, targets, view.test, truth, test.side.groups, seed=seed)
    yield videos.STATE, "r2", found.r2
    nan = float("nan")
    measured = np.isfinite(truth).sum(axis=0)
    names = test.store.manifest["state"]
    for name, value, count in zip(names, found.per_channel, measured, strict=True):
        defined = Estimate(float(value), nan, nan, int(count))
        reason = missing("it does not vary on a side, or is not known")
        yield f"{videos.STATE}, {name}", "r2", defined if np.isfinite(value) else reason


def tracks(view: View, fit: Sample, test: Sample, seed: int) -> Found:
    """Tell clips in which a track is marked from those in which it is not."""
    for track in test.store.manifest["tracks"]:
        if track == "action":
            continue
        labels, truth = marked(fit, track), marked(test, track)
        known = labels >= 0
        if len(np.unique(labels[known])) < 2:
            continue
        chance = logistic(view.fit[known], labels[known], view.test, seed=seed)[:, 1]
        found = rare_slice(truth, chance, test.side.groups, seed=seed)
        for metric in ("auroc", "average_precision", "prevalence"):
            yield f"{videos.TRACK} {track}", metric, found[metric]


def arrow(turned: View, groups: np.ndarray, seed: int) -> Found:
    """Say whether a clip runs forwards: of each side the clips backwards, then forwards."""
    fit, test = (
        (side[: len(side) // 2], side[len(side) // 2 :]) for side in (turned.fit, turned.test)
    )
    yield videos.ARROW, "accuracy", event_order(fit, test, groups, seed=seed)


def trivial(score: np.ndarray, test: Sample, seed: int) -> Found:
    """Rank clips by a (m,) score alone, for every class and track: what a probe has to beat.

    Clips of which the score is not known, NaN, are left out.
    """
    asked = {
        f"{videos.ACTION}, {name}": _against(test.side.regimes, code)
        for code, name in names_of(test)
    }
    every = (track for track in test.store.manifest["tracks"] if track != "action")
    asked |= {f"{videos.TRACK} {track}": marked(test, track) for track in every}
    asked |= {videos.EVENTS: test.side.labels.astype(np.int64)}
    known = np.isfinite(score)
    for task, every_label in asked.items():
        labels = np.where(known, every_label, -1)
        if len(np.unique(labels[labels >= 0])) < 2:
            continue
        found = rare_slice(labels, np.nan_to_num(score), test.side.groups, seed=seed)
        for metric in ("auroc", "average_precision", "prevalence"):
            yield task, metric, found[metric]


def _against(regimes: np.ndarray, code: int) -> np.ndarray:
    """(n,) 1 of a class, 0 of another, -1 unknown."""
    return np.where(regimes < 0, -1, regimes == code).astype(np.int64)


def _mean_ap(truth: np.ndarray, chance: np.ndarray, classes: np.ndarray) -> Estimate:
    """Mean over the classes in ``truth`` of the average precision of each against all others."""
    present = [k for k, code in enumerate(classes) if (truth == code).any()]
    found = [
        rare_slice(_against(truth, classes[k]), chance[:, k], seed=0, resamples=2) for k in present
    ]
    values = [each["average_precision"].value for each in found]
    if not values or not np.isfinite(values).all():
        return missing("no class is known among the clips to score on, or only one")
    nan = float("nan")
    return Estimate(float(np.mean(values)), nan, nan, int((truth >= 0).sum()))
