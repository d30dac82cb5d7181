import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data import DataError
from bandpass.data.video.corruption import KINDS, corrupt_frames, corrupt_in_place, spans

FPS = 8.0
seeds = st.integers(0, 2**32 - 1)


def film(rows: int, seed: int = 0, height: int = 20, width: int = 34) -> np.ndarray:
    """A textured picture with a bright square that wanders: (rows, height, width, 1)."""
    generator = np.random.default_rng(seed)
    frames = np.repeat(generator.integers(40, 200, (1, height, width, 1)), rows, axis=0)
    for i, frame in enumerate(frames):
        frame[2 + i % 10 : 6 + i % 10, 3 + i % 20 : 7 + i % 20] = 230
    return frames.astype(np.uint8)


def corrupted(kind: str, rows: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The spans of one kind, the frames they replace, and where they are."""
    frames = film(rows)
    out, codes = corrupt_frames(frames, 0.3, seed=1, fps=FPS, kinds=(kind,))
    assert set(codes) == {0, 1 + KINDS.index(kind)}
    hit = np.flatnonzero(codes)
    return out[hit], frames[hit], hit


@given(rows=st.integers(1, 300), share=st.floats(0, 0.5), seed=seeds)
def test_only_labelled_frames_change(rows: int, share: float, seed: int) -> None:
    frames = film(rows, height=3, width=4)
    before = frames.copy()
    out, codes = corrupt_frames(frames, share, seed=seed, fps=FPS)
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(out[codes == 0], frames[codes == 0])
    assert (out.dtype, out.shape) == (np.uint8, frames.shape)
    assert codes.dtype == np.int8
    assert codes.min() >= 0
    assert codes.max() <= len(KINDS)


@given(rows=st.integers(1, 5000), share=st.floats(0.001, 0.5), fps=st.floats(0.1, 60.0), seed=seeds)
def test_spans_last_one_to_four_seconds_with_a_clean_frame_before(rows, share, fps, seed):
    last = 0
    for start, stop in spans(rows, share, fps, np.random.default_rng(seed)):
        assert last < start
        assert max(round(fps), 1) <= stop - start <= max(round(4 * fps), 1)
        last = stop
    assert last <= rows


@given(rows=st.integers(60, 3000), share=st.floats(0.2, 0.5), seed=seeds)
def test_the_share_is_met_to_the_frame(rows: int, share: float, seed: int) -> None:
    found = spans(rows, share, FPS, np.random.default_rng(seed))
    assert sum(stop - start for start, stop in found) == round(share * rows)


def test_short_recordings_meet_the_share_together():
    hit = [len(spans(40, 0.05, FPS, np.random.default_rng(seed))) for seed in range(2000)]
    assert set(hit) == {0, 1}
    assert 8 * np.mean(hit) / 40 == pytest.approx(0.05, rel=0.15)


def test_share_zero_changes_nothing():
    frames = film(50)
    out, codes = corrupt_frames(frames, 0.0, seed=0, fps=FPS)
    assert out is frames
    assert not codes.any()


def test_same_seed_same_faults():
    one, two, other = (corrupt_frames(film(200), 0.3, seed=seed, fps=FPS) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[1], other[1])


def test_in_place_it_is_the_same_but_for_what_is_spared():
    frames, spared = film(400), np.arange(400) % 7 == 0
    out, codes = corrupt_frames(frames, 0.4, seed=1, fps=FPS)
    there = frames.copy()
    hit = corrupt_in_place(there, 0.4, seed=1, fps=FPS, spared=spared)
    np.testing.assert_array_equal(hit, np.where(spared, 0, codes))
    np.testing.assert_array_equal(there[~spared], out[~spared])
    np.testing.assert_array_equal(there[spared], frames[spared])


def test_in_place_it_holds_a_span_in_memory_and_not_the_recording():
    frames = film(20_000)
    tracemalloc.start()
    corrupt_in_place(frames, 0.5, seed=1, fps=FPS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < frames.nbytes / 4


def test_where_it_is_depends_on_no_pixel():
    _, one = corrupt_frames(film(200), 0.3, seed=1, fps=FPS)
    _, two = corrupt_frames(np.zeros((200, 1, 1, 1), np.uint8), 0.3, seed=1, fps=FPS)
    np.testing.assert_array_equal(one, two)


def test_kinds_take_turns():
    _, codes = corrupt_frames(film(4000), 0.3, seed=0, fps=FPS)
    starts = np.flatnonzero(np.diff(codes, prepend=0) > 0)
    counts = np.bincount(codes[starts], minlength=len(KINDS) + 1)[1:]
    assert counts.min() >= counts.max() - 1 > 0


def test_jitter_shifts_by_a_pixel_or_two_and_repeats_the_edge():
    out, frames, _ = corrupted("jitter")
    moved = 0
    for shaken, steady in zip(out[..., 0], frames[..., 0], strict=True):
        wide = np.pad(steady, ((1, 1), (2, 2)), mode="edge")
        views = [wide[y : y + 20, x : x + 34] for y in range(3) for x in range(5)]
        fits = [place for place, view in enumerate(views) if np.array_equal(view, shaken)]
        assert fits
        moved += fits[0] != 7
    assert moved > len(out) / 2


def test_blackout_shows_nothing_and_does_not_repeat():
    out, _, _ = corrupted("blackout")
    assert out.mean() < 20
    assert out.std(axis=(1, 2, 3)).max() < 4
    assert all(not np.array_equal(one, two) for one, two in zip(out[1:], out[:-1], strict=True))


def test_freeze_repeats_the_last_clean_frame():
    out, _, hit = corrupted("freeze")
    frames = film(200)
    first = hit[np.diff(hit, prepend=-2) > 1]
    for start in first:
        stop = start + np.flatnonzero(np.append(np.diff(hit[hit >= start]), 2) > 1)[0] + 1
        held = out[np.isin(hit, np.arange(start, stop))]
        np.testing.assert_array_equal(held, np.broadcast_to(frames[start - 1], held.shape))


def test_flicker_is_one_factor_a_frame():
    out, frames, _ = corrupted("flicker")
    unclipped = out < 255
    factors = np.array(
        [np.median(o[u] / f[u]) for o, f, u in zip(out, frames, unclipped, strict=True)]
    )
    expected = np.minimum(factors[:, None, None, None] * frames, 255)
    np.testing.assert_allclose(out, expected, atol=1.5)
    assert np.ptp(factors) > 0.5


def test_noise_adds_fifteen_levels_or_more_and_no_two_alike():
    out, frames, _ = corrupted("noise")
    added = out.astype(int) - frames
    assert 12 < added.std() < 55
    assert abs(added.mean()) < 8
    assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("share", "fps", "kinds", "named"),
    [
        (0.6, FPS, KINDS, "corrupt=0.6"),
        (float("nan"), FPS, KINDS, "corrupt=nan"),
        (0.1, 0.0, KINDS, "fps=0.0"),
        (0.1, FPS, ("jitter", "snow"), "'snow'"),
        (0.1, FPS, (), "nothing"),
    ],
)
def test_what_is_out_of_range_is_named(share, fps, kinds, named):
    with pytest.raises(DataError, match=named):
        corrupt_frames(film(50), share, seed=0, fps=fps, kinds=kinds)
