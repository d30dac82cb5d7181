import importlib
import os
import time

import pytest

from bandpass.data import DataError, StoreError
from bandpass.data.pool import work_through

WORK = """
import os, signal, time
from bandpass.data import DataError

def square(job, tell):
    tell(job)
    return job * job, os.getpid()

def read(job, tell):
    tell(1, 10 * job, 100 * job)
    tell(0, job, 0)

def note(job, tell):
    folder, number = job
    (folder / str(number)).touch()
    return number

def fail(job, tell):
    if job == 1:
        raise DataError("job 1 cannot be done")
    for _ in range(1000):  # until it is told that another failed
        time.sleep(0.05)
        tell(1)

def die(job, tell):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Work that another process can import, unlike that of a test."""
    (tmp_path / "pool_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("pool_work")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs_whichever_is_begun_first(work, workers):
    told = []
    jobs = [1, 5, 2, 4, 3]
    found = [*work_through(jobs, work.square, told.append, workers=workers, size=float)]
    assert [square for square, _ in found] == [1, 25, 4, 16, 9]
    assert sum(told) == 15
    assert ({process for _, process in found} == {os.getpid()}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_unit_is_counted_by_itself(work, workers):
    told = []
    results = work_through([1, 2, 3], work.read, lambda *done: told.append(done), workers=workers)
    assert [*results] == [None] * 3
    assert [sum(unit) for unit in zip(*told, strict=True)] == [3, 66, 600]


def test_no_more_jobs_are_done_ahead_than_allowed(work, tmp_path):
    jobs = [(tmp_path, number) for number in range(8)]
    results = work_through(jobs, work.note, lambda done: None, workers=2, ahead=2)
    assert next(results) == 0
    time.sleep(0.5)
    assert {int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()} <= {0, 1, 2}
    assert [*results] == list(range(1, 8))


def test_a_job_that_fails_stops_those_that_run(work):
    results = work_through([0, 1], work.fail, lambda done: None, workers=2)
    with pytest.raises(DataError, match="job 1 cannot be done"):
        next(results)


def test_a_process_that_the_system_kills_is_told_with_what_to_do(work):
    results = work_through([0, 1], work.die, lambda done: None, workers=2)
    with pytest.raises(StoreError, match=r"killed one of 2 processes.*fewer --workers"):
        next(results)


def test_nothing_to_do_is_done(work):
    assert [*work_through([], work.square, lambda done: None, workers=2)] == []
