"""Many jobs at once: each in whichever process is free, the results in the order of the jobs."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Any, TypeVar

from bandpass.data.manifest import StoreError

Job = TypeVar("Job")
Result = TypeVar("Result")
Tell = Callable[..., None]
"""Called with what was done since the last call: a number for each unit the work counts."""

_EVERY = 0.2
"""Seconds between two looks at how far the processes are."""

_MOST = 4
"""Units that work may count."""

_STOP, _UNITS, _DONE = 0, 1, 2
_shared: "SynchronizedArray[int] | None" = None  # of a worker: stop? units, then their counts


class _Stopped(Exception):
    """Another process failed, or a person stopped the run."""


def work_through(
    jobs: Sequence[Job],
    work: Callable[[Job, Tell], Result],
    tell: Tell,
    *,
    workers: int,
    ahead: int | None = None,
    size: Callable[[Job], float] = lambda job: 0,
) -> Generator[Result, None, None]:
    """Do jobs in processes and yield their results in the order of the jobs.

    Close the iterator where it may be left early; that stops the processes.

    Args:
        jobs: What to do.
        work: Does one and says how far it is; it and the jobs must be picklable.
        tell: Called now and then, in this process.
        workers: Processes; with 1 it is done in this one.
        ahead: Jobs beyond the result that is waited for that may be done; any number if None.
        size: Of a job; the largest are begun first unless ``ahead`` bounds how many.

    Raises:
        StoreError: If the system killed a process.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (work(job, tell) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    shared: SynchronizedArray[int] = context.Array("q", _DONE + _MOST)
    pool = ProcessPoolExecutor(workers, context, _begin, (shared,))
    order = list(range(len(jobs)))
    if ahead is None:
        order.sort(key=lambda number: -size(jobs[number]))
    futures: dict[int, Future[Result]] = {}
    told = [0] * _MOST

    def look() -> None:
        nonlocal told
        _, units, *done = shared.get_obj()
        if units:  # else nobody has told anything
            tell(*(now - then for now, then in zip(done[:units], told, strict=False)))
            told = done

    try:
        for number in range(len(jobs)):
            most = len(jobs) if ahead is None else number + 1 + ahead
            for other in order[len(futures) : most]:
                futures[other] = pool.submit(_work, work, jobs[other])
            while not futures[number].done():
                wait([futures[number]], _EVERY, FIRST_COMPLETED)
                look()
                _raise_first(futures)
            yield futures[number].result()
        look()
    except BrokenProcessPool as error:
        raise StoreError(
            f"the system killed one of {workers} processes, for want of memory most likely: "
            "the same command with fewer --workers goes on from here"
        ) from error
    finally:
        shared.get_obj()[_STOP] = 1  # without the lock: a killed process may hold it
        pool.shutdown(cancel_futures=True)


def _raise_first(futures: "dict[int, Future[Result]]") -> None:
    """Raise the error of any job that failed, not only of the one that is waited for."""
    for future in futures.values():
        if future.done() and (error := future.exception()) is not None:
            raise error


def _begin(shared: "SynchronizedArray[int]") -> None:
    """Prepare a worker: it stops when its parent says so, or is gone."""
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and stops us
    threading.Thread(target=_leave_with, args=(_parent(),), daemon=True).start()


def _parent() -> Any:
    return multiprocessing.parent_process()


def _leave_with(parent: Any) -> None:
    """End this process as soon as its parent has ended; a pool's worker would wait forever."""
    parent.join()
    os._exit(1)


def _work(work: Callable[[Job, Tell], Result], job: Job) -> Result:
    return work(job, _count)


def _count(*done: int) -> None:
    assert _shared is not None
    with _shared.get_lock():
        _shared[_UNITS] = len(done)
        for place, more in enumerate(done, _DONE):
            _shared[place] += more
    if _shared[_STOP]:
        raise _Stopped
