"""Where the runs of a confirmation are made: one after the other here, or in many processes."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from bandpass.data import DataError, StoreError
from bandpass.recipes import RecipeError
from bandpass.runs.confirm.cells import run_cell
from bandpass.runs.confirm.plan import Cell
from bandpass.runs.run import RunError
from bandpass.runs.tasks import Row
from bandpass.training import CheckpointError, DeviceError, Diverged
from bandpass.training.interrupt import interruptible

OWN = (CheckpointError, DataError, Diverged, RunError)
"""Errors of one run alone."""

EVERYBODYS = (DeviceError, OSError, RecipeError, StoreError)
"""Errors that the other runs would meet too."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_POLL = 0.2
_LOG, _ROW, _FAILED, _BROKEN = range(4)


@dataclass(frozen=True)
class Listener:
    """Who is told what happens.

    Attributes:
        log: Told of every logged row of a training.
        row: Told of the finished row of a run.
        failed: Told that a run failed, and why.
    """

    log: Callable[[Cell, dict[str, Any]], None]
    row: Callable[[Cell, Row], None]
    failed: Callable[[Cell, str], None]


def here(cells: Sequence[Cell], store: Path, listener: Listener) -> bool:
    """Make the runs in this process.

    Returns:
        Whether all were gone through; False after Ctrl-C.
    """
    for cell in cells:
        try:
            row = run_cell(cell, store, lambda name, row, log, cell=cell: listener.log(cell, row))
        except OWN as error:
            listener.failed(cell, str(error))
            continue
        if row is None:
            return False
        listener.row(cell, row)
    return True


def apart(cells: Sequence[Cell], store: Path, listener: Listener, jobs: int) -> bool:
    """Make the runs in ``jobs`` processes of one thread each.

    Returns:
        Whether all were gone through; False after Ctrl-C, which every process answers with a
        checkpoint.

    Raises:
        RunError: If a process meets an error that the others would meet too, or dies.
    """
    left = list(cells)
    with interruptible() as interrupted, _workers(min(jobs, len(cells)), store) as workers:
        busy: dict[Connection, Cell] = {}
        told = False
        while left or busy:
            for line in workers:
                if line not in busy and left:
                    busy[line] = left.pop(0)
                    _send(line, busy[line])
            if interrupted() and not told:
                told = True
                left.clear()
                for line in busy:
                    workers[line].terminate()  # it saves where it stands
            for line in wait(list(busy), timeout=_POLL):
                assert isinstance(line, Connection)
                if _hear(line, busy[line], listener, told):
                    del busy[line]
    return not told


def _send(line: Connection, cell: Cell) -> None:
    try:
        line.send(cell)
    except BrokenPipeError:
        raise _died(cell) from None


def _died(cell: Cell) -> RunError:
    return RunError(
        f"the process of {cell} died: if memory was short, take fewer --jobs; the same command "
        "continues"
    )


def _hear(line: Connection, cell: Cell, listener: Listener, told: bool) -> bool:
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
    if kind == _ROW and content is None and not told:  # somebody stopped that process alone
        listener.failed(cell, "its process was stopped; it is saved and can be continued")
    elif kind == _ROW and content is not None:
        listener.row(cell, content)
    if kind == _FAILED:
        listener.failed(cell, content)
    if kind == _BROKEN:
        raise RunError(f"{cell}: {content}")
    return True


@contextmanager
def _workers(count: int, store: Path) -> Iterator[dict[Connection, BaseProcess]]:
    """Processes that wait for runs, by the line to each; none is left afterwards."""
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, BaseProcess] = {}
    try:
        with _one_thread():
            for _ in range(count):
                line, theirs = context.Pipe()
                worker = context.Process(target=_work, args=(theirs, store))
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


def _work(line: Connection, store: Path) -> None:
    """Make runs as they come; a parent that is gone ends it with the next thing it says."""
    os.setpgrp()  # a Ctrl-C in the terminal is for the parent, which passes it on once
    torch.set_num_threads(1)
    try:
        while True:
            cell: Cell = line.recv()
            line.send(_attempt(cell, store, line))
    except (EOFError, OSError):
        pass


def _attempt(cell: Cell, store: Path, line: Connection) -> tuple[int, object]:
    try:
        return _ROW, run_cell(cell, store, lambda name, row, log: line.send((_LOG, row)))
    except OWN as error:
        return _FAILED, str(error)
    except BrokenPipeError:
        raise
    except EVERYBODYS as error:
        return _BROKEN, str(error)
    except Exception as error:  # a fault of ours: the parent says it, the traceback is for us
        traceback.print_exc()
        return _BROKEN, f"{type(error).__name__}: {error}"
