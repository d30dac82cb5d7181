from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from bandpass.data import Batch
from bandpass.data.video.clips import Clips
from bandpass.data.video.signals import SIGNALS
from bandpass.evaluation import Estimate, videos
from bandpass.recipes import build_jepa
from bandpass.runs.video import encoders, surprise
from bandpass.runs.video.encoders import frozen, grid, motion_energy
from bandpass.runs.video.frames import Frames
from bandpass.runs.video.sample import (
    Sample,
    corners,
    deciles,
    draw,
    events_of,
    marked,
    mean_motion,
    motion_of,
    segments_of,
)
from bandpass.runs.video.study import average


@pytest.fixture(scope="module")
def sample(store) -> Sample:
    return draw(Clips(store, 8, 4, "test"))


def test_a_segment_averages_the_clips_whose_centre_lies_in_it(sample):
    found = segments_of(sample)
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(len(found.codes)))
    centre = (sample.where.starts + sample.where.stops) / 2
    for share, series, start, stop in zip(found.shares, *found.where, strict=True):
        own = share > 0
        assert set(sample.where.recordings[own]) == {series}
        assert ((centre[own] >= start) & (centre[own] < stop)).all()
    assert set(found.where.recordings) == {5, 6, 7}


def test_a_segment_shorter_than_the_stride_has_the_clip_it_shares_most_with(store):
    sparse = draw(Clips(store, 8, 60, "test"))
    found = segments_of(sparse).seen
    assert len(found.codes) > 0
    for share, series, start, stop in zip(found.shares, *found.where, strict=True):
        own = np.flatnonzero(share)
        assert set(sparse.where.recordings[own]) == {series}
        assert (sparse.where.starts[own] < stop).all()
        assert (sparse.where.stops[own] > start).all()


class Cut:
    """A store with other events and runs: of recording 5, whose rows 40 to 60 are an embargo."""

    def __init__(self, store):
        self._store = store
        events = {"series": [5] * 4, "start": [10, 30, 45, 50], "stop": [20, 44, 90, 100]}
        events |= {"label": ["walk", "hop", "fall", "walk"], "track": ["action"] * 4}
        self.events = pa.table(events)
        runs = {"series": [5, 5], "split": ["train", "test"], "start": [0, 60], "stop": [40, 200]}
        self.segments = pa.table(runs)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_an_event_across_the_split_counts_where_most_of_it_lies_and_is_cut_to_that(store):
    clips = Clips(store, 8, 4, "test")
    clips.store = Cut(store)
    found = segments_of(draw(clips))
    assert found.where.starts.tolist() == [60, 60]
    assert found.where.stops.tolist() == [90, 100]
    clips.split = "train"
    found = segments_of(draw(clips))
    assert found.where.starts.tolist() == [10, 30]
    assert found.where.stops.tolist() == [20, 40]


def test_an_event_that_no_clip_shows_is_there_to_be_missed(store):
    every = segments_of(draw(Clips(store, 8, 60, "test")))
    assert 0 < len(every.seen.codes) < len(every.codes)
    assert (every.shares.sum(axis=1) == 0).any()
    dense = segments_of(draw(Clips(store, 8, 4, "test")))
    np.testing.assert_array_equal(every.where.starts, dense.where.starts)


def test_motion_of_a_missing_frame_is_not_stillness(store):
    signals = store.column("signals").copy()
    signals[[3, 4, *range(16, 24)], SIGNALS.index("motion")] = np.nan
    clips = Clips(store, 8, 8, "test")
    clips.store = SimpleNamespace(column=lambda name: signals)
    rows = np.arange(24).reshape(3, 8)
    assert np.isnan(motion_of(clips, rows)).sum(axis=1).tolist() == [2, 0, 7]
    own = signals[[1, 2, 5, 6, 7], SIGNALS.index("motion")].mean()
    assert mean_motion(clips, rows)[0] == pytest.approx(own)
    assert np.isnan(mean_motion(clips, rows)[2])


def test_deciles_part_no_equal_motion_and_leave_the_unknown_out():
    motion = np.array([0.0] * 30 + [1.0] * 10 + [*range(2, 62)] + [np.nan])
    found = deciles(motion)
    assert set(found[:30]) == {0}
    assert len(set(found[30:40])) == 1
    assert found[99] == 9
    assert found[-1] == -1


def test_tracks_mark_the_clips_that_they_touch(sample):
    labels = marked(sample, "moving")
    assert set(labels) == {0, 1}
    events, _ = events_of(sample.store, "moving")
    touched = np.zeros(len(labels), bool)
    for series, start, stop in zip(*events, strict=True):
        near = (sample.where.starts < stop) & (sample.where.stops > start)
        touched |= near & (sample.where.recordings == series)
    assert (labels == touched).all()


def test_corner_cases_are_what_they_say(sample):
    found = corners(sample)
    assert found["rare"].sum() > 0
    assert found["corrupt"].sum() == 0
    assert 0.2 < found["least motion"].mean() < 0.35
    assert 0 < found["boundary"].mean() < 1
    assert sample.side.labels[found["rare"]].tolist() == [1] * int(found["rare"].sum())


def test_gaps_between_scored_frames_are_filled_within_a_recording(sample):
    frames = Frames.of(sample)
    scores = np.full(sample.store.rows, np.nan)
    for one in (5, 6):
        own = frames.rows[frames.series == one]
        scores[own[10]], scores[own[20]] = one, one + 1
    whole = frames.whole(scores)
    of_first = whole[frames.series == 5]
    assert of_first[[0, 10, 15, 20, 25]] == pytest.approx([5, 5, 5.5, 6, 6])
    assert whole[frames.series == 6].min() == 6
    assert np.isnan(whole[frames.series == 7]).all()


def test_frames_that_jump_are_found_by_motion(sample):
    """Hops move more than anything else here: with those as events the ranking is near perfect."""
    frames, motion = Frames.of(sample), surprise.motion_by_row(sample)
    hop = sample.store.regimes.index("hop")
    labels = (sample.store.column("regime")[frames.rows] == hop).astype(np.int64)
    judged = Frames(sample, frames.rows, frames.series, frames.place, labels).judge(motion, 0)
    found = {metric: estimate for _, metric, estimate in judged}
    assert found["auroc"].value > 0.9
    assert found["auroc"].low <= found["auroc"].value <= found["auroc"].high


def test_distance_is_that_to_the_nearest_neighbours():
    generator = np.random.default_rng(0)
    fit, test = generator.normal(size=(40, 3)), generator.normal(size=(7, 3))
    one, other = fit / fit.std(axis=0), test / fit.std(axis=0)
    brute = np.sqrt(((other[:, None] - one[None]) ** 2).sum(axis=2))
    expected = np.sort(brute, axis=1)[:, : surprise.NEIGHBOURS].mean(axis=1)
    assert surprise.distance(fit, test) == pytest.approx(expected)


def test_surprise_is_in_units_of_its_usual_value_and_only_where_it_was_hidden(sample, recipe):
    jepa = build_jepa(recipe(), sample.store.shape).eval()
    found = surprise.surprise(jepa, sample, sample, ("multi-block",))
    assert found.shape == (len(sample.ids), 8)
    assert np.isnan(found[:, :4]).all()  # at most the last half is hidden
    assert np.isfinite(found[:, 4:]).all()
    assert found[:, 4:].mean() == pytest.approx(1, abs=0.05)


def test_poolings_and_grids_have_the_places_they_promise(sample, recipe):
    jepa = build_jepa(recipe(), sample.store.shape).eval()
    batch = sample.clips[sample.ids[:5]]
    found = frozen(jepa)(batch)
    assert {name: each.shape[1] for name, each in found.items()} == {
        videos.SPREAD: 2 * 16,
        videos.PLACE: 2 * 16 * 4,  # 2 x 2 places
    }
    cells = grid(sample.store.shape, (2, 2))(batch)
    assert {name: each.shape[1] for name, each in cells.items()} == {
        videos.TUBELETS: 2 * 4,
        videos.PIXELS: 2 * 12 * 16,
    }


def test_a_cell_is_the_mean_of_the_finer_ones_in_it(sample, monkeypatch):
    monkeypatch.setattr(encoders, "FINEST", (16, 16))
    cells = grid(sample.store.shape, (2, 2))(sample.clips[sample.ids[:5]])
    coarse = cells[videos.PIXELS][:, :256].view(5, 2, 8, 2, 8).mean(dim=(2, 4)).flatten(1)
    assert torch.allclose(coarse, cells[videos.TUBELETS][:, :4], atol=1e-5)


def test_motion_is_not_seen_across_a_missing_frame():
    values = torch.zeros(1, 4, 2)
    values[0, 2] = 9
    there = torch.ones(1, 4, 2, dtype=torch.bool)
    moved = motion_energy(Batch(values, there, [0]))[videos.SUMMARY][0]
    assert moved[3:].tolist() == [0, 9, 9]
    there[0, 2] = False
    assert motion_energy(Batch(values, there, [0]))[videos.SUMMARY][0, 3:].tolist() == [0, 0, 0]


def test_several_initialisations_are_one_row_of_means():
    one = [("place", "action", "macro_f1", Estimate(0.2, 0.1, 0.3, 9))]
    other = [("place", "action", "macro_f1", Estimate(0.4, 0.1, 0.7, 9))]
    ((_, _, _, mean),) = average([one, other])
    assert mean[:3] == pytest.approx((0.3, 0.1, 0.5))
    assert mean[3:] == (9, "")
