import errno
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bandpass.data import (
    DataError,
    Series,
    Source,
    Split,
    StoreError,
    Windows,
    atomic,
    open_store,
    prepare,
    writer,
)
from bandpass.data.sources import SOURCES

ROWS, CHANNELS = 600, ("pressure", "flow", "level")
SECOND = 1_000_000_000


def series(name: str = "a", entity: str = "rig", rows: int = ROWS, seed: int = 0, **more) -> Series:
    generator = np.random.default_rng(seed)
    values = generator.normal(3.0, 2.0, (rows, len(CHANNELS))).astype(np.float32)
    label = generator.integers(-1, 2, rows).astype(np.int8)
    return Series(name, entity, **{"values": values, "label": label} | more)


def source(*recordings: Series, **more) -> Source:
    settings = {"regimes": ("idle", "busy"), "read": lambda raw: iter(recordings)} | more
    return Source("rigs", "Two rigs", "MIT", "https://example.org", "any", CHANNELS, **settings)


def entity_note(store, entity: str) -> str:
    return "\n".join(note for note in store.manifest["notes"] if f"entity {entity!r}" in note)


def test_everything_that_was_read_is_in_the_columns(tmp_path):
    rich = series(
        "b",
        "other",
        regime=np.full(ROWS, 1, np.int16),
        corrupt=np.full(ROWS, 2, np.int8),
        time=np.arange(ROWS) * SECOND,
        state=np.ones((ROWS, 2), np.float32),
    )
    first, last = series(), series("c", rows=50, seed=1)
    told = []
    store = prepare(
        source(first, rich, last),
        tmp_path,
        tmp_path / "store",
        progress=lambda *so_far: told.append(so_far),
    )
    store.verify()
    assert told == [("a", ROWS), ("b", 2 * ROWS), ("c", 2 * ROWS + 50)]
    assert store.series["offset"].to_pylist() == [0, ROWS, 2 * ROWS]
    parts = (first, rich, last)
    np.testing.assert_array_equal(store.column("values"), np.concatenate([p.values for p in parts]))
    np.testing.assert_array_equal(store.column("label"), np.concatenate([p.label for p in parts]))
    rich_rows = slice(ROWS, 2 * ROWS)
    for name, nothing in (("regime", -1), ("corrupt", 0), ("time", np.iinfo(np.int64).min)):
        column = store.column(name)
        np.testing.assert_array_equal(column[rich_rows], getattr(rich, name))
        assert (np.delete(column, np.arange(ROWS, 2 * ROWS)) == nothing).all()
    assert (store.column("state")[rich_rows] == 1).all()
    assert np.isnan(store.column("state")[:ROWS]).all()
    assert store.manifest["rows_by_code"]["regime"] == {"-1": ROWS + 50, "1": ROWS}
    assert store.entity_names == ["rig", "other"]


def test_the_same_input_gives_the_same_bytes(tmp_path):
    stores = [prepare(source(series()), tmp_path, tmp_path / name) for name in ("one", "two")]
    assert stores[0].hash == stores[1].hash
    for file in sorted(stores[0].path.iterdir()):
        assert file.read_bytes() == (stores[1].path / file.name).read_bytes(), file.name


def test_the_hash_changes_with_a_value_and_with_the_split(tmp_path):
    other = series()
    other.values[17, 1] += 1
    hashes = {
        prepare(source(series()), tmp_path, tmp_path / "a").hash,
        prepare(source(other), tmp_path, tmp_path / "b").hash,
        prepare(source(series()), tmp_path, tmp_path / "c", split=Split(embargo=7)).hash,
    }
    assert len(hashes) == 3


def test_moments_are_those_of_the_train_rows_of_all_series_of_an_entity(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK", 77)  # so that runs begin and end inside blocks
    one, two = series(), series("b", seed=1)
    one.values[::3, 0] = np.nan
    two.values[400:] = 1e6  # test rows: must not leak
    store = prepare(source(one, two), tmp_path, tmp_path / "store", split=Split(embargo=40))
    train = np.concatenate([one.values[:320], two.values[:320]]).astype(np.float64)
    mean, std = store.moments
    np.testing.assert_allclose(mean, np.nanmean(train, axis=0, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(std, np.nanstd(train, axis=0, keepdims=True), rtol=1e-9)


def test_an_entity_without_train_rows_is_normalised_by_its_own(tmp_path):
    store = prepare(
        source(series(), series("b", "held out", seed=1)),
        tmp_path,
        tmp_path / "store",
        split=Split("entity", test=frozenset({"held out"})),
    )
    own = series(seed=1).values.astype(np.float64)
    np.testing.assert_allclose(store.moments[0][1], own.mean(axis=0), rtol=1e-9)
    assert "not observed in training: normalised by all its rows" in entity_note(store, "held out")
    assert entity_note(store, "rig") == ""


def test_constant_and_unseen_channels_follow_their_rules_and_are_noted(tmp_path):
    bad = series()
    bad.values[:, 0] = 0.1
    bad.values[:, 1] = np.nan
    store = prepare(source(bad), tmp_path, tmp_path / "store")
    mean, std = store.moments
    assert mean[0, :2].tolist() == [np.float32(0.1), 0.0]
    assert std[0, :2].tolist() == [1.0, 1.0]
    note = entity_note(store, "rig")
    assert "pressure: constant in training: centred, not scaled" in note
    assert "flow: never observed" in note
    assert store.manifest["missing"] == [0, ROWS, 0]


def test_infinite_values_become_missing_and_are_counted(tmp_path):
    bad = series()
    bad.values[3, 2], bad.values[4, 2] = np.inf, -np.inf
    store = prepare(source(bad), tmp_path, tmp_path / "store")
    assert np.isnan(store.column("values")[3:5, 2]).all()
    assert store.manifest["infinite"] == [0, 0, 2]
    (note,) = (note for note in store.manifest["notes"] if "infinite" in note)
    assert note.startswith("2 infinite values became missing values, values beyond float32")
    assert note.endswith(": level")
    assert np.isfinite(store.moments).all()
    assert np.isinf(bad.values[3, 2])  # the caller's array is left alone


def test_disorder_of_the_clock_is_kept_and_reported(tmp_path):
    time = np.arange(ROWS) * SECOND
    time[100] = time[99]
    time[200], time[201] = time[201], time[200]
    store = prepare(source(series(time=time)), tmp_path, tmp_path / "store")
    np.testing.assert_array_equal(store.column("time"), time)
    assert store.series["duplicates"].to_pylist() == [1]
    assert store.series["backward"].to_pylist() == [1]
    assert "duplicate timestamps, rows kept as read: 1; backward" in store.manifest["notes"][0]


def test_a_large_gap_ends_a_run(tmp_path):
    time = np.arange(ROWS) * SECOND
    time[100:] += 3600 * SECOND
    store = prepare(source(series(time=time)), tmp_path, tmp_path / "store", split=Split("series"))
    assert store.segments.select(["start", "stop"]).to_pylist() == [
        {"start": 0, "stop": 100},
        {"start": 100, "stop": ROWS},
    ]
    assert "large gaps, which no window crosses: 1" in store.manifest["notes"][0]


def test_a_split_that_is_asked_for_replaces_the_publishers(tmp_path):
    published = source(series(split="train"), series("b", split="test"))
    theirs = prepare(published, tmp_path, tmp_path / "theirs")
    assert theirs.manifest["rows_by_split"] == {"train": ROWS, "test": ROWS}
    ours = prepare(published, tmp_path, tmp_path / "ours", split=Split(test_share=0.5, embargo=0))
    assert ours.manifest["rows_by_split"] == {"train": ROWS, "test": ROWS}
    assert ours.segments["split"].to_pylist() == ["train", "test"] * 2


@pytest.mark.parametrize(
    ("recordings", "match"),
    [
        ([], "source 'rigs' yielded no rows at all"),
        ([series(rows=0)], "source 'rigs' yielded no rows at all"),
        ([series(), series()], "series 'a' comes twice"),
        ([series(values=np.zeros(ROWS, np.float32))], r"must be \(rows, channels\), got shape"),
        ([series(values=np.zeros((ROWS, 2), np.float32))], "has 2 channels, its source names 3"),
        ([series(label=np.zeros(5, np.int8))], "label has 5 rows, values has 600"),
        ([series(label=np.full(ROWS, 7, np.int8))], "label code 7 is not in -1 .. 1"),
        ([series(regime=np.full(ROWS, 2, np.int16))], r"regime code 2 .* \(idle, busy\)"),
        ([series(time=np.full(ROWS, np.iinfo(np.int64).min))], "row 0 has no timestamp"),
        (
            [
                series(state=np.zeros((ROWS, 2), np.float32)),
                series("b", state=np.zeros((ROWS, 3), np.float32)),
            ],
            r"rows of state have shape \(3,\), those of the series before it \(2,\)",
        ),
    ],
)
def test_a_series_that_does_not_fit_is_named_and_leaves_nothing(tmp_path, recordings, match):
    with pytest.raises(DataError, match=match):
        prepare(source(*recordings), tmp_path, tmp_path / "store")
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_wrong_option_or_split_names_the_nearest(tmp_path):
    with pytest.raises(DataError, match="has no option 'rat': did you mean 'rate'"):
        prepare(source(series(), options={"rate": "Hz"}), tmp_path, tmp_path / "store", rat=1)
    split = Split("entity", test=frozenset({"rigg"}))
    with pytest.raises(DataError, match=r"entity 'rigg', .* nearest is 'rig'"):
        prepare(source(series()), tmp_path, tmp_path / "store", split=split)


def test_an_existing_store_is_replaced_only_on_request(tmp_path):
    place = tmp_path / "store"
    old = prepare(source(series()), tmp_path, place)
    with pytest.raises(StoreError, match="pass --overwrite to replace it"):
        prepare(source(series(seed=1)), tmp_path, place)
    assert open_store(place).hash == old.hash
    new = prepare(source(series(seed=1)), tmp_path, place, overwrite=True)
    assert open_store(place).hash == new.hash != old.hash
    assert {path.name for path in tmp_path.iterdir()} == {"store", ".store.lock"}


def test_what_is_no_store_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StoreError, match="photos is not a store"):
        prepare(source(series()), tmp_path, tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path):
    # a limit on the size of a file is a real failure of write(), at the same place as a full disk
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StoreError, match=r"could not write .*: File too large; [\d,]+ MB are"):
            prepare(source(series()), tmp_path, tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name for path in tmp_path.iterdir()} == {".store.lock"}
    prepare(source(series()), tmp_path, tmp_path / "store").verify()


def test_a_disk_that_fills_at_the_last_moment_leaves_the_old_store(tmp_path, monkeypatch):
    old = prepare(source(series()), tmp_path, tmp_path / "store")

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "sync", full)
    with pytest.raises(StoreError, match="No space left"):
        prepare(source(series(seed=1)), tmp_path, tmp_path / "store", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"store", ".store.lock"}
    assert open_store(tmp_path / "store").hash == old.hash


def test_an_error_of_the_source_stays_what_it_was_and_leaves_nothing(tmp_path):
    def read(raw):
        yield series()
        raise FileNotFoundError(raw / "b.csv")

    with pytest.raises(FileNotFoundError, match=r"b\.csv"):
        prepare(source(read=read), tmp_path, tmp_path / "store")
    assert {path.name for path in tmp_path.iterdir()} == {".store.lock"}


@pytest.mark.skipif("BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA is not set")
@pytest.mark.parametrize("name", ["smd", "skab", "nab", "3w"])
def test_a_public_dataset_becomes_a_store_with_windows_in_both_splits(tmp_path, name):
    raw = Path(os.environ["BANDPASS_DATA"]) / "timeseries" / name
    store = prepare(SOURCES[name], raw, tmp_path / "store")
    store.verify()
    for split in ("train", "test"):
        windows = Windows(store, 128, 32, split)
        batch = windows[np.linspace(0, len(windows) - 1, 200).astype(int)]
        assert torch.isfinite(batch.values).all()
        assert batch.values.abs().max() <= 10
        assert (batch.values[~batch.observed] == 0).all()
        assert 1 in windows.labels()


SLOW_PREPARE = """
import sys
from pathlib import Path
import numpy as np
from bandpass.data import Series, Source, prepare

def read(raw):
    values = np.ones((300, 1), np.float32)
    yield Series("a", "a", values, np.zeros(300, np.int8))
    print("half", flush=True)
    sys.stdin.readline()
    yield Series("b", "a", values, np.zeros(300, np.int8))

prepare(Source("slow", "", "", "", "", ("x",), (), read), Path("."), Path(sys.argv[1]))
"""


@pytest.fixture
def half_way(tmp_path):
    command = [sys.executable, "-c", SLOW_PREPARE, str(tmp_path / "store")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "half\n"
        yield process
        process.kill()


def test_a_second_process_is_told_of_the_first(tmp_path, half_way):
    with pytest.raises(StoreError, match=f"process {half_way.pid} is preparing .*store: wait"):
        prepare(source(series()), tmp_path, tmp_path / "store", overwrite=True)
    half_way.communicate("go on\n")
    assert half_way.returncode == 0
    store = open_store(tmp_path / "store")
    store.verify()
    assert store.series_names == ["a", "b"]


def test_a_killed_prepare_leaves_nothing_that_opens_and_the_next_one_cleans_up(tmp_path, half_way):
    half_way.send_signal(signal.SIGKILL)
    half_way.wait()
    (left,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for place in (tmp_path / "store", left):
        with pytest.raises(StoreError):
            open_store(place)
    prepare(source(series()), tmp_path, tmp_path / "store").verify()
    assert {path.name for path in tmp_path.iterdir()} == {"store", ".store.lock"}


def test_values_beyond_float32_are_named_with_their_channel(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.csv").write_text("a,b\n" + "1,2\n" * 99 + "1,1e300\n")
    store = prepare(SOURCES["folder"], raw, tmp_path / "store")
    assert store.manifest["infinite"] == [0, 1]
    assert any("beyond float32 (3.4e38) among them: b" in note for note in store.manifest["notes"])


def test_an_incomplete_download_says_what_is_missing(tmp_path):
    rule = Split(by="series", test=frozenset({"rig/0", "rig/1", "rig/7"}))
    own = replace(source(series("rig/0"), series("rig/2")), split=rule, home="https://rigs")
    with pytest.raises(DataError, match=r"2 of them are not there: rig/1, rig/7; .*https://rigs"):
        prepare(own, tmp_path, tmp_path / "store")
