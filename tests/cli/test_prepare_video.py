"""`bandpass prepare video` on small films, as a person types it."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from bandpass.cli import video
from bandpass.data import open_store
from bandpass.data.video.sources import VIDEO_SOURCES

FILMS = Path(__file__).parents[1] / "data" / "video" / "films.py"
films = SimpleNamespace(**runpy.run_path(str(FILMS)))


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    films.film(folder / "door.mp4", 60)
    films.film(folder / "hall.mp4", 90, fps=15, front=True)
    (folder / "segments.csv").write_text("video,start,end,label\ndoor,1,2,fall\n")
    return folder


def test_a_folder_becomes_a_store_and_a_table(bandpass, raw, tmp_path):
    words = ("--raw", raw, "--store", tmp_path / "store", "--workers", 1)
    made = bandpass("prepare", "video", *words, "height=16", "width=24", "test=hall", "rare=fall")
    assert (made.code, made.err) == (0, "")
    store = open_store(tmp_path / "store")
    assert store.shape == (16, 24, 1)
    assert "120 frames of 16 x 24 x 1, 10 a second" in made.out
    assert re.search(r"\nframes marked by rule, without labels or a model: \d", made.out)
    assert re.search(r"door +train +60 +6\.0 +10 +64 x 48 +- +1 *\n", made.out)
    assert re.search(r"hall +test +60 +6\.0 +15 +64 x 48 +- +0 *\n", made.out)
    again = bandpass("prepare", "video", *words)
    assert (again.code, "pass --overwrite" in again.err) == (1, True)
    assert bandpass("prepare", "video", *words, "--overwrite", "fps=5").code == 0
    assert open_store(tmp_path / "store").fps == 5


def test_what_is_damaged_is_named_below_the_table(bandpass, raw, tmp_path):
    hall = raw / "hall.mp4"
    hall.write_bytes(hall.read_bytes()[: hall.stat().st_size * 7 // 10])
    (raw / "void.mp4").touch()
    words = ("prepare", "video", "--raw", raw, "--store", tmp_path / "store", "--workers", 1)
    made = bandpass(*words)
    assert made.code == 0
    assert re.search(r"hall .* 64 x 48 +\d+\.\d% ", made.out)
    assert re.search(r"\nhall: hall\.mp4: is damaged or cut off at .* missing\n", made.out)
    assert f"\nvoid is left out: {raw / 'void.mp4'}: is empty; download the file again" in made.out
    strict = bandpass(*words, "--overwrite", "keep_damaged=false")
    assert (strict.code, "keep_damaged=true keeps" in strict.err) == (1, True)


def test_a_split_that_leaves_nothing_to_train_on_is_told(bandpass, tmp_path):
    (tmp_path / "raw").mkdir()
    films.film(tmp_path / "raw" / "door.mp4", 40)
    words = (
        "prepare",
        "video",
        "--raw",
        tmp_path / "raw",
        "--store",
        tmp_path / "s",
        "--workers",
        1,
    )
    by_time = " ".join(bandpass(*words).out.split())
    assert "no row is left to train on: 24 of 40 rows lie between the sides" in by_time
    assert "or in gaps; give test=NAMES or longer recordings" in by_time
    whole = bandpass(*words, "--overwrite", "test=door").out
    assert "no row is left to train on: every recording is test; let one of them train" in whole


def test_rows_between_the_sides_and_frames_held_are_told(bandpass, raw, tmp_path):
    words = ("prepare", "video", "--raw", raw, "--store", tmp_path / "s", "--workers", 1)
    told = bandpass(*words, "fps=20").out
    assert "64 of 240 rows lie between the sides of the split or in gaps" in told
    held = "fps=20 is 2 times the source's 10 (door and 1 more): frames are held"
    assert held in told
    assert "frames are held" not in bandpass(*words, "--overwrite", "test=hall").out


def test_what_a_folder_holds_beside_is_told(bandpass, raw, tmp_path):
    (raw / "notes.txt").touch()
    (raw / "walk").mkdir()
    for number in (0, 1, 2, 5):
        films.still(raw / "walk" / f"f{number}.png", films.picture(number, (48, 64)))
    told = bandpass("prepare", "video", "--raw", raw, "--store", tmp_path / "s", "--workers", 1).out
    assert "walk: the numbers of its images jump from f2.png to f5.png" in told
    assert "of kinds that are not read: 1: notes.txt" in told


def test_the_simulated_world_needs_no_files(bandpass, tmp_path):
    words = ("--dataset", "world", "--store", tmp_path / "store", "--workers", 1)
    made = bandpass("prepare", "video", *words, "recordings=1", "seconds=20")
    assert made.code == 0
    assert "world-00" in made.out


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--store", "s"), "folder reads raw files: say where with --raw DIR"),
        (("--store", "s", "--dataset", "world", "--dataset", "folder"), "reads one source"),
        (("--store", "s", "--raw", ".", "--dataset", "wurld"), "did you mean 'world'"),
        (("--store", "s", "--raw", ".", "colour=pink"), "must be one of grey, rgb"),
        (("--store", "s", "--raw", ".", "shade=3"), "has no option 'shade'"),
        (("--store", "s", "--raw", ".", "--key", "k"), "--key is for `prepare schedule` only"),
    ],
)
def test_a_wrong_word_is_told(bandpass, monkeypatch, tmp_path, words, match):
    monkeypatch.chdir(tmp_path)
    told = bandpass("prepare", "video", *words)
    assert told.code != 0
    assert match in " ".join(told.err.replace("│", " ").split())


def test_series_have_no_datasets(bandpass, tmp_path):
    told = bandpass("prepare", "plant", "--store", tmp_path, "--workers", 2)
    assert told.code != 0
    assert "`prepare schedule` and `video`" in " ".join(told.err.replace("│", " ").split())


def test_all_sources_of_videos_are_listed_with_their_options(bandpass):
    listed = bandpass("sources").out
    for name, source in VIDEO_SOURCES.items():
        assert f"{name} video, " in listed
        for option in source.options:
            assert f"option   {option}=" in listed
    flat = " ".join(listed.split())
    assert "the source's" not in flat
    mine = VIDEO_SOURCES["folder"]
    for option, value in zip(("height", "width", "fps"), (*mine.size, mine.fps), strict=True):
        assert re.search(rf"option {option}= [^=]*\(the dataset's; folder: {value:.4g}\)", flat)
    for option in ("height", "fps", "cache", "keep_damaged", "corrupt_kinds"):
        assert f"option   {option}=" in listed


def test_a_long_table_is_cut(bandpass, raw, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "LINES", 1)
    words = ("--raw", raw, "--store", tmp_path / "store", "--workers", 1)
    assert "... and 1 more" in bandpass("prepare", "video", *words).out
