"""Streams that are composed on purpose, and what of them is trained on, fitted and scored."""

from dataclasses import replace

import numpy as np
import pytest

from bandpass.bench.declared import BENCHMARKS, Group
from bandpass.bench.stream import build_corpora
from bandpass.data import DataError, prepare
from bandpass.data.sources import SOURCES
from bandpass.data.subset import Subset
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.recipes import build_windows, find, override

PLAIN = replace(BENCHMARKS["plant"], classes="")
RECIPE = override(find("series"), ["windows.length=32", "windows.stride=8"])
ALONE = "plant-02"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    options = {"series": 4, "rows": 3000, "channels": 4, "failure_rate": 2.0, "corrupt": 0.1}
    return prepare(SOURCES["plant"], folder, folder / "store", **options)


def places(windows) -> set[int]:
    """Where windows are, whatever their numbers."""
    return set(windows.places().tolist())


def test_without_a_stream_the_split_of_the_store_is_taken(store):
    corpora = build_corpora(PLAIN, RECIPE, store)
    train, test = (build_windows(RECIPE, store, split) for split in ("train", "test"))
    assert corpora.fit is corpora.train
    assert places(corpora.train) == places(train)
    assert places(corpora.test) == places(test)
    assert not places(corpora.train) & places(corpora.test)


@pytest.mark.parametrize("folds", ["split", "series"])
@pytest.mark.parametrize("rare", [(), (ALONE,)])
def test_shares_are_met_within_a_window(store, folds, rare):
    stream = (Group(0.9, "normal"), Group(0.07, "corrupt"), Group(0.03, "rare"))
    benchmark = replace(PLAIN, stream=stream, folds=folds, rare_entities=rare)
    corpora = build_corpora(benchmark, RECIPE, store)
    train = corpora.train
    slices = train.slices()
    for group in stream:
        assert abs(slices[group.slice].sum() - group.share * len(train)) <= 1
    assert (sum(inside.astype(int) for inside in slices.values()) == 1).all()
    whole = build_windows(RECIPE, store, None if folds == "series" else "train")
    assert places(train) < places(whole)
    assert len(places(train)) == len(train) > 100
    if folds == "series":
        assert corpora.fit is corpora.test
        assert places(corpora.fit) == places(whole)  # probes may be asked of what is not drawn
    else:
        assert corpora.fit is train


def test_a_stream_is_as_large_as_its_scarcest_group_allows_and_spread_over_the_store(store):
    whole = build_windows(RECIPE, store, "train")
    slices = whole.slices()
    stream = (Group(0.5, "normal"), Group(0.5, "rare"))
    train = build_corpora(replace(PLAIN, stream=stream), RECIPE, store).train
    assert train.slices()["rare"].sum() == slices["rare"].sum()
    assert len(train) == 2 * slices["rare"].sum()
    chosen = train.slices()["normal"]
    assert set(train.entities()[chosen]) == set(whole.entities()[slices["normal"]])
    numbers = np.searchsorted(np.flatnonzero(slices["normal"]), train.ids[chosen])
    apart = np.diff(numbers)
    assert apart.max() - apart.min() <= 1


def test_groups_are_disjoint_the_first_takes_what_it_names(store):
    stream = (Group(0.5, "normal", entities=(ALONE,)), Group(0.5))
    train = build_corpora(replace(PLAIN, stream=stream), RECIPE, store).train
    whole = build_windows(RECIPE, store, "train")
    slices, own = whole.slices(), whole.entities() == store.entity_names.index(ALONE)
    first, clean = slices["normal"] & own, slices["normal"] | slices["rare"]
    count = min(first.sum(), (clean & ~first).sum()) / 0.5
    assert abs(len(train) - count) <= 1
    drawn = np.isin(np.arange(len(whole)), train.ids)
    assert abs((drawn & first).sum() - count / 2) <= 1
    assert not (drawn & ~clean).any()


def test_a_stream_may_be_composed_of_what_moves(tmp_path):
    options = Options(workers=1, of_source={"recordings": 2, "seconds": 30})
    store = prepare_video(VIDEO_SOURCES["world"], tmp_path, tmp_path / "store", options)
    recipe = override(find("video-world"), ["windows.length=8", "windows.stride=4"])
    benchmark = replace(PLAIN, stream=(Group(0.8, motion="still"), Group(0.2)), folds="series")
    train = build_corpora(benchmark, recipe, store).train
    codes, names = train.buckets("motion")
    still = np.array([name == "still" for name in names])[codes]
    assert still.mean() >= 0.8 - 1 / len(train)


def test_windows_of_declared_entities_are_the_rare_ones(store):
    benchmark = replace(PLAIN, rare_entities=(ALONE,))
    corpora = build_corpora(benchmark, RECIPE, store)
    for windows in (corpora.train, corpora.test):
        slices = windows.slices()
        own = windows.entities() == store.entity_names.index(ALONE)
        assert own.any()
        clean = slices["rare"] | slices["normal"]
        np.testing.assert_array_equal(slices["rare"], own & clean)
        assert not (clean & slices["corrupt"]).any()


def test_every_arm_and_seed_gets_the_same(store):
    stream = (Group(0.9, "normal"), Group(0.1, "rare"))
    benchmark = replace(PLAIN, stream=stream)
    one, other = (
        build_corpora(benchmark, override(RECIPE, [change]), store).train
        for change in ("seed=1", "seed=2")
    )
    assert isinstance(one, Subset)
    np.testing.assert_array_equal(one.ids, other.ids)


def test_an_entity_that_is_not_there_is_named(store):
    for benchmark in (
        replace(PLAIN, rare_entities=("plant-09",)),
        replace(PLAIN, stream=(Group(1.0, entities=("plant-09",)),)),
    ):
        with pytest.raises(DataError, match=r"no entity 'plant-09' in .*: plant-00, plant-01"):
            build_corpora(benchmark, RECIPE, store)


def test_a_group_that_is_empty_is_named(store):
    stream = (Group(0.5, "rare"), Group(0.5, "rare", entities=(ALONE,)))
    with pytest.raises(
        DataError, match=r"plant: no window is left for Group\(share=0.5, slice='ra"
    ):
        build_corpora(replace(PLAIN, stream=stream), RECIPE, store)
