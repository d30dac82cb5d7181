import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from bandpass.data import (
    Batch,
    DataError,
    Series,
    Source,
    Split,
    Store,
    StoreError,
    Windows,
    as_is,
    prepare,
)
from bandpass.data import windows as windows_module
from bandpass.data.corruption import KINDS
from bandpass.data.gather import most_frequent

LENGTH, STRIDE = 24, 7
CHANNELS, REGIMES = ("a", "b", "c"), ("idle", "busy", "failed")
SECOND = 1_000_000_000


def recording(number: int, rows: int, **more) -> Series:
    generator = np.random.default_rng(number)
    values = generator.normal(10.0 * number, 1.0 + number, (rows, 3)).astype(np.float32)
    values[generator.random(values.shape) < 0.2] = np.nan
    codes = {
        "label": generator.choice([-1, -1, -1, 0, 1], rows, p=[0.3, 0.3, 0.3, 0.07, 0.03]),
        "regime": np.repeat(generator.integers(-1, 3, rows), 9)[:rows].astype(np.int16),
        "corrupt": generator.choice([0, 0, 0, 1, 2], rows).astype(np.int8),
        "state": generator.normal(size=(rows, 2)).astype(np.float32),
    }
    codes["label"] = codes["label"].astype(np.int8)
    return Series(f"s{number}", f"e{number % 2}", values, **codes | more)


def build(path: Path, *recordings: Series, split: Split | None = None) -> Store:
    source = Source("x", "", "", "", "", CHANNELS, REGIMES, lambda raw: iter(recordings))
    return prepare(source, path, path / "store", split=split)


@pytest.fixture
def recordings() -> list[Series]:
    return [recording(0, 300), recording(1, 260), recording(2, 410)]


@pytest.fixture
def windows(tmp_path, recordings) -> Windows:
    return Windows(build(tmp_path, *recordings, split=Split(embargo=30)), LENGTH, STRIDE, "train")


def rows_of(windows: Windows, recordings: list[Series], i: int) -> tuple[Series, slice]:
    series, start = windows.locate([i])
    return recordings[series[0]], slice(start[0], start[0] + windows.length)


def test_every_window_is_its_rows_normalised_by_its_entity(windows, recordings):
    batch = windows[range(len(windows))]
    mean, std = windows.store.moments
    assert batch.values.shape == (len(windows), LENGTH, 3)
    assert (batch.values.dtype, batch.observed.dtype) == (torch.float32, torch.bool)
    for i in range(len(windows)):
        series, rows = rows_of(windows, recordings, i)
        entity = windows.store.entity_names.index(series.entity)
        raw = series.values[rows]
        expected = np.clip((raw - mean[entity]) / std[entity], -10, 10)
        np.testing.assert_array_equal(batch.observed[i], ~np.isnan(raw))
        np.testing.assert_allclose(batch.values[i], np.nan_to_num(expected), atol=2e-6)


def test_gathering_in_pieces_changes_nothing(windows, monkeypatch):
    whole = windows[range(40)]
    monkeypatch.setattr("bandpass.data.gather.CACHE_VALUES", 7 * LENGTH * 3)
    pieces = windows[range(40)]
    assert torch.equal(whole.values, pieces.values)
    assert torch.equal(whole.observed, pieces.observed)


def test_values_are_clipped_and_constant_channels_centred(tmp_path):
    spiky = recording(1, 300)
    spiky.values[:, 1] = 0.1
    spiky.values[50, 0], spiky.values[51, 0] = 1e9, -1e9
    spiky.values[:50, 2] = 5.0
    spiky.values[250:, 1] = 3.1  # constant in training only
    store = build(tmp_path, spiky, split=Split(test_share=0.3, embargo=0))
    train = Windows(store, LENGTH, 1, "train", clip=1.5)[range(60)]
    assert train.values.abs().max() <= 1.5
    assert (train.values[..., 1] == 0).all()
    test = Windows(store, LENGTH, 1, "test")
    np.testing.assert_allclose(test[[len(test) - 1]].values[..., 1], 3.0, rtol=1e-6)


def test_normalize_none_leaves_the_values_as_recorded(tmp_path, recordings):
    windows = Windows(build(tmp_path, *recordings), LENGTH, STRIDE, None, normalize="none")
    series, rows = rows_of(windows, recordings, 30)
    np.testing.assert_array_equal(windows[30].values[0], np.nan_to_num(series.values[rows]))


def test_codes_follow_their_rules(windows, recordings):
    ids = np.random.default_rng(0).permutation(len(windows))
    found = (windows.labels(ids), windows.regimes(ids), windows.corruptions(ids))
    assert [codes.dtype for codes in found] == [np.int8, np.int16, np.int8]
    states, entities = windows.states(ids), windows.entities(ids)
    for k, i in enumerate(ids):
        series, rows = rows_of(windows, recordings, i)
        label = series.label[rows]
        assert found[0][k] == (1 if 1 in label else 0 if 0 in label else -1)
        known = [code for code in series.regime[rows].tolist() if code >= 0]
        assert found[1][k] == max(sorted(set(known)), key=known.count, default=-1)
        kinds = [kind for kind in series.corrupt[rows].tolist() if kind]
        assert found[2][k] == max(sorted(set(kinds)), key=kinds.count, default=0)
        assert windows.store.entity_names[entities[k]] == series.entity
        np.testing.assert_array_equal(states[k], series.state[rows][-1])
    assert set(found[0].tolist()) == {-1, 0, 1}  # the data show every case


def test_all_windows_are_described_in_chunks(windows, monkeypatch):
    ids = range(len(windows))
    whole = [windows.labels(ids), windows.regimes(ids), windows.entities(ids)]
    monkeypatch.setattr(windows_module, "CHUNK", 5)
    for one, other in zip(
        whole, [windows.labels(), windows.regimes(), windows.entities()], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_classes_are_named_where_the_store_knows_any(windows, tmp_path):
    classes = windows.classes([3, 1])
    np.testing.assert_array_equal(classes["regime"][0], windows.regimes([3, 1]))
    assert classes["regime"][1] == {-1: "unknown", 0: "idle", 1: "busy", 2: "failed"}
    assert classes["label"][1][1] == "event"
    assert classes["corrupt"][1][1] == KINDS[0]
    plain = recording(
        0, 400, regime=None, corrupt=None, state=None, label=np.full(400, -1, np.int8)
    )
    (tmp_path / "plain").mkdir()
    bare = Windows(build(tmp_path / "plain", plain), LENGTH, STRIDE, "train")
    assert bare.classes([0, 1]) == {}
    assert bare.regimes([0]).tolist() == [-1]
    assert bare.corruptions([0]).tolist() == [0]
    with pytest.raises(StoreError, match="no column 'state'"):
        bare.states([0])


class Draw(list):
    number = 4


def test_the_draw_comes_back_as_it_was_through_loader_workers(windows):
    draws = [Draw([5, 2, 2]), Draw([0, 9])]
    loader = DataLoader(windows, batch_sampler=draws, collate_fn=as_is, num_workers=2)
    for draw, batch in zip(draws, loader, strict=True):
        assert batch.draw == draw
        assert batch.draw.number == 4
        assert torch.equal(batch.values, windows[draw].values)
    assert windows[draws[0]].draw is draws[0]


def test_pickling_carries_no_data(windows):
    batch = windows[[3]]
    pickled = pickle.dumps(windows)
    assert len(pickled) < 20_000
    again = pickle.loads(pickled)
    assert len(again) == len(windows)
    assert torch.equal(again[[3]].values, batch.values)


def test_a_batch_moves_as_one(windows):
    moved = windows[[1, 2]].to("meta")
    assert isinstance(moved, Batch)
    assert (moved.values.device.type, moved.observed.device.type) == ("meta", "meta")
    assert moved.draw == [1, 2]


def test_one_id_gives_a_batch_of_one(windows):
    assert windows[3].values.shape == windows[np.int64(3)].values.shape == (1, LENGTH, 3)


@pytest.mark.parametrize("bad", [-1, 10_000])
def test_an_id_out_of_range_is_named(windows, bad):
    with pytest.raises(IndexError, match=rf"window {bad} is not in 0 .. {len(windows) - 1}"):
        windows[[0, bad]]


@settings(max_examples=40)
@given(
    rows=st.lists(st.integers(12, 120), min_size=1, max_size=4),
    share=st.floats(0, 0.9),
    embargo=st.integers(0, 20),
    gap=st.integers(1, 120),
    length=st.integers(1, 30),
    stride=st.integers(1, 40),
)
def test_no_window_crosses_a_split_a_series_or_a_gap(rows, share, embargo, gap, length, stride):
    def clock(n: int) -> np.ndarray:
        return (np.arange(n) + np.where(np.arange(n) >= gap, 1000, 0)) * SECOND

    recordings = [recording(i, n, time=clock(n)) for i, n in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        split = Split(test_share=share, embargo=embargo)
        store = build(Path(folder), *recordings, split=split)
        used = {}
        for which in ("train", "test"):
            runs = store.segments.filter(np.asarray(store.segments["split"]) == which).to_pylist()
            fitting = [run["stop"] - run["start"] for run in runs]
            expected = sum(len(range(0, n - length + 1, stride)) for n in fitting)
            if not expected:
                none = (
                    f"no window of {length} rows fits" if fitting else f"split '{which}' .* no rows"
                )
                with pytest.raises(DataError, match=none):
                    Windows(store, length, stride, which)
                continue
            windows = Windows(store, length, stride, which)
            assert len(windows) == expected
            assert len(windows.skipped) == sum(n < length for n in fitting)
            series, start = windows.locate(np.arange(expected))
            assert len(set(zip(series.tolist(), start.tolist(), strict=True))) == expected
            for s, first in zip(series, start, strict=True):
                time = recordings[s].time[first : first + length]
                assert len(time) == length
                assert (np.diff(time) == SECOND).all()
                used.setdefault((which, s), []).append(first)
        for (which, s), starts in used.items():
            if which == "train" and ("test", s) in used:
                assert min(used["test", s]) - (max(starts) + length) >= embargo


def test_series_shorter_than_a_window_are_skipped_and_reported(tmp_path):
    store = build(tmp_path, recording(0, 300), recording(1, 20))
    windows = Windows(store, 30, 10, None)
    assert {run.series for run in windows.skipped} == {"s1"}
    assert windows.skipped[-1].rows == 8
    with pytest.raises(DataError, match=r"no window of 500 rows fits .* at most \d+ rows"):
        Windows(store, 500, 1, "train")


def test_a_split_without_a_row_is_told(tmp_path):
    store = build(tmp_path, recording(1, 5))
    (side,) = {segment["split"] for segment in store.segments.to_pylist()}
    other = {"train": "test", "test": "train"}[side]
    with pytest.raises(DataError, match=rf"split '{other}' of .* has no rows: .* prepare longer"):
        Windows(store, 1, 1, other)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0, 1, "train"), "length 0 and stride 1 must both be at least 1"),
        ((5, 0, "train"), "length 5 and stride 0"),
        ((5, 1, "dev"), "split is 'dev': use 'train', 'test' or None"),
        ((5, 1, "train", "series"), "normalize is 'series': use 'entity' or 'none'"),
    ],
)
def test_arguments_out_of_range(windows, arguments, match):
    with pytest.raises(DataError, match=match):
        Windows(windows.store, *arguments)


def test_most_frequent_prefers_the_lowest_of_equals():
    codes = np.array([[2, 2, 1, 1], [0, 0, 0, 2], [-1, -1, -1, -1]], np.int16)
    assert most_frequent(codes, -1).tolist() == [1, 0, -1]
    assert most_frequent(np.array([[0, 0, 0, 3]], np.int8), 0).tolist() == [3]
    assert most_frequent(np.zeros((2, 4), np.int8), 0).tolist() == [0, 0]
