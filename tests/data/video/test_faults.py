import numpy as np
import pytest

from bandpass.data.video.corruption import KINDS, corrupt_frames
from bandpass.data.video.faults import LIMITS, RULES, judge_clips, limits, strengths
from bandpass.data.video.marks import MARKS, MOTION, mark_bins, mark_frames, motion_bins
from bandpass.data.video.signals import SIGNALS, signals

FPS, LENGTH = 8.0, 16


def room(rows: int = 1600, seed: int = 0, shake: float = 0.0) -> np.ndarray:
    """A person crosses a furnished room now and then: (rows, 24, 32, 1) uint8."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :32]
    frames = np.empty((rows, 24, 32))
    for i in range(rows):
        off_y, off_x = shake * generator.standard_normal(2)
        frames[i] = 110 + 40 * np.sin(0.7 * (y + off_y)) + 30 * np.cos(0.5 * (x + off_x))
        at = i % 160
        if at < 40:
            frames[i, 8:16, at // 2 : at // 2 + 5] = 30
    noisy = frames + generator.standard_normal(frames.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)[..., None]


def clips(rows: int) -> np.ndarray:
    return np.arange(0, rows - LENGTH + 1, 8)[:, None] + np.arange(LENGTH)


def judged(frames: np.ndarray, missing: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    gone = np.zeros(len(frames), bool) if missing is None else missing
    rows = clips(len(frames))
    return judge_clips(signals(frames, gone, FPS), rows, np.zeros(len(rows), np.int64))


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupt_clip_is_suspected_by_the_rule_of_its_kind(kind):
    frames, codes = corrupt_frames(room(), 0.1, seed=1, fps=FPS, kinds=(kind,))
    faults, rule = judged(frames)
    share = (codes > 0)[clips(len(frames))].mean(axis=1)
    assert (faults[share >= 0.5] >= 0.9).mean() > 0.9
    assert (faults[share == 0] >= 0.9).mean() < 0.01
    assert (rule[share >= 0.5] == RULES.index(kind)).mean() > 0.8


def test_half_of_a_steady_video_may_shake_and_is_suspected():
    frames, codes = corrupt_frames(room(), 0.5, seed=2, fps=FPS, kinds=("jitter",))
    faults, _ = judged(frames)
    share = (codes > 0)[clips(len(frames))].mean(axis=1)
    assert (faults[share >= 0.5] >= 0.9).mean() > 0.9
    assert (faults[share == 0] >= 0.9).mean() < 0.01


def test_a_camera_that_always_shakes_is_not_suspected_of_it():
    faults, _ = judged(room(shake=1.0))
    assert (faults >= 0.9).mean() < 0.02


def test_a_codec_that_always_repeats_frames_is_not_suspected_of_it():
    frames = room()[np.arange(1600) // 8 * 8]  # every picture stands for a second
    faults, _ = judged(frames)
    assert (faults >= 0.9).mean() == 0
    frames[800:840] = frames[800]
    faults, rule = judged(frames)
    frozen = np.flatnonzero(faults >= 0.9)
    assert 0 < len(frozen) < 8
    assert set(rule[frozen]) == {RULES.index("freeze")}


def test_natural_clips_have_no_suspicion_to_be_ranked_by():
    faults, _ = judged(room(seed=3))
    assert np.median(faults) == 0
    assert (faults > 0).mean() < 0.05


def test_one_switch_of_the_light_is_none():
    frames = room()
    frames[800:] = np.minimum(frames[800:] * 1.4, 255).astype(np.uint8)
    faults, _ = judged(frames)
    assert faults[np.isin(clips(1600), [799, 800]).any(axis=1)].max() < 0.9


def test_missing_frames_are_suspected_where_a_quarter_is_missing():
    missing = np.zeros(1600, bool)
    missing[400:404] = missing[1200:1202] = True
    faults, rule = judged(room(), missing)
    gone = missing[clips(1600)].mean(axis=1)
    assert (faults[gone >= 0.25] >= 0.9).all()
    assert set(rule[gone >= 0.25]) == {RULES.index("missing")}
    assert (faults[gone < 0.25] < 0.9).all()


@pytest.mark.parametrize("kind", ["missing", "blackout", "freeze"])
def test_a_fault_of_two_fifths_of_the_time_is_not_usual(kind):
    frames, missing = room(), np.zeros(1600, bool)
    bad = np.arange(1600) % 160 >= 96
    if kind == "missing":
        missing = bad
    elif kind == "blackout":
        frames[bad] = 3
    else:
        frames = frames[np.where(bad, np.arange(1600) // 160 * 160 + 95, np.arange(1600))]
    faults, rule = judged(frames, missing)
    share = bad[clips(1600)].mean(axis=1)
    assert (faults[share >= 0.5] >= 0.9).all()
    assert set(rule[share >= 0.5]) == {RULES.index(kind)}
    assert (faults[share == 0] < 0.9).all()


def test_every_entity_has_a_usual_of_its_own():
    steady, loose = room(), room(seed=5, shake=1.0)
    both = np.concatenate([signals(f, np.zeros(1600, bool), FPS) for f in (steady, loose)])
    rows = np.concatenate([clips(1600), clips(1600) + 1600])
    entities = np.repeat([0, 1], len(rows) // 2)
    apart, _ = judge_clips(both, rows, entities)
    together, _ = judge_clips(both, rows, np.zeros_like(entities))
    assert (apart >= 0.9).mean() < 0.02
    assert (together[entities == 1] >= 0.9).mean() > 0.5


def test_suspicion_is_nine_tenths_at_the_limit_and_nothing_at_half_of_it():
    found = np.zeros((3 * LENGTH, len(SIGNALS)), np.float32)
    found[:, [SIGNALS.index("brightness"), SIGNALS.index("contrast")]] = 100
    for clip, times in enumerate((0.5, 1.0, 1.5)):
        first = clip * LENGTH
        found[first : first + 4, SIGNALS.index("frozen")] = times * LIMITS["freeze"].fixed
    rows = np.arange(3 * LENGTH).reshape(3, LENGTH)
    faults, rule = judge_clips(found, rows, np.zeros(3, np.int64))
    np.testing.assert_allclose(faults, [0, 0.9, 0.99], atol=1e-6)
    assert (faults.dtype, rule.dtype) == (np.float32, np.uint8)


def test_three_frames_of_sixteen_are_too_few():
    found = np.zeros((LENGTH, len(SIGNALS)), np.float32)
    found[:, SIGNALS.index("contrast")] = 100
    found[:3, SIGNALS.index("frozen")] = 10
    rows = np.arange(LENGTH)[None]
    assert judge_clips(found, rows, np.zeros(1, np.int64))[0][0] == 0


def test_nothing_known_is_no_evidence_but_of_missing():
    found = strengths(np.full((5, len(SIGNALS)), np.nan, np.float32))
    np.testing.assert_array_equal(found[:, 0], 1)
    np.testing.assert_array_equal(found[:, 1:], 0)
    assert limits(np.zeros((4, len(RULES)))).tolist() == [x.fixed for x in LIMITS.values()]


def marked(frames: np.ndarray) -> dict[str, np.ndarray]:
    marks = mark_frames(signals(frames, np.zeros(len(frames), bool), FPS), FPS)
    return {name: np.flatnonzero(column) for name, column in zip(MARKS, marks.T, strict=True)}


def test_a_cut_is_marked_at_its_first_frame_and_shaking_is_none():
    frames = room(320)
    frames[200:] = frames[200:, ::-1, ::-1]
    np.testing.assert_array_equal(marked(frames)["cut"], [200])
    assert not len(marked(room(320, shake=1.5))["cut"])


def test_motion_begins_and_ends_where_the_person_does():
    found = marked(room(320))
    np.testing.assert_allclose(found["onset"], [1, 160], atol=2)
    np.testing.assert_allclose(found["offset"], [40, 200], atol=2)


def test_what_the_camera_does_is_marked():
    frames = room(320)
    frames[60:80] = 3
    frames[100:120] = frames[99]
    frames[240:] = np.minimum(frames[240:] * 1.3, 255).astype(np.uint8)
    found = marked(frames)
    np.testing.assert_array_equal(found["blackout"], np.arange(60, 80))
    assert set(range(100, 120)) <= set(found["freeze"])
    np.testing.assert_array_equal(found["exposure"], [60, 80, 240])


def test_a_clip_is_sorted_by_the_first_mark_that_any_frame_has():
    marks = np.zeros((50, len(MARKS)), bool)
    marks[20:24, MARKS.index("blackout")] = True
    marks[[20, 24], MARKS.index("cut")] = True
    rows = np.arange(0, 45, 5)[:, None] + np.arange(5)
    bins = [[*MARKS, "none"][code] for code in mark_bins(marks, rows)]
    assert bins == ["none"] * 4 + ["blackout", "none", "none", "none", "none"]
    assert [*MARKS, "none"][mark_bins(marks, np.array([[24, 26]]))[0]] == "cut"


def test_motion_sorts_the_clips_of_each_entity():
    frames = room()
    found = signals(frames, np.zeros(1600, bool), FPS)
    rows = np.concatenate([clips(1600), clips(1600)])
    twice = np.concatenate([found, found * 9])
    rows[len(rows) // 2 :] += 1600
    entities = np.repeat([0, 1], len(rows) // 2)
    bins = motion_bins(twice, rows, entities)
    half = len(rows) // 2
    np.testing.assert_array_equal(bins[:half], bins[half:])
    shares = np.bincount(bins, minlength=len(MOTION)) / len(bins)
    np.testing.assert_allclose(shares, [0.5, 0.35, 0.15], atol=0.02)
    motion = found[:, SIGNALS.index("motion")]
    motion[0] = 0
    mean = motion[rows[:half]].mean(axis=1)
    assert mean[bins[:half] == 0].max() <= mean[bins[:half] == 2].min()


def test_clips_without_motion_are_all_still():
    found = np.zeros((64, len(SIGNALS)), np.float32)
    rows = np.arange(64).reshape(4, LENGTH)
    assert (motion_bins(found, rows, np.zeros(4, np.int64)) == MOTION.index("still")).all()
