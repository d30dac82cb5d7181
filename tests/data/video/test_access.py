import os
import pickle
import runpy
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bandpass.data import DataError, StoreError, open_store
from bandpass.data.video import Clips, ClipStore, Video, access
from bandpass.data.video.access import Reader
from bandpass.data.video.decode import decode
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.recording import Recording
from bandpass.data.video.scaling import FrameSettings, Scaler
from bandpass.data.video.sources import find

films = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("films.py"))))
SMALL = FrameSettings((16, 16), 10.0)
FOLDER = replace(find("folder"), size=(16, 16))
REAL = os.environ.get("BANDPASS_DATA")
real = pytest.mark.skipif(not REAL, reason="BANDPASS_DATA names no folder with the real data")


@pytest.fixture
def raw(tmp_path) -> Path:
    """Films with and without an index and timestamps, one cut off, and a folder of images."""
    folder = tmp_path / "raw"
    (folder / "stills").mkdir(parents=True)
    films.film(folder / "a.mp4", 120, front=True)
    films.film(folder / "b.ts", 80)
    films.film(folder / "c.mkv", 60, fps=25)
    films.film(folder / "d.h264", 30, format="h264")
    cut = films.film(folder / "e.mp4", 90, front=True)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 6 // 10])
    for number in range(5):
        films.still(folder / "stills" / f"{number}.png", films.picture(number, (48, 64)))
    return folder


@pytest.fixture
def both(raw, tmp_path) -> tuple[ClipStore, ClipStore]:
    """A store that keeps its frames, and one that does not."""
    kept, light = (
        prepare_video(FOLDER, raw, tmp_path / f"cache-{cache}", Options(workers=1, cache=cache))
        for cache in ("true", "false")
    )
    return kept, light


def test_frames_are_the_same_whether_kept_or_decoded_on_access(both):
    kept, light = both
    assert (kept.cached, light.cached) == (True, False)
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(kept.rows), 2))
    np.testing.assert_array_equal(light.frames_of(rows), kept.column("frames")[rows])
    with pytest.raises(StoreError, match="no column 'frames'"):
        light.column("frames")
    light.verify()


def test_clips_are_the_same_too(both):
    kept, light = (Clips(open_store(store.path), 16, 7, None) for store in both)
    ids = np.arange(len(kept))
    assert kept[ids].values.equal(light[ids].values)
    assert kept[ids].observed.equal(light[ids].observed)


def test_what_is_pickled_opens_its_own_files(both):
    kept, light = both
    light.frames_of(np.arange(20))
    again = pickle.loads(pickle.dumps(light))
    np.testing.assert_array_equal(again.frames_of(np.arange(50)), kept.frames_of(np.arange(50)))


def test_a_few_files_stay_open(both, monkeypatch):
    monkeypatch.setattr(access, "OPEN", 1)
    kept, light = both
    for row in (0, 130, 1, 131, 2):
        one = np.array([row])
        np.testing.assert_array_equal(light.frames_of(one), kept.frames_of(one))
    assert len(light._reader._films) == 1


def test_frames_one_after_the_other_are_decoded_once(both, monkeypatch):
    _, light = both
    seeks = []
    seek = access._Film._seek
    monkeypatch.setattr(access._Film, "_seek", lambda *a: (seeks.append(a[1]), seek(*a))[1])
    for start in range(0, 100, 10):
        light.frames_of(np.arange(start, start + 10))
    assert len(seeks) == 1
    light.frames_of(np.array([5]))
    assert len(seeks) == 2


def test_a_file_that_is_gone_or_another_is_told(both, raw):
    _, light = both
    films.film(raw / "a.mp4", 20)
    with pytest.raises(StoreError, match=r"a\.mp4 has changed since the store was prepared"):
        light.frames_of(np.array([100]))
    (raw / "b.ts").unlink()
    with pytest.raises(StoreError, match=r"b\.ts: no such file; .* prepare the store again"):
        light.frames_of(np.array([150]))


def test_frames_that_cannot_be_scaled_are_told_with_their_file(both, raw, tmp_path, monkeypatch):
    import av

    def refuse(self, frame) -> None:
        raise av.FFmpegError(95, "Operation not supported")

    monkeypatch.setattr(Scaler, "_scaled", refuse)
    _, light = both
    offsets = dict(zip(light.series_names, light.series["offset"].to_pylist(), strict=True))
    why = r"FFmpeg cannot scale its frames of 64 x 48 \w+ \(Operation not supported\)"
    for name, file in (("a", r"a\.mp4"), ("stills", r"0\.png")):
        with pytest.raises(StoreError, match=rf"{file}: {why}.*prepare the store again"):
            light.frames_of(np.array([offsets[name]]))
    with pytest.raises(DataError, match=rf"a\.mp4: {why}"):
        decode(Recording("one", "it", Video(raw / "a.mp4")), tmp_path / "frames.npy", SMALL)


@pytest.mark.parametrize("text", ["[", "[3]", '[{"first": 0}]', None])
def test_a_store_that_lost_its_list_of_files_is_told(tmp_path, text):
    if text is not None:
        (tmp_path / "media.json").write_text(text)
    with pytest.raises(StoreError, match=r"media\.json cannot be read .* prepare the store again"):
        Reader.of_store(tmp_path, SMALL)


def test_a_disk_without_room_keeps_no_frames_unless_told_to(raw, tmp_path, monkeypatch):
    monkeypatch.setattr("bandpass.data.video.prepare.SHARE", 1e-12)
    seen = []
    store = prepare_video(FOLDER, raw, tmp_path / "store", Options(workers=1), seen.append)
    assert not store.cached
    (note,) = (each.note for each in seen if each.note)
    assert "are free: they are not kept, but decoded on access" in note
    assert prepare_video(FOLDER, raw, tmp_path / "other", Options(workers=1, cache="true")).cached


def test_what_cannot_be_decoded_again_has_to_be_kept(raw, tmp_path):
    light = Options(workers=1, cache="false")
    with pytest.raises(DataError, match=r"corrupt=0\.1 .*take cache=true"):
        prepare_video(FOLDER, raw, tmp_path / "store", replace(light, corrupt=0.1))
    with pytest.raises(DataError, match=r"'world-00' is made, not filmed: .*cache=true"):
        prepare_video(find("world"), raw, tmp_path / "store", light)


def restamped(path: Path, stamps: list[int]) -> Path:
    """The film with other timestamps, in milliseconds."""
    import av

    other = path.with_name(f"other-{path.name}")
    with av.open(str(path)) as old, av.open(str(other), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for packet, stamp in zip(packets, stamps, strict=True):
            packet.pts = packet.dts = stamp
            packet.stream = stream
            new.mux(packet)
    return other


def decoded_and_found(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All rows as they are decoded, and as each is found again."""
    decoded = decode(Recording("one", "it", Video(path)), path.with_suffix(".npy"), SMALL)
    assert decoded.stamps is not None
    order = np.random.default_rng(0).permutation(len(decoded.frames))
    reader = Reader([Video(path)], SMALL)
    found = [reader(0, decoded.shown[[i]], decoded.stamps[[i]]) for i in order]
    return decoded.frames[order], np.concatenate(found)


def test_frames_of_one_timestamp_are_told_apart(tmp_path):
    stamps = [100 * (number - number % 3 // 2) for number in range(12)]  # 0 100 100 300 400 400 ..
    kept, found = decoded_and_found(restamped(films.film(tmp_path / "a.mkv", 12), stamps))
    np.testing.assert_array_equal(found, kept)


class Torn:
    """A container that cannot be read to its end, and in which one cannot seek."""

    def __init__(self, container) -> None:
        self._container = container

    def seek(self, *args, **how) -> None:
        import av

        raise av.FFmpegError(1, "Operation not permitted")

    def demux(self, stream):
        import av

        yield from (packet for packet in self._container.demux(stream) if packet.size)
        raise av.FFmpegError(5, "Input/output error")


def test_what_cannot_be_sought_or_read_to_its_end_is_found_all_the_same(tmp_path, monkeypatch):
    opened = access.opened

    @contextmanager
    def torn(path):
        with opened(path) as (container, stream):
            yield Torn(container), stream

    monkeypatch.setattr(access, "opened", torn)
    path = films.film(tmp_path / "a.mkv", 12, fps=25, codec="mpeg2video")  # holds a frame back
    kept, found = decoded_and_found(path)
    np.testing.assert_array_equal(found, kept)


@real
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "fir_actions_room01/rgb/20200628_144536.mp4",
        "ucsd_ped2/ped2_test.mp4",
        "cdnet_traffic/traffic.mp4",
        "intel_cctv/one-by-one-person-detection.mp4",
        "intel_cctv/bottle-detection.mp4",
    ],
)
def test_any_frame_of_a_real_video_is_found_again(name, tmp_path):
    video, settings = Video(Path(REAL or "") / "video" / name), FrameSettings((24, 32), 10.0)
    decoded = decode(Recording("one", "it", video), tmp_path / "frames.npy", settings)
    rows = np.random.default_rng(0).integers(0, len(decoded.frames), 60)
    reader = Reader([video], settings)
    assert decoded.stamps is not None
    for some in (rows, rows[:1], rows[1:2]):
        found = reader(0, decoded.shown[some], decoded.stamps[some])
        np.testing.assert_array_equal(found, decoded.frames[some])
