import pickle
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from bandpass.data import Corpus, DataError, ScheduleStore, as_is
from bandpass.data.schedule.record import UNDATED, Record
from bandpass.data.schedule.tokens import CALENDAR, DEADLINE, HOLIDAY, PROJECT, TASK
from bandpass.data.schedule.windows import BUCKETS, SHAPES, ScheduleCut, ScheduleWindows, dated

some = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("strategies.py"))))


def tasks(count: int) -> list[Record]:
    """Half with a deadline, by a few people on a few days, 40 minutes each."""
    return [
        Record(
            *(f"{i}", (f"u:{i % 17}",), 19_000 + i % 11, 500 + i, 40 * (i % 3)),
            *(TASK | DEADLINE * (i % 2), 0.5, 0, 0.1, 0, 0.8),
        )
        for i in range(count)
    ]


def edges(count: int) -> list[Record]:
    return [
        Record(f"{i}", (f"u:{i}",), UNDATED, 0, 1440, PROJECT, 0, 0.08, 0, 0, 0.3)
        for i in range(count)
    ]


HOLIDAYS = [
    Record(f"{i}", ("p:x",), 19_000 + i, 0, 1440, CALENDAR | HOLIDAY, 0, 0, 0, 0, 1.0)
    for i in range(5)
]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ScheduleStore:
    datasets = {"tasks": tasks(400), "edges": edges(300), "holidays": HOLIDAYS}
    return some.write_store(tmp_path_factory.mktemp("windows") / "store", datasets)


ALL = ScheduleCut(timeless=1.0)


def test_windows_are_a_corpus_of_days(store):
    windows = ScheduleWindows(store, None, ALL)
    assert isinstance(windows, Corpus)
    assert len(windows) == len(store.windows)
    batch = windows[[5, 3]]
    assert batch.values.shape == batch.observed.shape == (2, 96, 16)
    assert batch.observed.all()
    assert batch.draw == [5, 3]
    expected = torch.from_numpy(store.tokens(windows.rows[[5, 3]]))
    assert torch.equal(batch.values, expected)
    assert torch.equal(windows[3].values[0], expected[1])


def test_both_sides_of_a_random_split_are_everything(store):
    sides = [ScheduleWindows(store, side, ALL).rows for side in ("train", "test")]
    assert sorted(np.concatenate(sides)) == list(range(len(store.windows)))


def test_an_id_that_is_none_is_refused(store):
    windows = ScheduleWindows(store, None)
    for wrong in (-1, len(windows)):
        with pytest.raises(IndexError):
            windows[wrong]


@pytest.mark.parametrize("kind", ["record", "actor_day"])
def test_a_kind_can_be_chosen(store, kind):
    chosen = ScheduleWindows(store, None, ScheduleCut(kind=kind, timeless=1.0))
    number = {"record": 0, "actor_day": 1}[kind]
    assert len(chosen) == (store.windows["kind"] == number).sum()
    assert set(chosen.about()["kind"]) == {number}


def test_datasets_can_be_chosen_and_unknown_ones_are_named(store):
    chosen = ScheduleWindows(store, None, ScheduleCut(datasets=("edges",)))
    assert len(chosen) == 300  # nothing else: no cap
    with pytest.raises(DataError, match=r"no dataset 'mail' in .* it has tasks, edges, holidays"):
        ScheduleWindows(store, None, ScheduleCut(datasets=("tasks", "mail")))


@pytest.mark.parametrize("cap", [0.0, 0.05, 0.3])
def test_windows_without_a_time_are_at_most_their_share(store, cap):
    cut = ScheduleCut(timeless=cap)
    windows = ScheduleWindows(store, None, cut)
    share = (windows.entities() == 1).mean()
    assert cap - 0.01 <= share <= cap
    assert (windows.rows == ScheduleWindows(store, None, cut).rows).all()
    assert (np.diff(windows.rows) > 0).all()


def test_whole_days_can_be_left_out(store):
    windows = ScheduleWindows(store, None, ScheduleCut(whole_days=False))
    assert set(windows.entities()) == {0}


def test_a_side_without_windows_says_what_to_take(store):
    cut = ScheduleCut(kind="actor_day", datasets=("edges",))
    with pytest.raises(DataError, match="take another kind, more datasets, or split=random"):
        ScheduleWindows(store, None, cut)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "week"}, {"split": "time"}, {"timeless": 1.5}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_cut_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        ScheduleCut(**wrong)


def test_a_split_that_is_none_is_refused(store):
    with pytest.raises(DataError, match="split is 'val'"):
        ScheduleWindows(store, "val")


def test_what_is_known_of_windows(store):
    windows = ScheduleWindows(store, None, ALL)
    about = windows.about()
    due = (about["what"] & DEADLINE) > 0
    assert (windows.labels() == due).all()
    assert (dated(about) == (windows.entities() != 1)).all()
    dataset, day = windows.locate(np.arange(3))
    assert (dataset.tolist(), day.tolist()) == ([0, 0, 0], [19_000, 19_001, 19_002])
    slices = windows.slices()
    assert (slices["rare"] == due).all()
    assert (slices["rare"] ^ slices["normal"]).all()
    assert not slices["corrupt"].any()
    assert (np.diff(windows.places()) > 0).all()


def test_shapes_tell_moments_from_spans_and_quiet_days_from_busy_ones(store):
    windows = ScheduleWindows(store, None, ALL)
    about, names = windows.about(), np.array(SHAPES)[windows.shapes()]
    record, active = about["kind"] == 0, about["active"]
    assert set(names[record & (active == 1)]) == {"moment"}
    assert set(names[record & (active > 1) & (active < 96)]) == {"span"}
    assert set(names[record & (active == 96)]) == {"whole day"}
    assert set(names[~record & (active > 4)]) == {"busy day"}
    assert set(names[~record & (active <= 4)]) <= {"quiet day"}


@pytest.mark.parametrize("kind", BUCKETS)
def test_every_window_has_a_bucket_with_a_name(store, kind):
    windows = ScheduleWindows(store, "train", ALL)
    codes, names = windows.buckets(kind)
    assert set(codes.tolist()) == set(range(len(names)))  # none is empty
    assert codes.shape == (len(windows),)
    assert 0 <= codes.min() <= codes.max() < len(names)
    assert len(set(names)) == len(names)


def test_an_unknown_bucket_names_the_known(store):
    with pytest.raises(DataError, match="'regime' is none of none, dataset, shape"):
        ScheduleWindows(store, "train").buckets("regime")


def test_classes_have_a_name_for_every_code(store):
    windows = ScheduleWindows(store, None, ALL)
    for codes, names in windows.classes().values():
        assert set(codes.tolist()) <= set(names)
    some_codes, _ = windows.classes([0, 1])["shape"]
    assert some_codes.tolist() == windows.shapes()[:2].tolist()


def test_the_cut_tells_every_setting_apart(store):
    cuts = [
        *(ALL, ScheduleCut(), ScheduleCut(split_seed=1), ScheduleCut(split="honest")),
        *(ScheduleCut(whole_days=False), ScheduleCut(kind="record")),
        ScheduleCut(datasets=("tasks",)),
    ]
    assert len({str(ScheduleWindows(store, "train", cut).cut) for cut in cuts}) == len(cuts)


def test_loader_workers_read_the_same_windows(store):
    windows = ScheduleWindows(store, "train")
    draws = [[0, 7], [3, 2]]
    again = pickle.loads(pickle.dumps(windows))
    for draw, batch in zip(
        draws, DataLoader(again, batch_sampler=draws, collate_fn=as_is), strict=True
    ):
        assert torch.equal(batch.values, windows[draw].values)
