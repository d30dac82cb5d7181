import numpy as np
import pytest

from bandpass.data.video import signals as module
from bandpass.data.video.signals import LEVELS, MOTIONS, SIGNALS, signals

FPS = 10.0
HEIGHT, WIDTH = 24, 32


def scene(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth random picture, (height, width) float: what a camera sees of a room."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = generator.uniform(0.1, 0.5, (6, 2)), generator.uniform(0, 6, 6)
    picture = sum(np.sin(a * y + b * x + c) for (a, b), c in zip(*waves, strict=True))
    return 120 + 18 * picture


def film(pictures: np.ndarray) -> np.ndarray:
    """(F, height, width) to (F, height, width, 1) uint8."""
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)[..., None]


def still(rows: int = 20, noise: float = 1.0) -> np.ndarray:
    return scene() + noise * np.random.default_rng(1).standard_normal((rows, HEIGHT, WIDTH))


def of(frames: np.ndarray, name: str, missing: np.ndarray | None = None) -> np.ndarray:
    gone = np.zeros(len(frames), bool) if missing is None else missing
    return signals(frames, gone, FPS)[:, SIGNALS.index(name)]


def test_every_signal_has_a_name_of_its_own():
    found = signals(film(still()), np.zeros(20, bool), FPS)
    assert found.shape == (20, len(SIGNALS))
    assert found.dtype == np.float32
    assert len(set(SIGNALS)) == len(SIGNALS)
    assert (len(LEVELS), len(MOTIONS)) == (16, 16)


def test_level_signals_have_their_plain_meaning():
    frames = film(still())
    grey = frames[..., 0].astype(float)
    down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
    steps = np.concatenate([down.reshape(20, -1), across.reshape(20, -1)], axis=1)
    np.testing.assert_allclose(of(frames, "brightness"), grey.mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(of(frames, "contrast"), grey.std((1, 2)), rtol=1e-3)
    np.testing.assert_allclose(of(frames, "sharpness"), np.sqrt((steps**2).mean(1)), rtol=1e-3)


def test_step_signals_have_their_plain_meaning():
    frames = film(still(noise=8.0))
    change = np.abs(np.diff(frames[..., 0].astype(float), axis=0))
    np.testing.assert_allclose(of(frames, "motion")[1:], change.mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(of(frames, "moving")[1:], (change > 12).mean((1, 2)), rtol=1e-4)


def test_extremes_are_counted_to_the_level():
    frames = np.full((2, 8, 8, 1), 128, np.uint8)
    frames[0, 0, :6, 0] = [0, 4, 5, 251, 252, 255]
    assert of(frames, "extremes")[0] == pytest.approx(4 / 64)


@pytest.mark.parametrize("shift", [(0, 2), (-1, 0), (2, -3), (0.5, 0), (-0.4, 1.3)])
def test_a_shift_of_the_whole_picture_is_measured(shift):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    there = [np.sin(0.5 * (y - k * shift[0])) + np.cos(0.35 * (x - k * shift[1])) for k in (0, 1)]
    frames = film(120 + 40 * np.stack(there))
    assert of(frames, "shift-y")[1] == pytest.approx(shift[0], abs=0.15)
    assert of(frames, "shift-x")[1] == pytest.approx(shift[1], abs=0.15)


def test_what_moves_in_part_of_the_picture_is_no_shift():
    pictures = still(12)
    for i, picture in enumerate(pictures):
        picture[8:16, 4 + 2 * i : 10 + 2 * i] = 20
    frames = film(pictures)
    assert of(frames, "motion")[1:].min() > 2
    assert not of(frames, "shift-y")[1:].any()
    assert not of(frames, "shift-x")[1:].any()


def test_light_and_noise_are_no_shift():
    generator = np.random.default_rng(2)
    lit = scene() * generator.uniform(0.6, 1.4, (10, 1, 1))
    noisy = scene() + 30 * generator.standard_normal((10, HEIGHT, WIDTH))
    for frames in (film(lit), film(noisy)):
        assert not of(frames, "shift-y")[1:].any()
        assert not of(frames, "shift-x")[1:].any()


def test_frozen_is_the_length_of_the_whole_repeat():
    frames = film(still(30))
    frames[10:16] = frames[9]
    expected = np.zeros(30, np.float32)
    expected[10:16] = 0.6
    np.testing.assert_allclose(of(frames, "frozen"), expected)


def test_a_repeat_in_grey_alone_is_none():
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    frames[0], frames[1], frames[2] = (30, 60, 90), (90, 60, 30), (90, 60, 30)
    np.testing.assert_allclose(of(frames, "frozen"), [0, 0, 0.1])


def test_exposure_is_what_changes_everywhere():
    pictures = still(6, noise=0)
    pictures[3:] += 20
    pictures[4, :8, :8] = 0
    exposure = of(film(pictures), "exposure")
    assert exposure[3] == pytest.approx(20, abs=0.5)
    assert abs(exposure[4]) < 1


def test_a_cut_is_another_picture_and_not_another_light():
    same, other = scene(), scene(7)
    cut = of(film(np.stack([same, same * 0.8, same, other])), "cut")
    assert cut[1] < 0.05
    assert cut[2] < 0.05
    assert cut[3] > 0.5


def test_the_grid_says_where():
    pictures = still(11, noise=0)
    pictures[5:, 18:, 24:] += 50  # the last of 4 x 4 cells
    found = signals(film(pictures), np.zeros(11, bool), FPS)
    np.testing.assert_allclose(found[6:, LEVELS[-1]], 0, atol=0.5)  # usual since it is most of it
    np.testing.assert_allclose(found[:5, LEVELS[-1]], -50, atol=0.5)
    np.testing.assert_allclose(found[:, LEVELS[0]], 0, atol=0.5)
    assert found[5, MOTIONS].argmax() == 15
    assert np.count_nonzero(found[5, MOTIONS]) == 1


def test_what_is_missing_is_unknown_and_so_is_the_step_after_it():
    missing = np.zeros(10, np.int8)
    missing[4:6] = 1
    frames = film(still(10))
    frames[4:6] = 0
    found = signals(frames, missing, FPS)
    assert np.isnan(found[4:6]).all()
    brightness, motion = SIGNALS.index("brightness"), SIGNALS.index("motion")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found[:, brightness])), [4, 5])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found[:, motion])), [0, 4, 5, 6])


@pytest.mark.parametrize("colours", [1, 3])
def test_blocks_do_not_show(monkeypatch, colours):
    frames = np.repeat(film(still(60, noise=3.0)), colours, axis=-1)
    frames[20:40] = frames[19]
    whole = signals(frames, np.zeros(60, bool), FPS)
    monkeypatch.setattr(module, "BLOCK_VALUES", 9 * HEIGHT * WIDTH)
    np.testing.assert_allclose(
        signals(frames, np.zeros(60, bool), FPS), whole, rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (5, 200), (7, 9)])
def test_any_size_will_do(size):
    frames = np.random.default_rng(0).integers(0, 256, (6, *size, 1)).astype(np.uint8)
    assert np.isfinite(signals(frames, np.zeros(6, bool), FPS)[1:, :11]).all()


def test_no_frames_have_no_signals():
    assert signals(np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, bool), FPS).shape == (0, 43)
