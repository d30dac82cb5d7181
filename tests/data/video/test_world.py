from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data.series import DataError
from bandpass.data.video.corruption import KINDS
from bandpass.data.video.sources import find, world, world_dynamics
from bandpass.data.video.sources.world_dynamics import DISCS, FPS, MASSES, RADII, REGIMES

LARGE = slice(0, 2)


def read(**options):
    return list(find("world").recordings(**options))


def places_of(recording):
    return recording.state.reshape(-1, DISCS, 4)


@pytest.fixture(scope="module")
def worlds():
    return read(recordings=12, seconds=120, seed=3)


def test_a_world_depends_on_its_seed_and_number_alone(monkeypatch):
    together = read(recordings=3, seconds=30, seed=5)
    monkeypatch.setattr(world, "AT_ONCE", 1)
    for one, other in zip(together, read(recordings=3, seconds=30, seed=5), strict=True):
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.media.make(), other.media.make())
        assert one.events == other.events
    assert not np.array_equal(read(recordings=1, seconds=30, seed=6)[0].state, together[0].state)


def test_discs_stay_in_the_box(worlds):
    for recording in worlds:
        place = places_of(recording)[..., :2]
        assert (place >= RADII[:, None] - 1e-6).all()
        assert (place <= 1 - RADII[:, None] + 1e-6).all()


def test_collisions_are_rare_and_are_where_the_large_discs_touch(worlds):
    share = np.mean([recording.label for recording in worlds])
    assert 0.014 < share < 0.026
    reach = RADII[LARGE].sum()
    for recording in worlds:
        place = places_of(recording)[:, LARGE, :2].astype(np.float64)
        distance = np.linalg.norm(place[:, 0] - place[:, 1], axis=1)
        assert recording.label[distance < reach].all(), "touching discs collide"
        for event in recording.events:
            if event.label == "collision":
                rows = slice(round(event.start * FPS), round(event.stop * FPS) + 1)
                assert distance[rows].min() < reach + 0.1


def test_the_share_of_collisions_is_an_option():
    often = np.mean([recording.label for recording in read(seconds=120, seed=3, rare=0.06)])
    assert 0.045 < often < 0.075


def test_regimes_fill_the_time_and_differ_in_speed(worlds):
    speeds = {name: [] for name in REGIMES}
    for recording in worlds:
        speed = np.sqrt((places_of(recording)[..., 2:] ** 2).sum(-1).mean(1))
        actions = [event for event in recording.events if event.track == "action"]
        assert actions[0].start == 0
        assert actions[-1].stop * FPS == len(speed)
        for before, after in pairwise(actions):
            assert before.stop == after.start
        for event in actions:
            speeds[event.label].append(speed[int(event.start * FPS) : int(event.stop * FPS)].mean())
    assert np.mean(speeds["calm"]) < np.mean(speeds["swirl"]) < np.mean(speeds["fast"])


def test_the_swirl_takes_discs_around_the_centre(worlds):
    turn = {name: [] for name in REGIMES}
    for recording in worlds:
        x, y, vx, vy = places_of(recording).transpose(2, 0, 1)
        momentum = ((x - 0.5) * vy - (y - 0.5) * vx).mean(1)
        for event in recording.events:
            if event.track == "action":
                rows = slice(round(event.start * FPS) + 20, round(event.stop * FPS))
                turn[event.label] += momentum[rows].tolist()
    assert np.mean(turn["swirl"]) > 0.06
    assert abs(np.mean(turn["calm"])) < 0.02


def test_pictures_show_the_discs_where_the_state_says(worlds):
    recording = worlds[0]
    frames = recording.media.make()
    clean = np.flatnonzero(recording.corrupt == 0)[::97]
    for row in clean.tolist():
        x, y = places_of(recording)[row, 0, :2]
        values = frames[row].astype(float) * (frames[row] > 205)
        down, across = (np.arange(32) + 0.5) / 32, (np.arange(32) + 0.5) / 32
        mass = values.sum()
        assert abs((values.sum(1) * down).sum() / mass - y) < 0.06
        assert abs((values.sum(0) * across).sum() / mass - x) < 0.06


def test_corrupt_frames_are_known_exactly_before_anything_is_drawn():
    clean = read(recordings=1, seconds=120, seed=1, corrupt=0.0)[0]
    damaged = read(recordings=1, seconds=120, seed=1, corrupt=0.2)[0]
    assert not clean.corrupt.any()
    assert (damaged.corrupt > 0).mean() == pytest.approx(0.2, abs=0.01)
    assert set(damaged.corrupt.tolist()) == {0, *range(1, len(KINDS) + 1)}
    np.testing.assert_array_equal(clean.state, damaged.state)
    differs = (clean.media.make() != damaged.media.make()).any((1, 2))
    assert not differs[damaged.corrupt == 0].any()
    assert differs[damaged.corrupt > 0].mean() > 0.9  # a shake by nothing changes nothing


@given(seed=st.integers(0, 2**32 - 1))
def test_a_collision_keeps_momentum_and_energy(seed):
    generator = np.random.default_rng(seed)
    i, j = generator.choice(DISCS, 2, replace=False)
    at = np.full((1, DISCS, 2), 10.0) * np.arange(DISCS)[:, None]  # all others far away
    angle = generator.uniform(0, 2 * np.pi)
    at[0, j] = at[0, i] + 0.9 * (RADII[i] + RADII[j]) * np.array([np.cos(angle), np.sin(angle)])
    before = generator.standard_normal((1, DISCS, 2))
    after, large = world_dynamics.collide(at, before)
    mass = MASSES[:, None]
    np.testing.assert_allclose((mass * after[0]).sum(0), (mass * before[0]).sum(0), atol=1e-9)
    np.testing.assert_allclose((mass * after[0] ** 2).sum(), (mass * before[0] ** 2).sum())
    closing = ((at[0, i] - at[0, j]) * (before[0, i] - before[0, j])).sum() < 0
    parting = ((at[0, i] - at[0, j]) * (after[0, i] - after[0, j])).sum() > 0
    assert parting, "discs that touch fly apart afterwards"
    assert np.array_equal(before, after) != closing
    assert bool(large[0]) == (closing and {int(i), int(j)} == {0, 1})


def test_a_wall_turns_what_flies_out_and_lets_go_what_comes_in():
    at, velocity = np.full((1, DISCS, 2), 0.5), np.zeros((1, DISCS, 2))
    at[0, 0], velocity[0, 0] = (-0.1, 0.5), (-1.0, 0.3)
    at[0, 1], velocity[0, 1] = (0.95, 0.5), (-1.0, 0.3)
    inside, turned = world_dynamics.bounce(at, velocity)
    np.testing.assert_allclose(inside[0, :2], [(RADII[0], 0.5), (1 - RADII[1], 0.5)])
    np.testing.assert_allclose(turned[0, :2], [(1.0, 0.3), (-1.0, 0.3)])


def test_worlds_start_with_discs_that_do_not_touch():
    for seed in range(50):
        at = world_dynamics.places(np.random.default_rng(seed))[:, :2]
        apart = np.linalg.norm(at[:, None] - at[None], axis=-1) + 10 * np.eye(DISCS)
        assert (apart > world_dynamics.NEAR).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("recordings", 0),
        ("seconds", 0.5),
        ("seconds", "nan"),
        ("seed", -1),
        ("rare", 0),
        ("rare", 0.2),
        ("corrupt", 0.6),
        ("recordings", "many"),
    ],
)
def test_an_option_out_of_range_is_named(option, value):
    with pytest.raises(DataError, match=f"option {option}="):
        read(**{option: value})


def test_an_unknown_option_meets_those_there_are():
    with pytest.raises(DataError, match="no option 'speed'; it takes recordings"):
        read(speed=2)
