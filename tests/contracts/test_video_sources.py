"""Every source of videos keeps the contract of `VideoSource` on a look-alike in its raw layout.

A source is tested by being in `VIDEO_SOURCES`; ``tests/data/video/<name>/make.py`` writes the
look-alike, whose videos are encoded on the spot.
"""

import pickle
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.series import DataError
from bandpass.data.video.corruption import KINDS
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.recording import Frames, Images, Recording, VideoSource
from bandpass.data.video.sources import VIDEO_SOURCES, find

DATA = Path(__file__).parents[1] / "data" / "video"
PAGE = Path(__file__).parents[2] / "docs" / "video-sources.md"
READING = [name for name in VIDEO_SOURCES if name != "world"]


@dataclass(frozen=True)
class LookAlike:
    source: VideoSource
    raw: Path
    options: dict[str, str]

    def read(self) -> list[Recording]:
        return list(self.source.recordings(self.raw, **self.options))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LookAlike]:
    encode = runpy.run_path(str(DATA / "encode.py"))["encode"]
    found = {}
    for name, source in VIDEO_SOURCES.items():
        script = DATA / name / "make.py"
        assert script.is_file(), f"{script} must write a look-alike of {name!r}"
        raw = tmp_path_factory.mktemp(name)
        found[name] = LookAlike(source, raw, runpy.run_path(str(script))["make"](raw, encode))
    return found


@pytest.fixture(params=VIDEO_SOURCES)
def look_alike(request: pytest.FixtureRequest, originals: dict[str, LookAlike]) -> LookAlike:
    return originals[request.param]


@pytest.fixture(params=READING)
def own(
    request: pytest.FixtureRequest, originals: dict[str, LookAlike], tmp_path: Path
) -> LookAlike:
    """A look-alike that a test may break."""
    original = originals[request.param]
    shutil.copytree(original.raw, tmp_path / "raw")
    return LookAlike(original.source, tmp_path / "raw", original.options)


def files_of(recording: Recording) -> list[Path]:
    media = recording.media
    if isinstance(media, Images):
        return list(media.paths)
    return [media.path] if media.path is not None else []


def test_the_card_is_complete(look_alike: LookAlike) -> None:
    source = look_alike.source
    assert find(source.name) is source
    assert all((source.title, source.licence, source.home, source.layout))
    assert "\n" not in source.title + source.licence + source.home
    assert set(look_alike.options) <= set(source.options)
    assert all(side % 8 == 0 for side in source.size), "patches of 8 pixels fill a frame"
    assert source.fps > 0
    assert f"`{source.name}`" in PAGE.read_text()


def test_a_name_that_is_wrong_meets_the_nearest() -> None:
    with pytest.raises(DataError, match="'ped2': did you mean 'ucsd_ped2'"):
        find("ped2")


def test_names_are_unique_and_what_they_name_is_there(look_alike: LookAlike) -> None:
    read = look_alike.read()
    names = [recording.name for recording in read]
    assert len(set(names)) == len(names) > 0
    assert all(path.is_file() for recording in read for path in files_of(recording))
    assert all(recording.entity for recording in read)


def test_two_reads_are_equal(look_alike: LookAlike) -> None:
    for one, two in zip(look_alike.read(), look_alike.read(), strict=True):
        assert (one.name, one.entity, one.events, one.split) == (
            two.name,
            two.entity,
            two.events,
            two.split,
        )
        assert files_of(one) == files_of(two)
        for column in ("label", "corrupt", "state"):
            np.testing.assert_array_equal(getattr(one, column), getattr(two, column))


def test_events_are_stretches_with_a_label_and_a_track(look_alike: LookAlike) -> None:
    events = [event for recording in look_alike.read() for event in recording.events]
    assert events
    for event in events:
        assert 0 <= event.start < event.stop < np.inf
        assert event.label
        assert event.track


def test_what_is_rare_happens(look_alike: LookAlike) -> None:
    read = look_alike.read()
    rare = look_alike.source.rare.union(*(recording.rare for recording in read))
    assert rare
    assert rare <= {event.label for recording in read for event in recording.events}


def test_columns_of_frames_fit_each_other(look_alike: LookAlike) -> None:
    count = len(look_alike.source.state)
    for recording in look_alike.read():
        label, corrupt, state = recording.label, recording.corrupt, recording.state
        lengths = {len(column) for column in (label, corrupt, state) if column is not None}
        assert len(lengths) <= 1
        if label is not None:
            assert label.dtype == np.int8
            assert set(label.tolist()) <= {-1, 0, 1}
        if corrupt is not None:
            assert corrupt.dtype == np.int8
            assert set(corrupt.tolist()) <= set(range(len(KINDS) + 1))
        assert (state is not None) == (count > 0)
        if state is not None:
            assert state.dtype == np.float32
            assert state.shape[1:] == (count,)
            assert np.isfinite(state).all()


def test_recordings_go_to_other_processes(look_alike: LookAlike) -> None:
    for recording in look_alike.read():
        sent = pickle.loads(pickle.dumps(recording))
        assert sent.events == recording.events
        if isinstance(recording.media, Frames):
            frames = recording.media.make()
            assert frames.dtype == np.uint8
            assert frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3)
            assert recording.label is None or len(frames) == len(recording.label)
            np.testing.assert_array_equal(frames, sent.media.make())


def test_it_becomes_a_store_with_events_on_both_sides(
    look_alike: LookAlike, tmp_path: Path
) -> None:
    source, options = look_alike.source, Options(workers=1, of_source=look_alike.options)
    store = prepare_video(source, look_alike.raw, tmp_path / "store", options)
    assert store.shape == (*source.size, 1)
    assert store.series_names == [recording.name for recording in look_alike.read()]
    assert not store.column("missing").any()
    assert store.column("frames").std() > 5, "there is something to see"
    label, offset = store.column("label"), store.series["offset"].to_pylist()
    for side in ("train", "test"):
        runs = [run for run in store.segments.to_pylist() if run["split"] == side]
        rows = np.concatenate(
            [np.arange(run["start"], run["stop"]) + offset[run["series"]] for run in runs]
        )
        assert 1 in label[rows], f"{side} has an event"
    if source.state:
        assert np.isfinite(store.column("state")).all()


def test_the_split_names_what_is_there(look_alike: LookAlike) -> None:
    split, read = look_alike.source.split, look_alike.read()
    free = [recording for recording in read if recording.split is None]
    assert {recording.split for recording in read} <= {None, "train", "test"}
    assert split.by in ("time", "series", "entity")
    if free and split.by != "time":
        names = {r.entity if split.by == "entity" else r.name for r in free}
        assert split.test <= names
        assert names - split.test, "nothing would be in train"


def test_a_missing_folder_shows_the_layout(own: LookAlike) -> None:
    nowhere = own.raw / "nowhere"
    with pytest.raises(DataError, match="no such") as caught:
        list(own.source.recordings(nowhere, **own.options))
    assert str(nowhere) in str(caught.value)
    assert own.source.layout in str(caught.value)


def test_every_missing_file_is_named_with_its_home(own: LookAlike) -> None:
    if own.source.name == "folder":
        pytest.skip("a folder misses nothing: what is there is read")
    needed = sorted(path for path in own.raw.rglob("*") if path.is_file())
    if own.source.name == "fir_thermal_room01":
        needed = [path for path in needed if path.suffix != ".mp4"]
    if own.source.name == "fir_actions_room01":
        needed = [path for path in needed if path.suffix != ".npz"]
    assert len(needed) > 1
    for path in needed:
        away = path.rename(path.with_name("away"))
        with pytest.raises(DataError, match="no such file; get it from") as caught:
            own.read()
        assert str(path) in str(caught.value)
        assert own.source.home in str(caught.value)
        away.rename(path)


def cut_a_line(text: str) -> str:
    lines = text.splitlines()
    lines[2] = lines[2].rpartition(",")[0]
    return "\n".join(lines) + "\n"


def put_text(text: str) -> str:
    """Put words where line 3 has numbers."""
    lines = text.splitlines()
    cells = lines[2].split(",")
    cells[1:] = [cell if cell.isalpha() or not cell else "oops" for cell in cells[1:]]
    lines[2] = ",".join(cells)
    return "\n".join(lines) + "\n"


def drop_a_column(text: str) -> str:
    return "\n".join(line.partition(",")[2] for line in text.splitlines()) + "\n"


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "ragged": (cut_a_line, r"line 3: \d+ values under \d+ columns"),
    "text for a number": (put_text, r"line 3: .*='oops' is not a"),
    "a column less": (drop_a_column, "line 1: must name"),
    "empty": (lambda text: "", "line 1: must name"),
}


UNREAD = {("fir_actions_room01", "sessions.csv", "text for a number")}  # its thermal twin's


@pytest.mark.parametrize("fault", BROKEN)
def test_a_malformed_table_is_named_with_its_line(own: LookAlike, fault: str) -> None:
    breaks, message = BROKEN[fault]
    for path in sorted(own.raw.glob("*.csv")):
        if (own.source.name, path.name, fault) in UNREAD:
            continue
        text = path.read_text()
        path.write_text(breaks(text))
        with pytest.raises(DataError, match=message) as caught:
            own.read()
        assert str(path) in str(caught.value)
        path.write_text(text)


def test_a_table_that_is_not_utf8_is_named(own: LookAlike) -> None:
    for path in sorted(own.raw.glob("*.csv")):
        data = path.read_bytes()
        path.write_bytes(data + b"\xff\xfe\n")
        with pytest.raises(DataError, match="not UTF-8") as caught:
            own.read()
        assert str(path) in str(caught.value)
        path.write_bytes(data)


def test_arrays_cut_short_are_named(own: LookAlike) -> None:
    for path in (*own.raw.glob("*.npz"), *own.raw.glob("*.npy")):
        if own.source.name == "fir_actions_room01":
            continue  # only its thermal twin reads arrays
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(DataError) as caught:
            own.read()
        assert str(path) in str(caught.value)
        path.write_bytes(data)
