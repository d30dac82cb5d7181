import math
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data import DataError
from bandpass.data.columns import ColumnWriter
from bandpass.data.video import Frames, Images, Recording, Video
from bandpass.data.video.clock import FrameClock
from bandpass.data.video.decode import decode
from bandpass.data.video.resample import Resampler, RowWriter, Shot
from bandpass.data.video.scaling import FrameSettings

films = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("films.py"))))
SMALL = FrameSettings((12, 16), 10.0)
REAL = os.environ.get("BANDPASS_DATA")
real = pytest.mark.skipif(not REAL, reason="BANDPASS_DATA names no folder with the real data")


@pytest.fixture
def read(tmp_path):
    """Decodes media, or a file."""

    def read(media, settings=SMALL):
        if isinstance(media, Path):
            media = Video(media)
        return decode(Recording("one", "it", media), tmp_path / "frames.npy", settings)

    return read


def numbers(decoded) -> list[int]:
    """Numbers of the frames that rows show, told from the pictures; -1 where missing."""
    told = [films.number_of(frame) for frame in decoded.frames]
    return np.where(decoded.missing, -1, told).tolist()


def array(levels, fps=10.0):
    return Frames(lambda: np.asarray(levels, np.uint8), fps)


def resampled(tmp_path, times, fps, step, gap=1e9):
    """Which shot each row shows."""
    file = ColumnWriter(tmp_path / "rows.npy", np.dtype("u1"), (1, 1, 1))
    rows = RowWriter(file)
    resampler = Resampler(rows, fps, step, gap)
    for index, time in enumerate(times):
        resampler.add(Shot(index, time, lambda: np.zeros((1, 1, 1), np.uint8)))
    resampler.end()
    return rows.close()[0]


def test_frames_are_kept_as_they_are_where_nothing_is_to_change(read):
    levels = np.random.default_rng(0).integers(0, 256, (7, 12, 16), np.uint8)
    decoded = read(array(levels))
    np.testing.assert_array_equal(decoded.frames[..., 0], levels)
    assert decoded.shown.tolist() == list(range(7))
    assert not decoded.missing.any()


@pytest.mark.parametrize(
    ("source", "fps", "shown"),
    [
        (25.0, 25 / 3, [0, 3, 6, 9]),
        (10.0, 20.0, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9]),
        (10.0, 10.0, list(range(10))),
        (29.83, 10.0, [0, 3, 6, 9]),
        (10.0, 1.0, [0]),
    ],
)
def test_any_rate_becomes_another(read, source, fps, shown):
    levels = np.zeros((10, 12, 16), np.uint8)
    decoded = read(array(levels, source), FrameSettings((12, 16), fps))
    assert decoded.shown.tolist() == shown


@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=40),
    st.integers(1, 60),
    st.integers(1, 300),
)
def test_a_row_shows_the_last_frame_that_is_at_most_half_a_frame_ahead(
    tmp_path_factory, steps, fps, step
):
    times = np.cumsum([0, *steps]) / 1000
    away = np.diff(times, prepend=-1e9)
    from_when = times - np.minimum(step / 1000, away) / 2
    shown = resampled(tmp_path_factory.mktemp("rows"), times.tolist(), fps, step / 1000)
    end = times[-1] + min(step / 1000, away[-1])
    assert len(shown) == math.ceil(end * fps - 1e-6)
    expected = [np.flatnonzero(from_when <= row / fps + 1e-6)[-1] for row in range(len(shown))]
    assert [*shown] == expected


def test_a_gap_is_missing_from_one_frame_into_it_to_its_end(tmp_path):
    times = [0.0, 0.1, 0.2, 2.2, 2.3]
    shown = resampled(tmp_path, times, 10.0, 0.1, gap=1.0)
    assert shown.tolist() == [0, 1, 2, *[-1] * 19, 3, 4]
    assert -1 not in resampled(tmp_path, times, 10.0, 0.1, gap=2.0)


def test_scaling_takes_the_mean_of_what_falls_into_a_pixel(read):
    levels = np.random.default_rng(0).integers(0, 256, (1, 96, 160), np.uint8)
    decoded = read(array(levels))
    mean = levels[0].reshape(12, 8, 16, 10).mean(axis=(1, 3))
    assert np.abs(decoded.frames[0, :, :, 0] - mean).max() <= 1


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p"])
def test_black_is_0_and_white_is_255_in_limited_and_in_full_range(read, tmp_path, pixels):
    levels = np.zeros((3, 48, 64), np.uint8)
    levels[:, :, 32:] = 255
    path = films.film(tmp_path / "a.avi", levels, codec="mjpeg", pixels="yuvj420p")
    if pixels == "yuv420p":
        path = films.film(tmp_path / "a.mp4", levels, pixels=pixels)
    frame = read(path).frames[1, :, :, 0]
    assert (frame[:, :7].max() <= 3, frame[:, 9:].min() >= 252) == (True, True)


def test_colours_are_kept_on_request(read, tmp_path):
    levels = np.zeros((3, 48, 64, 3), np.uint8)
    levels[..., 0] = 200
    path = films.film(tmp_path / "red.mp4", levels)
    frame = read(path, FrameSettings((12, 16), 10.0, "rgb")).frames[0]
    assert frame.shape == (12, 16, 3)
    assert np.abs(frame.astype(int) - [200, 0, 0]).max() < 8
    grey = read(array(levels)).frames[0]
    assert np.abs(grey.astype(int) - 60).max() <= 1, "0.299 of red"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm", "a.mov"])
def test_every_frame_of_any_container_is_there(read, tmp_path, name):
    codec = {"a.avi": "mpeg4", "a.webm": "libvpx"}.get(name, "libx264")
    decoded = read(films.film(tmp_path / name, 60, codec=codec))
    assert decoded.shown.tolist() == numbers(decoded) == list(range(60))
    assert decoded.about["source_fps"] == pytest.approx(10)
    assert (decoded.about["source_frames"], decoded.about["damaged"]) == (60, False)
    assert decoded.about["notes"] == []


def test_a_file_that_is_cut_off_keeps_what_decodes_and_its_length(read, tmp_path):
    path = films.film(tmp_path / "cut.mp4", 120, front=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    decoded = read(path)
    there = int((~decoded.missing).sum())
    assert 30 < there < 110
    assert numbers(decoded) == [*range(there), *[-1] * (120 - there)]
    assert not decoded.frames[there:].any()
    (note,) = decoded.about["notes"]
    lost = f"damaged or cut off at {there / 10:.1f} s: {120 - there} frames are missing"
    assert note == f"cut.mp4: is {lost}"


def test_damage_in_the_middle_is_marked_and_what_follows_keeps_its_number(read, tmp_path):
    path = films.film(tmp_path / "hurt.mp4", 150, front=True)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 900] = np.random.default_rng(1).bytes(900)
    path.write_bytes(data)
    decoded = read(path)
    assert 0 < decoded.missing.sum() < 60
    assert len(decoded.frames) == 150
    there = np.flatnonzero(~decoded.missing)
    assert decoded.shown[there].tolist() == there.tolist()
    assert numbers(decoded)[-20:] == list(range(130, 150))
    assert "hurt.mp4: is damaged" in decoded.about["notes"][0]
    assert decoded.about["damaged"]


def test_a_file_without_a_single_picture_is_refused_with_its_name_and_the_reason(read, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 50)
    half = films.film(tmp_path / "half.mp4", 60)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])  # its index is at the end
    films.sound(tmp_path / "sound.wav")
    for name, why in (
        ("empty.mp4", "is empty; download the file again"),
        ("text.mp4", "FFmpeg cannot open it"),
        ("half.mp4", "cut off, or no video at all"),
        ("sound.wav", "there is no video in it, only audio"),
        ("none.mp4", "cannot be read: No such file"),
    ):
        with pytest.raises(DataError, match=rf"{name}: .*{why}"):
            read(tmp_path / name)


def test_the_size_may_change_and_the_clock_be_set_within_a_file(read, tmp_path):
    path = films.film(tmp_path / "two.ts", 30)
    other = films.film(tmp_path / "other.ts", 30, size=(96, 128))
    path.write_bytes(path.read_bytes() + other.read_bytes())
    decoded = read(path)
    assert numbers(decoded) == [*range(30), *range(30)]
    assert decoded.shown.tolist() == list(range(60))
    assert decoded.about["notes"] == [
        "two.ts: changes from 64 x 48 to 128 x 96 pixels",
        "two.ts: 1 frame set the clock anew: it goes on where it was",
    ]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_what_was_filmed_turned_is_turned_upright(read, tmp_path, turned):
    upright = np.zeros((48, 64), np.uint8)
    upright[:24, :32] = 220
    stored = np.rot90(upright, -turned // 90)
    path = films.film(tmp_path / "turned.mp4", [np.ascontiguousarray(stored)] * 5, turned=turned)
    decoded = read(path)
    frame = decoded.frames[2, :, :, 0].astype(int)
    assert frame[:5, :7].min() > 200
    assert max(frame[7:].max(), frame[:, 9:].max()) < 20
    assert decoded.about["notes"] == [f"turned.mp4: was filmed turned: is turned by {turned} deg"]


def test_frames_without_timestamps_are_counted(read, tmp_path):
    path = films.film(tmp_path / "raw.h264", 40, format="h264")
    decoded = read(path)
    assert numbers(decoded) == list(range(40))
    (note,) = decoded.about["notes"]
    assert note == "raw.h264: 40 frames had no timestamp: they are counted at the usual rate"


def test_a_changing_frame_rate_is_resampled_by_its_timestamps(read, tmp_path):
    steps = [100] * 20 + [50] * 20 + [200] * 20
    stamps = np.cumsum([0, *steps])[:-1]
    decoded = read(films.film(tmp_path / "vary.mkv", 60, stamps=stamps))
    expected = [*range(20), *range(20, 40, 2), *np.repeat(range(40, 60), 2)]
    assert np.abs(decoded.shown[:69] - np.array(expected)[:69]).max() <= 1
    assert len(decoded.frames) in (69, 70), "how long the last is shown no file tells"
    assert decoded.shown.tolist() == numbers(decoded)


def test_timestamps_win_over_a_declared_rate(read, tmp_path):
    path = films.film(tmp_path / "slow.mkv", 30, stamps=np.arange(30) * 400)  # declares 10
    decoded = read(path)
    assert decoded.shown.tolist() == [min((row + 2) // 4, 29) for row in range(120)]
    (note,) = decoded.about["notes"]
    assert "declares 10 frames a second, its timestamps say 2.5: the timestamps hold" in note
    assert decoded.about["source_fps"] == pytest.approx(2.5)


def test_a_gap_in_the_timestamps_is_missing(read, tmp_path):
    stamps = np.arange(40) * 100 + np.where(np.arange(40) < 20, 0, 3000)
    decoded = read(films.film(tmp_path / "gap.mkv", 40, stamps=stamps))
    assert numbers(decoded) == [*range(20), *[-1] * 30, *range(20, 40)]


def test_a_clock_never_goes_back():
    clock = FrameClock(10.0, 100.0)
    times = [clock.tick(stamp) for stamp in (5.0, 5.1, 5.05, 5.2, None, 5.4, 1.0, 1.1, 9999.0)]
    assert times == pytest.approx([5.0, 5.1, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7])
    assert [*clock.notes()] == [
        "1 frame came too early: each is put at the time of the one before it",
        "1 frame had no timestamp: they are counted at the usual rate",
        "2 frames set the clock anew: it goes on where it was",
    ]
    assert clock.was_set


def test_a_long_gap_before_the_declared_end_is_no_broken_clock():
    clock = FrameClock(10.0, 5000.0)
    assert [clock.tick(0.0), clock.tick(4000.0)] == [0.0, 4000.0]
    assert not clock.was_set


def test_several_recordings_of_one_file_are_its_parts(read, tmp_path):
    path = films.film(tmp_path / "all.mp4", 60)
    whole = read(path).frames.copy()
    for first, count in ((0, 20), (23, 17), (40, None)):
        decoded = read(Video(path, first, count))
        stop = 60 if count is None else first + count
        np.testing.assert_array_equal(decoded.frames, whole[first:stop])
        assert decoded.shown.tolist() == list(range(stop - first)), "numbered from its own first"
    past = read(Video(path, 50, 20))
    assert past.shown.tolist() == [*range(10), *[-1] * 10]
    with pytest.raises(DataError, match=r"all\.mp4: not one frame of 'one' can be decoded"):
        read(Video(path, 60, 10))


def test_images_are_frames_whatever_their_size_and_kind(read, tmp_path):
    paths = [
        films.still(tmp_path / "a%03d.png", films.picture(0, (48, 64))),
        films.still(tmp_path / "b.jpg", films.picture(1, (24, 32))),
        films.still(tmp_path / "c.bmp", films.picture(2, (48, 64))),
        tmp_path / "d.png",
        films.still(tmp_path / "e.png", films.picture(4, (48, 64))),
    ]
    paths[3].write_text("no picture")
    decoded = read(Images(tuple(paths), 10.0))
    assert numbers(decoded) == [0, 1, 2, -1, 4]
    name = tmp_path.name
    assert decoded.about["notes"] == [
        f"{name}: 1 images cannot be read: d.png",
        f"{name}: images are of 2 sizes, 64 x 48 and 32 x 24 among them",
    ]
    assert decoded.about["damaged"]
    alone = read(Images((paths[1],), 10.0))
    assert (alone.frames.shape, alone.shown.tolist()) == ((1, 12, 16, 1), [0])
    with pytest.raises(DataError, match="not one frame"):
        read(Images((paths[3],), 10.0))


def test_only_frames_that_are_shown_are_read(read, tmp_path):
    paths = [films.still(tmp_path / f"{n}.png", films.picture(n, (24, 32))) for n in range(7)]
    for n in (1, 2, 4, 5):
        paths[n].write_text("never read")
    decoded = read(Images(tuple(paths), 30.0))
    assert numbers(decoded) == [0, 3, 6]
    assert decoded.about["notes"] == []


@pytest.mark.parametrize(
    "levels", [np.zeros((3, 12, 16)), np.zeros((12, 16), np.uint8), np.zeros((0, 12, 16), np.uint8)]
)
def test_an_array_that_holds_no_frames_is_refused(read, levels):
    with pytest.raises(DataError, match=r"'one' is made of .*must be"):
        read(Frames(lambda: levels, 10.0))


def test_pyav_is_needed_for_files_only(read, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert len(read(array(np.zeros((3, 12, 16)))).frames) == 3
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DataError, match=r"pip install 'bandpass\[video\]'"):
        read(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (((2, 16), 10.0), "height=2 width=16"),
        (((12, 16), 0.0), "fps=0"),
        (((12, 16), math.nan), "fps=nan"),
        (((12, 16), 10.0, "pink"), "colour='pink': must be one of grey, rgb"),
    ],
)
def test_frames_that_cannot_be_are_refused(given, match):
    with pytest.raises(DataError, match=match):
        FrameSettings(*given)


@real
def test_a_real_session_has_all_its_frames(read):
    folder = Path(REAL or "") / "video" / "fir_actions_room01" / "rgb"
    decoded = read(folder / "20200628_144536.mp4", FrameSettings((24, 32), 25 / 3))
    assert decoded.shown.tolist() == list(range(0, 1511, 3))
    assert (decoded.about["source_fps"], decoded.about["notes"]) == (25.0, [])
