import os
import re
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.manifest import FORMAT
from bandpass.data.series import DataError
from bandpass.data.video.recording import Decoded, Event, Frames, Images, Recording, Video
from bandpass.data.video.rows import rows_of
from bandpass.data.video.sources import _reading, find, folder
from bandpass.data.video.sources.fir_actions_room01 import LAG

HERE = Path(__file__).parent
ENCODE = runpy.run_path(str(HERE / "encode.py"))["encode"]
REAL = os.environ.get("BANDPASS_DATA")
real = pytest.mark.skipif(not REAL, reason="BANDPASS_DATA names no folder with the real data")


@pytest.fixture
def made(tmp_path):
    def make(name):
        runpy.run_path(str(HERE / name / "make.py"))["make"](tmp_path, ENCODE)
        return tmp_path

    return make


def by_name(source, raw, **options):
    return {recording.name: recording for recording in find(source).recordings(raw, **options)}


def write(raw, *rows, name="segments.csv"):
    (raw / name).write_text("\n".join(("video,start,end,label", *rows)) + "\n")


def test_flags_of_frames_become_half_open_events():
    flags = np.array([1, 1, 0, 0, 1], bool)
    assert _reading.flagged(flags, 2.0, "up", "track") == (
        Event(0.0, 1.0, "up", "track"),
        Event(2.0, 2.5, "up", "track"),
    )
    assert _reading.flagged(np.zeros(3, bool), 2.0, "up", "track") == ()


def test_actions_are_in_seconds_of_the_video(made):
    found = by_name("fir_actions_room01", made("fir_actions_room01"))
    walk, falling, _ = found["20200626_154313"].events
    assert (walk.start, walk.stop, walk.label, walk.track) == (0.64, 3.84, "walk", "action")
    assert falling.start < walk.stop, "segments may overlap"


def test_the_thermal_record_is_even_and_of_pairs_of_rows(made):
    raw = made("fir_actions_room01")
    found = by_name("fir_thermal_room01", raw)
    assert "20200626_154556" not in found, "it has no thermal record"
    session = found["20200626_154313"]
    with np.load(raw / "thermal.npz") as file:
        time, centi = file["20200626_154313_time_s"], file["20200626_154313_temp_centi"]
    frames = session.media.make()
    assert len(frames) == np.ceil(time[-1] * session.media.fps)
    row = np.searchsorted(time, 10 / session.media.fps, side="right") - 1
    degrees = (centi[row].astype(float) + centi[row + 1]) / 200
    expected = np.clip((degrees - 20) / 20 * 255, 0, 255)
    np.testing.assert_allclose(frames[10], expected, atol=0.51)
    assert session.events[0].start == pytest.approx(time[5] + LAG)


def test_a_segment_of_an_unknown_session_is_refused(made):
    raw = made("fir_actions_room01")
    with (raw / "segments.csv").open("a") as file:
        file.write("20991231_000000,0,walk,1,2,3,4\n")
    with pytest.raises(DataError, match="line 17: session='20991231_000000' is not in"):
        by_name("fir_actions_room01", raw)


def test_train_has_some_test_clips_and_test_the_others(made):
    raw = made("ucsd_ped2")
    found = by_name("ucsd_ped2", raw, test_clips="2, 3")
    assert [name for name, r in found.items() if r.split == "test"] == ["test-01"]
    clip = found["test-02"]
    assert clip.media == Video(raw / "ped2_test.mp4", 40, 30)
    assert clip.label.tolist() == [0] * 10 + [1] * 20
    assert clip.events == (Event(1.0, 3.0, "anomaly", "anomaly"),)
    published = by_name("ucsd_ped2", raw, test_clips="")
    assert all(r.split == name.split("-")[0] for name, r in published.items())


def test_a_test_clip_that_is_not_there_is_refused(made):
    with pytest.raises(DataError, match=r"test_clips='2,9': .* no clip 'test-09'"):
        by_name("ucsd_ped2", made("ucsd_ped2"), test_clips="2,9")


def test_flies_are_events_when_fast_or_touching_and_their_state_is_known(made):
    source = find("fly_courtship")
    (flies,) = source.recordings(made("fly_courtship"))
    assert np.flatnonzero(flies.label).tolist() == [*range(40, 46), *range(250, 260)]
    assert Counter((event.track, event.label) for event in flies.events) == {
        ("fast", "fast"): 1,
        ("contact", "contact"): 1,
        ("wing", "wing-0"): 1,
        ("wing", "wing-1"): 1,
    }
    state = dict(zip(source.state, flies.state.T, strict=True))
    apart = np.hypot(state["x-0"] - state["x-1"], state["y-0"] - state["y-1"])
    np.testing.assert_allclose(apart, state["distance"], atol=1e-5)
    np.testing.assert_allclose(np.hypot(state["cos-1"], state["sin-1"]), 1, atol=1e-5)


def test_traffic_is_unlabelled_where_nobody_annotated(made):
    (traffic,) = find("cdnet_traffic").recordings(made("cdnet_traffic"))
    assert set(traffic.label[:100].tolist()) == {-1}
    assert set(traffic.label[100:].tolist()) == {0, 1}
    moving = np.flatnonzero(traffic.label > 0)
    assert traffic.events[0].start == moving[0] / 25


def test_a_table_of_frames_with_a_frame_left_out_is_refused(made):
    raw = made("cdnet_traffic")
    lines = (raw / "labels.csv").read_text().splitlines()
    (raw / "labels.csv").write_text("\n".join(lines[:5] + lines[6:]))
    with pytest.raises(DataError, match="line 6: frame=5: must be 4"):
        by_name("cdnet_traffic", raw)


def test_bottles_keep_their_own_rate(made):
    found = by_name("intel_cctv", made("intel_cctv"))
    person, hand = (next(iter(r.events)) for r in found.values())
    assert (person.label, person.start) == ("person", 3.0)
    assert (hand.label, hand.start) == ("hand", pytest.approx(30 / (179 / 6)))


def test_a_folder_reads_videos_images_and_arrays(made):
    found = by_name("folder", made("folder"), source_fps="5")
    names = ["door/monday", "door/tuesday", "sensor", "stills", "yard"]
    assert list(found) == names
    assert [found[name].entity for name in names] == ["door", "door", "sensor", "stills", "yard"]
    stills = found["stills"].media
    assert isinstance(stills, Images)
    assert [path.stem for path in stills.paths] == [str(number) for number in range(1, 13)]
    assert (stills.fps, found["sensor"].media.fps) == (5.0, 5.0)
    walk, fall = found["yard"].events
    assert walk.stop > fall.start, "labels may overlap"
    assert walk.track == "action", "an empty track is the one of actions"
    assert found["stills"].events[0].track == "door"


def test_images_in_the_folder_itself_are_one_recording(tmp_path):
    raw = tmp_path / "take"
    for number in (10, 9):
        ENCODE(raw / f"{number}.png", np.zeros((1, 16, 16), np.uint8), 1)
    (take,) = find("folder").recordings(raw)
    assert take.name == "take"
    assert [path.name for path in take.media.paths] == ["9.png", "10.png"]


def test_test_recordings_are_named_and_the_others_train(made):
    raw = made("folder")
    found = by_name("folder", raw, test="yard, door/monday")
    assert {name for name, r in found.items() if r.split == "test"} == {"yard", "door/monday"}
    assert {r.split for r in by_name("folder", raw).values()} == {None}
    with pytest.raises(DataError, match="there is no 'yrad': did you mean 'yard'"):
        by_name("folder", raw, test="yrad")


def test_rare_labels_must_be_labels(made):
    raw = made("folder")
    assert by_name("folder", raw, rare="fall")["yard"].rare == {"fall"}
    with pytest.raises(DataError, match="there is no 'fal': did you mean 'fall'"):
        by_name("folder", raw, rare="fal")
    (raw / "segments.csv").unlink()
    with pytest.raises(DataError, match="there is no 'fall': there is no label at all"):
        by_name("folder", raw, rare="fall")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("yrad,0,1,walk", "line 3: no video 'yrad': did you mean 'yard'"),
        ("yard,2,1,walk", "line 3: start=2 and end=1: must be 0 <= start < end"),
        ("yard,1,1,walk", "line 3: start=1 and end=1"),
        ("yard,-1,1,walk", "line 3: start=-1 and end=1"),
        ("yard,0:30,1,walk", "line 3: start='0:30' is not a number"),
        ("yard,0,nan,walk", "line 3: end='nan' is not a number"),
        ("yard,0,1,", "line 3: label is empty"),
        (",0,1,walk", "line 3: video is empty"),
        ("yard,0,1", "line 3: 3 values under 4 columns"),
    ],
)
def test_a_bad_line_of_the_segments_is_named(tmp_path, row, message):
    (tmp_path / "yard.mp4").touch()  # nothing is decoded yet
    write(tmp_path, "yard.mp4,0,1,walk", row)
    with pytest.raises(DataError, match=message):
        by_name("folder", tmp_path)


def test_segments_of_another_name_must_be_there(tmp_path):
    (tmp_path / "yard.mp4").touch()
    write(tmp_path, "yard,0,1,walk", name="mine.csv")
    assert by_name("folder", tmp_path)["yard"].events == ()
    assert len(by_name("folder", tmp_path, segments="mine.csv")["yard"].events) == 1
    with pytest.raises(DataError, match=r"other.csv: no such file; option segments names it"):
        by_name("folder", tmp_path, segments="other.csv")


def test_a_spreadsheet_writes_a_mark_and_spaces(tmp_path):
    (tmp_path / "yard.mp4").touch()
    text = "video, start, end, label\r\nyard, 0, 1.5, walk\r\n"
    (tmp_path / "segments.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert by_name("folder", tmp_path)["yard"].events == (Event(0, 1.5, "walk"),)


def test_two_recordings_of_one_name_are_refused(tmp_path):
    for name in ("yard.mp4", "yard.avi"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"are called 'yard': rename \S+yard.avi or \S+yard.mp4"):
        by_name("folder", tmp_path)


@pytest.mark.parametrize(
    ("numbers", "jumps"),
    [
        ((0, 1, 2, 5), "walk: the numbers of its images jump from f2.png to f5.png: they"),
        ((0, 5, 10, 15, 30, 40), "walk: .* jump from f15.png to f30.png and 1 times more: they"),
        ((8, 9, 10, 11), None),
        ((0, 5, 10), None),
    ],
)
def test_images_whose_numbers_jump_are_told(tmp_path, numbers, jumps):
    (tmp_path / "walk").mkdir()
    for number in numbers:
        (tmp_path / "walk" / f"f{number}.png").touch()
    found = folder.remarks(tmp_path)
    assert len(found) == (jumps is not None)
    assert all(re.match(jumps, note) for note in found)


def test_files_of_no_kind_that_is_read_are_told(made):
    raw = made("folder")
    assert folder.remarks(raw) == [], "the table of events is read"
    for name in ("a.txt", "b.txt", "c.txt", "door/d.doc", ".hidden.txt"):
        (raw / name).touch()
    (note,) = folder.remarks(raw)
    assert note == ("files passed over, of kinds that are not read: 4: a.txt, b.txt, c.txt, ...")


def test_a_store_that_is_kept_among_the_videos_is_no_video(made):
    raw = made("folder")
    before = list(by_name("folder", raw))
    for name in ("store", "other.partial-7"):
        (raw / name).mkdir()
        np.save(raw / name / "signals.npy", np.zeros((5, 43), np.float32))
    (raw / "store" / "manifest.json").write_text(f'{{"format": "{FORMAT}"}}')
    assert list(by_name("folder", raw)) == before
    assert folder.remarks(raw) == ["stores passed over: other.partial-7, store"]
    (raw / "store" / "manifest.json").write_text('{"author": "me"}')
    with pytest.raises(DataError, match=r"signals\.npy: holds float32"):
        by_name("folder", raw)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DataError, match=r"a\.mp4: is a file: give the folder it lies in"):
        by_name("folder", tmp_path / "a.mp4")


def test_a_table_with_other_marks_between_its_columns_is_told(tmp_path):
    (tmp_path / "yard.mp4").touch()
    (tmp_path / "segments.csv").write_text("video;start;end;label\nyard;0;1;walk\n")
    with pytest.raises(DataError, match=r"'video' is missing .*; put commas between"):
        by_name("folder", tmp_path)


def test_labels_that_lie_past_the_end_are_told_apart_from_those_that_are_cut():
    events = (Event(1, 9, "walk"), Event(3.5, 4, "walk"), Event(8, 9, "fall"))
    recording = Recording("yard", "it", Frames(lambda: np.empty(0, np.uint8), 10.0), events)
    frames = np.zeros((40, 4, 4, 1), np.uint8)
    decoded = Decoded(frames, np.zeros(40, bool), np.arange(40), 10.0, {})
    found, notes = rows_of(recording, decoded)
    assert [(event.start, event.stop) for event in found] == [(10, 40), (35, 40)]
    assert notes == [
        "yard: 1 labels end past its end: cut to it",
        "yard: 1 labels begin past its 4 s: left out",
    ]


def test_a_folder_without_videos_shows_the_layout(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.mp4").touch()
    with pytest.raises(DataError, match="holds no video") as caught:
        by_name("folder", tmp_path)
    assert find("folder").layout in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 8), (4, 8, 8, 2), (0, 8, 8)])
def test_an_array_that_is_no_video_is_refused(tmp_path, shape):
    np.save(tmp_path / "sensor.npy", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"sensor.npy: holds uint8 of shape"):
        by_name("folder", tmp_path)


def test_an_array_of_reals_is_refused(tmp_path):
    np.save(tmp_path / "sensor.npy", np.zeros((4, 8, 8)))
    with pytest.raises(DataError, match="holds float64"):
        by_name("folder", tmp_path)


@real
@pytest.mark.parametrize(
    ("name", "folder", "recordings", "events"),
    [
        ("fir_actions_room01", "fir_actions_room01", 13, 163),
        ("fir_thermal_room01", "fir_actions_room01", 7, 86),
        ("ucsd_ped2", "ucsd_ped2", 28, 12),
        ("fly_courtship", "fly_courtship", 1, 42),
        ("cdnet_traffic", "cdnet_traffic", 1, 19),
        ("intel_cctv", "intel_cctv", 2, 50),
    ],
)
def test_the_real_data_is_read(name, folder, recordings, events):
    read = list(find(name).recordings(Path(REAL) / "video" / folder))
    assert len(read) == recordings
    assert sum(len(recording.events) for recording in read) == events
