import os
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import DataError
from bandpass.data.schedule import parts
from bandpass.data.schedule.parts import finished, open_part, plan, write_part

KEY = bytes(32)


@pytest.fixture
def jobs(fakes, tmp_path):
    """Plans the fake dataset in a folder."""

    def jobs(folder: Path, key: str = "mark"):
        source = fakes.source("one")
        return plan(source, folder, source.files(folder), tmp_path / "work", key)

    return jobs


def write(job, keep_damaged: bool = False, tell=lambda *more: None):
    write_part(job, tell, key=KEY, keep_damaged=keep_damaged)
    return open_part(job)


def test_small_files_share_a_part_and_large_ones_do_not(raw, jobs, monkeypatch):
    monkeypatch.setattr(parts, "SMALL_BYTES", 50)
    folder = raw("one", a=["x" * 10], b=["x" * 10], c=["x" * 80], d=["x" * 10], e=["x" * 10])
    assert [job.name for job in jobs(folder)] == [
        "a.txt and 1 after it",
        "c.txt",
        "d.txt and 1 after it",
    ]
    monkeypatch.setattr(parts, "SMALL_FILES", 1)
    assert [len(job.files) for job in jobs(folder)] == [1] * 5
    assert sum(job.bytes for job in jobs(folder)) == 120


def test_a_part_is_named_by_what_it_depends_on(raw, jobs):
    folder = raw("one", a=["a - 1 1 1"])
    (job,) = jobs(folder)
    assert jobs(folder) == [job]
    assert jobs(folder, "another key")[0].part != job.part
    os.utime(folder / "a.txt", ns=(1, 1))
    later = jobs(folder)[0].part
    assert later != job.part
    (folder / "a.txt").rename(folder / "b.txt")
    assert jobs(folder)[0].part not in (job.part, later)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_records_come_back_with_their_own_actors(raw, jobs, monkeypatch, size):
    monkeypatch.setattr(parts, "BLOCK", 2)
    lines = ["a u:1 5 0 0", "b - 6 0 0", "c u:1,u:2,u:1 7 0 0", "d u:2 8 0 0", "e u:1,u:2 9 0 0"]
    (job,) = jobs(raw("one", a=lines[:3], b=lines[3:]))
    part = write(job)
    found = []
    for records, actors, counts in part.blocks(size):
        pieces = np.split(actors, np.cumsum(counts)[:-1])
        found += [(r["day"], r["owner"], p.tolist()) for r, p in zip(records, pieces, strict=True)]
    one, two = found[0][1], found[3][1]
    assert found == [
        (5, one, [one]),
        (6, 0, []),
        (7, one, [one, two]),  # named twice, there once
        (8, two, [two]),
        (9, one, [one, two]),
    ]
    assert (part.records, part.about["links"], part.about["files"]) == (5, 6, 2)


def test_progress_adds_up_to_all_files_records_and_bytes(raw, jobs, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 2)
    (job,) = jobs(raw("one", a=["a - 1 1 1"] * 5, b=["b - 1 1 1"]))
    told = []
    write(job, tell=lambda *more: told.append(more))
    assert len(told) > 2
    assert np.sum(told, axis=0).tolist() == [2, 6, job.bytes]


def test_damage_leaves_no_part_and_what_was_kept_is_no_whole_one(raw, jobs, tmp_path):
    (job,) = jobs(raw("one", a=["a - 1 1 1", "!", "b - 1 1 1"], b=["c - 1 1 1"]))
    with pytest.raises(DataError, match=r"a\.txt: is damaged after line 1"):
        write(job)
    assert finished(job, keep_damaged=True) is None
    part = write(job, keep_damaged=True)
    assert part.records == 2
    assert part.about["malformed"] == {"damaged file": 1}
    assert part.about["samples"] == [["a.txt", "damaged file"]]
    assert finished(job, keep_damaged=True) == part
    assert finished(job, keep_damaged=False) is None


def test_a_part_that_was_begun_by_a_killed_process_is_begun_again(raw, jobs):
    (job,) = jobs(raw("one", a=["a - 1 1 1"]))
    stale = job.part.with_name(f"{job.part.name}.partial")
    stale.mkdir(parents=True)
    (stale / "junk").write_text("half")
    assert finished(job, keep_damaged=True) is None
    write(job)
    assert sorted(path.name for path in job.part.iterdir()) == [
        "actors.npy",
        "counts.npy",
        "part.json",
        "records.npy",
    ]


def test_a_file_without_records_makes_an_empty_part(raw, jobs):
    (job,) = jobs(raw("one", a=["?"]))
    part = write(job)
    assert part.records == 0
    assert list(part.blocks()) == []
    assert part.about["malformed"] == {"a question mark": 1}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell")
def test_how_far_a_file_is_read_is_known_while_it_is_open(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(1000))
    assert parts._offset(file) == 0
    with file.open("rb", buffering=0) as stream:
        stream.read(700)
        assert parts._offset(file) == 700
    assert parts._offset(file) == 0
