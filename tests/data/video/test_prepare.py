import errno
import itertools
import os
import runpy
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bandpass.data import DataError, StoreError, atomic, open_store
from bandpass.data.columns import ColumnWriter
from bandpass.data.video import ClipStore, Frames, Recording
from bandpass.data.video import parts as made
from bandpass.data.video.corruption import KINDS
from bandpass.data.video.options import Options, parse
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.recording import Decoded
from bandpass.data.video.sources import find
from bandpass.data.video.writer import BLOCK_VALUES, ClipWriter

HERE = Path(__file__).parent
films = SimpleNamespace(**runpy.run_path(str(HERE / "films.py")))
FOLDER = replace(find("folder"), size=(16, 16))
ONE = Options(workers=1)


@pytest.fixture
def raw(tmp_path) -> Path:
    """Three films of one folder, in three containers."""
    folder = tmp_path / "raw"
    folder.mkdir()
    films.film(folder / "a.mp4", 120, front=True)
    films.film(folder / "b.avi", 80, codec="mpeg4")
    films.film(folder / "c.mkv", 60, fps=25)
    return folder


@pytest.fixture
def prepare(tmp_path, raw):
    """Prepares the folder."""

    def prepare(options: Options = ONE, told=lambda seen: None, source=FOLDER) -> ClipStore:
        return prepare_video(source, raw, tmp_path / "store", options, told)

    return prepare


def cut(path: Path, share: float = 0.6) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def noise(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, 16, 16), np.uint8)


def noisy(raw: Path, rows: int = 400):
    del raw
    yield from (
        Recording(f"noise-{n}", "it", Frames(partial(noise, rows, n), 10.0)) for n in (0, 1)
    )


def test_all_recordings_are_in_the_store_in_their_order(prepare):
    store = prepare()
    assert store.series_names == ["a", "b", "c"]
    assert store.series["rows"].to_pylist() == [120, 80, 24]
    assert store.series["source_fps"].to_pylist() == pytest.approx([10, 10, 25])
    assert store.series["path"].to_pylist() == ["a.mp4", "b.avi", "c.mkv"]
    frames = store.column("frames")
    shown = [*range(120), *range(80), *(row * 5 // 2 for row in range(24))]
    told = [films.number_of(frame) for frame in frames]
    assert np.abs(np.array(told) - shown).max() <= 1, "25 to 10 a second rounds half a frame"
    assert (store.shape, store.fps) == ((16, 16, 1), 10.0)
    assert open_store(store.path).hash == store.hash
    assert {path.name for path in store.path.parent.iterdir()} == {"raw", "store", ".store.lock"}


def test_equal_files_make_an_equal_store_whatever_the_workers(prepare):
    first = prepare()
    again = prepare(Options(workers=2, overwrite=True))
    assert again.hash == first.hash
    for name in first.manifest["columns"]:
        np.testing.assert_array_equal(again.column(name), first.column(name))
    assert prepare(Options(workers=1, overwrite=True, corrupt=0.1)).hash != first.hash


def test_a_damaged_file_is_kept_as_far_as_it_decodes_and_one_of_nothing_is_named(prepare, raw):
    cut(raw / "a.mp4")
    (raw / "b.avi").write_bytes(b"")
    store = prepare()
    assert store.series_names == ["a", "c"]
    assert store.series["rows"].to_pylist()[0] == 120
    assert 10 < store.series["missing"].to_pylist()[0] < 90
    empty, damaged = store.manifest["notes"]
    assert empty == f"b is left out: {raw / 'b.avi'}: is empty; download the file again"
    assert damaged.startswith("a: a.mp4: is damaged or cut off at ")


def test_damage_is_refused_on_demand(prepare, raw, tmp_path):
    strict = Options(workers=1, keep_damaged=False)
    cut(raw / "a.mp4")
    with pytest.raises(DataError, match=r"a\.mp4: is damaged .*; keep_damaged=true keeps"):
        prepare(strict)
    (raw / "a.mp4").write_text("not a video")
    with pytest.raises(DataError, match=r"a\.mp4: FFmpeg cannot open it.*; keep_damaged=true"):
        prepare(strict)
    assert not (tmp_path / "store").exists()


def test_a_folder_of_which_nothing_decodes_is_refused(prepare, raw, tmp_path):
    for path in raw.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"nothing can be decoded; a is left out: .*is empty"):
        prepare()
    assert not (tmp_path / "store").exists()


def test_what_was_decoded_is_not_decoded_again(prepare, raw, monkeypatch):
    whole = prepare().hash
    decode = made.decode_together
    names: list[str] = []

    def counting(wanted, *rest):
        names.extend(recording.name for recording, _ in wanted)
        if len(names) == 3:
            raise ZeroDivisionError
        return decode(wanted, *rest)

    monkeypatch.setattr(made, "decode_together", counting)
    again = Options(workers=1, overwrite=True)
    with pytest.raises(ZeroDivisionError):
        prepare(again)
    seen = []
    films.film(raw / "b.avi", 80, codec="mpeg4", gop=5)  # another file of that name
    films.film(raw / "d.mp4", 10)
    names.clear()
    monkeypatch.setattr(
        made,
        "decode_together",
        lambda wanted, *rest: (
            names.extend(recording.name for recording, _ in wanted),
            decode(wanted, *rest),
        )[1],
    )
    store = prepare(again, seen.append)
    assert names == ["b", "c", "d"]
    assert [each.note for each in seen if each.note] == ["2 recordings were decoded before"]
    assert seen[-1].done == seen[-1].total
    assert (store.series_names, store.hash != whole) == (["a", "b", "c", "d"], True)


def test_what_was_decoded_before_a_stop_does_not_change_whether_frames_are_kept(
    prepare, monkeypatch, tmp_path
):
    def free(work: Path) -> SimpleNamespace:
        taken = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
        return SimpleNamespace(free=128_000 - taken)  # 115 thousand bytes are needed

    monkeypatch.setattr("bandpass.data.video.prepare.shutil.disk_usage", free)
    with monkeypatch.context() as stopped:
        stopped.setattr(ClipWriter, "finish", lambda *rest: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare()
    assert len(list(tmp_path.glob(".store.parts/*"))) == 3
    assert prepare().cached


def test_other_frames_are_decoded_again(prepare, monkeypatch, tmp_path):
    monkeypatch.setattr("bandpass.data.video.prepare.shutil.rmtree", lambda *a, **b: None)
    prepare()
    small = prepare(Options(workers=1, overwrite=True, height=8, width=8, fps=5))
    assert (small.shape, small.fps, small.rows) == ((8, 8, 1), 5.0, 60 + 40 + 12)
    assert len(list(tmp_path.glob(".store.parts/*"))) == 6


def test_progress_counts_source_frames_to_the_end(prepare):
    seen = []
    prepare(told=seen.append)
    assert (seen[0].done, seen[0].total) == (0, 260)
    assert (seen[-1].done, seen[-1].total) == (260, 260)
    assert all(one.done <= other.done for one, other in itertools.pairwise(seen))


def test_corruption_is_labelled_and_leaves_the_rest_alone(prepare):
    source = replace(FOLDER, recordings=noisy)
    clean = prepare(source=source)
    frames = clean.column("frames").copy()
    dirty = prepare(Options(workers=1, overwrite=True, corrupt=0.2), source=source)
    codes = dirty.column("corrupt")
    assert 0.15 < (codes > 0).mean() < 0.25
    same = (dirty.column("frames") == frames).all(axis=(1, 2, 3))
    assert same[codes == 0].all()
    assert not same[codes == 1 + KINDS.index("noise")].any()
    other = Options(workers=1, overwrite=True, corrupt=0.2, corrupt_seed=1)
    assert (prepare(other, source=source).column("corrupt") != codes).any()
    only = Options(workers=1, overwrite=True, corrupt=0.2, corrupt_kinds="freeze,noise")
    found = {KINDS[code - 1] for code in prepare(only, source=source).column("corrupt") if code}
    assert found == {"freeze", "noise"}


def test_a_missing_frame_is_not_corrupted(prepare, raw):
    cut(raw / "a.mp4", 0.5)
    store = prepare(Options(workers=1, corrupt=0.5))
    missing = store.column("missing") > 0
    assert missing.sum() > 20
    assert not store.column("frames")[missing].any()
    assert not store.column("corrupt")[missing].any()
    assert store.column("corrupt").any()


def test_large_frames_are_measured_few_at_a_time(tmp_path):
    shape, rows = (256, 512, 3), 48
    frames = np.random.default_rng(0).integers(0, 256, (rows, *shape), np.uint8)
    decoded = Decoded(frames, np.zeros(rows, bool), np.arange(rows), 10.0, {})
    writer = ClipWriter(tmp_path, FOLDER, 10.0, shape)
    background = np.full(shape, 100, np.float32)
    tracemalloc.start()
    writer._measure("it", decoded, background, [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 4 * BLOCK_VALUES < 4 * frames.size
    expected = np.square(frames - background).mean(axis=(1, 2, 3)).sum()
    assert writer._squares["it"][1].tolist() == pytest.approx([rows, expected], rel=1e-5)


@pytest.mark.parametrize("writes", [0, 1, 4, 7, 10])
def test_a_full_disk_is_told_and_nothing_half_written_is_left(
    prepare, monkeypatch, writes, tmp_path
):
    left = itertools.count()
    write = ColumnWriter._write

    def full(self, data: bytes) -> None:
        with atomic.writing(self._path):
            if next(left) >= writes:
                raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(ColumnWriter, "_write", full)
    with pytest.raises(StoreError, match="No space left on device"):
        prepare()
    assert not (tmp_path / "store").exists()
    assert not list(tmp_path.glob("store.partial*"))
    monkeypatch.undo()
    assert prepare().rows == 224


def test_a_store_that_is_there_is_replaced_on_demand_only(prepare):
    first = prepare()
    with pytest.raises(StoreError, match="--overwrite"):
        prepare()
    assert prepare(replace(ONE, overwrite=True)).hash == first.hash


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_preparation_goes_on_where_it_was(tmp_path, workers):
    """As it happens: another process, killed with no chance to clean up."""
    raw, store = tmp_path / "many", tmp_path / "store"
    raw.mkdir()
    for number in range(6):
        films.film(raw / f"{number}.mp4", 200, size=(240, 320))
    command = [sys.executable, "-c", "from bandpass.cli import main; main()", "prepare", "video"]
    command += ["--raw", raw, "--store", store, "--workers", str(workers)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    work = tmp_path / ".store.parts"

    def done() -> list[Path]:
        return [path for path in work.glob("*/part.json") if not path.parent.suffix]

    for _ in range(20_000):
        if killed.poll() is not None or done():
            break
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not store.exists()
    assert done()
    seen = []
    source = find("folder")
    again = prepare_video(source, raw, store, ONE, seen.append)
    assert "decoded before" in seen[0].note
    assert again.hash == prepare_video(source, raw, tmp_path / "fresh", ONE).hash


def test_options_come_as_text(tmp_path):
    pairs = {"fps": "5", "width": "32", "colour": "rgb", "keep_damaged": "false", "rare": "x"}
    options = parse(FOLDER, pairs | {"corrupt": "0.1"}, workers=3)
    assert options == Options(
        workers=3,
        of_source={"rare": "x"},
        fps=5.0,
        width=32,
        colour="rgb",
        keep_damaged=False,
        corrupt=0.1,
    )
    assert options.frames(FOLDER).shape == (16, 32, 3)
    assert parse(find("world"), {"corrupt": "0.1"}).of_source == {"corrupt": "0.1"}, "its own"


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        ({"heights": "3"}, "has no option 'heights': did you mean 'height'"),
        ({"height": "x"}, "option height='x': not int"),
        ({"height": "-3"}, "option height=-3: must be above 0"),
        ({"height": "0"}, "option height=0: must be above 0"),
        ({"width": "0"}, "option width=0: must be above 0"),
        ({"fps": "0"}, "option fps=0: must be above 0"),
        ({"fps": "nan"}, "option fps=nan: must be a finite number above 0"),
        ({"fps": "inf"}, "option fps=inf: must be a finite number above 0"),
        ({"corrupt": "0.6"}, r"option corrupt=0.6: must be in \[0, 0.5\]"),
        ({"corrupt_kinds": "jitter,rain"}, "names 'rain': must be some of jitter"),
        ({"corrupt_seed": "-1"}, "option corrupt_seed=-1"),
        ({"keep_damaged": "maybe"}, "option keep_damaged='maybe': must be one of true"),
        ({"cache": "maybe"}, "option cache='maybe': must be one of auto, true, false"),
    ],
)
def test_options_that_cannot_be_are_refused(pairs, match):
    with pytest.raises(DataError, match=match):
        parse(FOLDER, pairs)


def test_nothing_is_decoded_by_no_worker():
    with pytest.raises(DataError, match="workers is 0"):
        Options(workers=0)


def test_names_are_unique_and_there_is_something(prepare):
    twice = lambda raw: itertools.chain(noisy(raw), noisy(raw))  # noqa: E731
    with pytest.raises(DataError, match="'noise-0' comes twice"):
        prepare(source=replace(FOLDER, recordings=twice))
    with pytest.raises(DataError, match="has no recording there; its layout is"):
        prepare(source=replace(FOLDER, recordings=lambda raw: iter(())))
