"""The corpora of a benchmark: the stream that is trained on, and what probes are asked about."""

from dataclasses import dataclass

import numpy as np

from bandpass.bench.declared import Benchmark, Group
from bandpass.data import AnyStore, Corpus, DataError
from bandpass.data.subset import Subset
from bandpass.data.video.marks import MOTION
from bandpass.recipes import Recipe, build_windows


@dataclass(frozen=True)
class Corpora:
    """What a cell trains and measures on; the same for every arm and seed.

    Attributes:
        train: The stream, drawn from without labels.
        fit: Windows whose labels probes may be fitted on.
        test: Windows that probes are scored on; ``fit`` itself if folds leave out series.
    """

    train: Corpus
    fit: Corpus
    test: Corpus


def build_corpora(benchmark: Benchmark, recipe: Recipe, store: AnyStore) -> Corpora:
    """Cut and compose the corpora of a benchmark.

    Raises:
        DataError: If a group of the stream has no windows, or an entity is not in the store.
    """
    if benchmark.folds == "series":
        # Where folds leave out series, the encoder has seen all of them, without labels.
        whole = _marked(benchmark, build_windows(recipe, store, None))
        return Corpora(_composed(benchmark, whole), whole, whole)
    train = _marked(benchmark, build_windows(recipe, store, "train"))
    test = _marked(benchmark, build_windows(recipe, store, "test"))
    stream = _composed(benchmark, train)
    return Corpora(stream, stream, test)


def _marked(benchmark: Benchmark, windows: Corpus) -> Corpus:
    """The windows, with those of the declared entities as the rare ones."""
    if not benchmark.rare_entities:
        return windows
    few = _of_entities(windows, benchmark.rare_entities)
    return Subset(windows, np.arange(len(windows)), rare=few)


def _composed(benchmark: Benchmark, windows: Corpus) -> Corpus:
    """The windows in the declared shares, as many as these allow, spread evenly over the store."""
    if not benchmark.stream:
        return windows
    free = np.ones(len(windows), bool)
    groups: list[np.ndarray] = []
    for group in benchmark.stream:
        inside = _members(group, windows) & free
        if not inside.any():
            raise DataError(f"benchmark {benchmark.name}: no window is left for {group}")
        groups.append(np.flatnonzero(inside))
        free &= ~inside
    shares = np.array([group.share for group in benchmark.stream])
    total = min(len(ids) / share for ids, share in zip(groups, shares, strict=True))
    chosen = [_evenly(ids, total * share) for ids, share in zip(groups, shares, strict=True)]
    ids = np.sort(np.concatenate(chosen))
    if isinstance(windows, Subset):
        return Subset(windows.corpus, windows.ids[ids], rare=windows.slices()["rare"][ids])
    return Subset(windows, ids)


def _members(group: Group, windows: Corpus) -> np.ndarray:
    """(n,) bool, which windows belong to a group."""
    slices = windows.slices()
    inside = slices["rare"] | slices["normal"] if group.slice == "clean" else slices[group.slice]
    if group.motion:
        inside = inside & (windows.buckets("motion")[0] == MOTION.index(group.motion))
    if group.entities:
        inside = inside & _of_entities(windows, group.entities)
    return inside


def _of_entities(windows: Corpus, names: tuple[str, ...]) -> np.ndarray:
    known = windows.store.entity_names
    if unknown := sorted(set(names) - set(known)):
        raise DataError(f"no entity {unknown[0]!r} in {windows.store.path}: {', '.join(known)}")
    return np.isin(windows.entities(), [known.index(name) for name in names])


def _evenly(ids: np.ndarray, count: float) -> np.ndarray:
    """About ``count`` of some ascending ids, at even distances."""
    return ids[np.unique(np.linspace(0, len(ids) - 1, max(round(count), 1)).astype(np.int64))]
