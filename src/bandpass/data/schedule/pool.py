"""Many raw files at once: each job in whichever process is free."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Any

from bandpass.data.manifest import StoreError
from bandpass.data.schedule.parts import Job, Tell, write_part

_EVERY = 0.2
"""Seconds between two looks at how far the processes are."""

_STOP = 3
_shared: "SynchronizedArray[int] | None" = None  # of a worker: files, records, bytes; stop?


class _Stopped(Exception):
    """Another process failed, or a person stopped the run."""


def write_parts(
    jobs: Sequence[Job], key: bytes, tell: Tell, *, workers: int, keep_damaged: bool
) -> None:
    """Write the part of every job.

    Args:
        jobs: What to read.
        key: Of the identifier hashes.
        tell: Called now and then, in this process.
        workers: Processes; with 1 it is done in this one.
        keep_damaged: Keep what was read of a damaged file.

    Raises:
        DataError: Of the first file that is damaged. What is finished by then stays.
        StoreError: If the disk does not take it, or the system killed a process.
    """
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            write_part(job, key, keep_damaged, tell)
        return
    context = multiprocessing.get_context("spawn")
    shared: SynchronizedArray[int] = context.Array("q", 4)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _begin, (shared,))
    try:
        largest_first = sorted(jobs, key=lambda job: -job.bytes)
        _watch([pool.submit(_work, job, key, keep_damaged) for job in largest_first], shared, tell)
    except BrokenProcessPool as error:
        raise StoreError(
            f"the system killed one of {workers} processes, for want of memory most likely: "
            "the same command with fewer --workers goes on from here"
        ) from error
    finally:
        shared.get_obj()[_STOP] = 1  # without the lock: a killed process may hold it
        pool.shutdown(cancel_futures=True)


def _watch(futures: Iterable["Future[None]"], shared: "SynchronizedArray[int]", tell: Tell) -> None:
    pending, seen = set(futures), [0, 0, 0]
    while pending:
        done, pending = wait(pending, _EVERY, FIRST_COMPLETED)
        now = shared.get_obj()[:_STOP]
        tell(now[0] - seen[0], now[1] - seen[1], now[2] - seen[2])
        seen = now
        for future in done:
            future.result()


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


def _work(job: Job, key: bytes, keep_damaged: bool) -> None:
    write_part(job, key, keep_damaged, _count)


def _count(*read: int) -> None:
    assert _shared is not None
    with _shared.get_lock():
        for place, more in enumerate(read):
            _shared[place] += more
    if _shared[_STOP]:
        raise _Stopped
