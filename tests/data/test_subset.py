"""Part of a corpus under numbers of its own: every question is answered as the corpus would."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bandpass.data import Clips, Corpus, DataError, ScheduleWindows, Windows, prepare
from bandpass.data.ingest import describe
from bandpass.data.mixed import Mixed
from bandpass.data.schedule.record import Record
from bandpass.data.schedule.tokens import DEADLINE, TASK
from bandpass.data.schedule.windows import ScheduleCut
from bandpass.data.sources import SOURCES
from bandpass.data.subset import Subset
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES

SCHEDULES = Path(__file__).parent / "schedule" / "strategies.py"


def plant(folder: Path) -> Corpus:
    options = {"series": 3, "rows": 1500, "channels": 4, "failure_rate": 3, "corrupt": 0.1}
    return Windows(prepare(SOURCES["plant"], folder, folder / "plant", **options), 32, 16, "train")


def world(folder: Path) -> Corpus:
    options = Options(workers=1, of_source={"recordings": 2, "seconds": 20})
    store = prepare_video(VIDEO_SOURCES["world"], folder, folder / "world", options)
    return Clips(store, 8, 4, "train")


def schedule(folder: Path) -> Corpus:
    tasks = [
        Record(
            *(f"{i}", (f"u:{i % 17}",), 19_000 + i % 11, 500 + i, 40 * (i % 3)),
            *(TASK | DEADLINE * (i % 2), 0.5, 0, 0.1, 0, 0.8),
        )
        for i in range(400)
    ]
    store = SimpleNamespace(**runpy.run_path(str(SCHEDULES))).write_store(
        folder / "days", {"tasks": tasks}
    )
    return ScheduleWindows(store, None, ScheduleCut(timeless=1.0))


MADE = {"plant": plant, "world": world, "schedule": schedule}


@pytest.fixture(scope="module", params=MADE)
def corpus(request, tmp_path_factory) -> Corpus:
    return MADE[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def subset(corpus) -> Subset:
    return Subset(corpus, np.arange(1, len(corpus), 3))


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Corpus:
    return plant(tmp_path_factory.mktemp("alone"))


def test_is_a_corpus_of_the_same_cut(subset, corpus):
    assert isinstance(subset, Corpus)
    assert len(subset) == len(np.arange(1, len(corpus), 3))
    for name in ("store", "split", "length", "stride", "bucket_kinds", "captions", "parts"):
        assert getattr(subset, name) == getattr(corpus, name)


def test_windows_are_those_of_the_corpus_under_own_numbers(subset, corpus):
    for take in ("__getitem__", "__getitems__", "sketch"):
        batch, expected = getattr(subset, take)([4, 0]), getattr(corpus, take)([13, 1])
        assert torch.equal(batch.values, expected.values)
        assert torch.equal(batch.observed, expected.observed)
        assert batch.draw == [4, 0]
    assert torch.equal(subset[2].values, corpus[7].values)
    assert subset[np.int64(2)].draw == [2]


def test_what_is_known_of_windows_is_what_the_corpus_knows(subset, corpus):
    some, own = np.array([5, 0, 2]), np.array([16, 1, 7])
    for name in ("places", "entities", "labels"):
        known, asked = getattr(subset, name), getattr(corpus, name)
        np.testing.assert_array_equal(known(some), asked(own))
        np.testing.assert_array_equal(known(), asked()[1::3])
    for found, expected in zip(subset.locate(some), corpus.locate(own), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(subset.judge(), corpus.judge(), strict=True):
        np.testing.assert_array_equal(found, expected[1::3])
    for kind in corpus.bucket_kinds:
        try:
            codes, names = corpus.buckets(kind)
        except DataError:  # not known in this store
            continue
        np.testing.assert_array_equal(subset.buckets(kind)[0], codes[1::3])
        assert subset.buckets(kind)[1] == names
    classes = corpus.classes()
    assert set(subset.classes()) == set(classes) != set()
    for kind, (codes, names) in classes.items():
        np.testing.assert_array_equal(subset.classes()[kind][0], codes[1::3])
        np.testing.assert_array_equal(subset.classes(some)[kind][0], codes[own])
        assert dict(subset.classes()[kind][1]) == dict(names)
    slices = corpus.slices()
    assert set(subset.slices()) == set(slices)
    for name, inside in slices.items():
        np.testing.assert_array_equal(subset.slices()[name], inside[1::3])
    shown, values = subset.look(2)
    assert shown == corpus.look(7)[0]
    np.testing.assert_array_equal(values, corpus.look(7)[1])


@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_a_window_that_is_not_there(subset, wrong):
    for ask in (subset.__getitem__, subset.sketch, subset.labels, subset.locate):
        with pytest.raises(IndexError, match=rf"window {wrong} is not in 0 \.\. {len(subset) - 1}"):
            ask([wrong])


def test_other_windows_may_count_as_rare_but_corrupt_ones_stay_so(windows):
    ids = np.arange(len(windows))
    before = windows.slices()
    assert all(inside.any() for inside in before.values())
    few = windows.entities() == 0
    found = Subset(windows, ids, rare=few).slices()
    clean = before["rare"] | before["normal"]
    np.testing.assert_array_equal(found["corrupt"], before["corrupt"])
    np.testing.assert_array_equal(found["rare"], few & clean)
    np.testing.assert_array_equal(found["normal"], ~few & clean)
    assert (few & before["corrupt"]).any()


def test_part_of_a_part(windows):
    odd = Subset(windows, np.arange(1, len(windows), 2))
    again = Subset(odd, np.array([0, 3]))
    assert torch.equal(again[[0, 1]].values, windows[[1, 7]].values)
    np.testing.assert_array_equal(again.places(), windows.places()[[1, 7]])


def test_the_cut_and_what_is_described_by_it_tell_subsets_apart(windows):
    odd, even = (Subset(windows, np.arange(first, len(windows), 2)) for first in (1, 0))
    assert len({windows.cut, odd.cut, even.cut}) == 3
    assert odd.cut == Subset(windows, odd.ids.copy()).cut
    whole, part = describe(windows), describe(odd)
    np.testing.assert_array_equal(part.max_abs_z, whole.max_abs_z[1::2])
    np.testing.assert_array_equal(part.faults, whole.faults[1::2])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], r"a subset needs windows in ascending order, got \[\]"),
        ([3, 2], r"a subset needs windows in ascending order, got \[3 2\]"),
        ([2, 2], r"a subset needs windows in ascending order"),
        ([-1, 2], r"windows \[-1  2\] of a subset are not all in 0 \.\. \d+"),
        ([0, 10**6], r"of a subset are not all in 0 \.\. \d+"),
    ],
)
def test_refuses_ids_that_are_no_subset(windows, ids, message):
    with pytest.raises(DataError, match=message):
        Subset(windows, np.array(ids, np.int64))


@pytest.mark.parametrize("rare", [np.zeros(3, bool), np.zeros(2)])
def test_refuses_what_does_not_say_which_are_rare(windows, rare):
    with pytest.raises(DataError, match="it must hold a bool for each of the 2 windows"):
        Subset(windows, np.arange(2), rare=rare)


def test_refuses_a_mixed_corpus(windows):
    mixed = Mixed({"one": windows, "other": Subset(windows, np.arange(9))})
    with pytest.raises(DataError, match="a subset is of one corpus"):
        Subset(mixed, np.arange(4))
