"""Where many runs are made: one after the other here, or in many processes."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

import torch

from bandpass.data import DataError, StoreError
from bandpass.recipes import RecipeError
from bandpass.runs.run import RunError
from bandpass.training import CheckpointError, DeviceError, Diverged
from bandpass.training.interrupt import interruptible

OWN = (CheckpointError, DataError, Diverged, RunError)
"""Errors of one run alone."""

EVERYBODYS = (DeviceError, OSError, RecipeError, StoreError)
"""Errors that the other runs would meet too."""

Cell = TypeVar("Cell")
"""What a run is told by; it can be pickled, and as text it is the name of the run."""

Result = TypeVar("Result")

OnRow = Callable[[dict[str, Any]], None]
"""Told of every logged row of a training."""

Work = Callable[[Cell, OnRow], Result | None]
"""Makes a run; None after Ctrl-C, when it is saved. Can be pickled where processes are asked for:
a function of a module, or `functools.partial` of one."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_POLL = 0.2
_LOG, _DONE, _FAILED, _BROKEN = range(4)


@dataclass(frozen=True)
class Listener(Generic[Cell, Result]):
    """Who is told what happens.

    Attributes:
        log: Told of every logged row of a training.
        done: Told what a finished run came to.
        failed: Told that a run failed, and why.
    """

    log: Callable[[Cell, dict[str, Any]], None]
    done: Callable[[Cell, Result], None]
    failed: Callable[[Cell, str], None]


def here(cells: Iterable[Cell], work: Work[Cell, Result], listener: Listener[Cell, Result]) -> bool:
    """Make the runs in this process.

    Args:
        cells: The runs. Each is asked for when it can begin: a generator can end early.
        work: Makes one.
        listener: Who is told.

    Returns:
        Whether all were gone through; False after Ctrl-C.
    """
    for cell in cells:
        try:
            result = work(cell, lambda row, cell=cell: listener.log(cell, row))
        except OWN as error:
            listener.failed(cell, str(error))
            continue
        if result is None:
            return False
        listener.done(cell, result)
    return True


def apart(
    cells: Iterable[Cell],
    work: Work[Cell, Result],
    listener: Listener[Cell, Result],
    jobs: int,
) -> bool:
    """Make the runs in ``jobs`` processes of one thread each.

    Args:
        cells: The runs. Each is asked for when it can begin: a generator can end early.
        work: Makes one.
        listener: Who is told, in this process.
        jobs: How many at once.

    Returns:
        Whether all were gone through; False after Ctrl-C, which every process answers with a
        checkpoint.

    Raises:
        RunError: If a process meets an error that the others would meet too, or dies.
    """
    coming = iter(cells)
    first = list(islice(coming, jobs))
    left = chain(first, coming)
    with interruptible() as interrupted, _workers(len(first), work) as workers:
        busy: dict[Connection, Cell] = {}
        told = False
        while True:
            for line in workers:
                if line in busy or told:
                    continue
                for cell in islice(left, 1):
                    busy[line] = cell
                    _send(line, cell)
            if not busy:
                return not told
            if interrupted() and not told:
                told = True
                for line in busy:
                    workers[line].terminate()  # it saves where it stands
            for line in wait(list(busy), timeout=_POLL):
                assert isinstance(line, Connection)
                if _hear(line, busy[line], listener, told):
                    del busy[line]


def _send(line: Connection, cell: object) -> None:
    try:
        line.send(cell)
    except BrokenPipeError:
        raise _died(cell) from None


def _died(cell: object) -> RunError:
    return RunError(
        f"the process of {cell} died: if memory was short, take fewer --jobs; the same command "
        "continues"
    )


def _hear(line: Connection, cell: Cell, listener: Listener[Cell, Any], told: bool) -> bool:
    """Pass on what a process says; returns whether it is done with its run."""
    try:
        kind, content = line.recv()
    except (EOFError, ConnectionResetError):
        if told:  # it was not training, so it had nothing to save
            return True
        raise _died(cell) from None
    if kind == _LOG:
        listener.log(cell, content)
        return False
    if kind == _DONE and content is None and not told:  # somebody stopped that process alone
        listener.failed(cell, "its process was stopped; it is saved and can be continued")
    elif kind == _DONE and content is not None:
        listener.done(cell, content)
    if kind == _FAILED:
        listener.failed(cell, content)
    if kind == _BROKEN:
        raise RunError(f"{cell}: {content}")
    return True


@contextmanager
def _workers(count: int, work: Work[Any, Any]) -> Iterator[dict[Connection, BaseProcess]]:
    """Processes that wait for runs, by the line to each; none is left afterwards."""
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, BaseProcess] = {}
    try:
        with _one_thread():
            for _ in range(count):
                line, theirs = context.Pipe()
                worker = context.Process(target=_work, args=(theirs, work))
                worker.start()
                theirs.close()
                workers[line] = worker
        yield workers
    finally:
        for line, worker in workers.items():
            line.close()  # ends one that waits for a run
            worker.join(5)
            if worker.is_alive():
                worker.kill()
                worker.join()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that are started meanwhile compute with one thread each."""
    before = {name: os.environ[name] for name in _THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name in _THREADS:
            del os.environ[name]
        os.environ.update(before)


def _work(line: Connection, work: Work[Any, Any]) -> None:
    """Make runs as they come; a parent that is gone ends it with the next thing it says."""
    os.setpgrp()  # a Ctrl-C in the terminal is for the parent, which passes it on once
    torch.set_num_threads(1)
    try:
        while True:
            line.send(_attempt(line.recv(), work, line))
    except (EOFError, OSError):
        pass


def _attempt(cell: object, work: Work[Any, Any], line: Connection) -> tuple[int, object]:
    try:
        return _DONE, work(cell, lambda row: line.send((_LOG, row)))
    except OWN as error:
        return _FAILED, str(error)
    except BrokenPipeError:
        raise
    except EVERYBODYS as error:
        return _BROKEN, str(error)
    except Exception as error:  # a fault of ours: the parent says it, the traceback is for us
        traceback.print_exc()
        return _BROKEN, f"{type(error).__name__}: {error}"
