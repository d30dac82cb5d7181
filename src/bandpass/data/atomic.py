"""Whole or absent: a directory that is written beside its place and renamed into it."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bandpass.data.manifest import StoreError, read_manifest

_PARTIAL = r"\.partial-\d+(-replaced)?"
"""End of the name of a directory whose place is not taken yet; the number is its process."""


@contextmanager
def publishing(store: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty directory beside ``store`` that takes its place when the block ends well.

    A block that raises leaves nothing behind; what a killed process leaves is never at ``store``
    and is removed by the next call.

    Args:
        store: Where the directory shall be.
        overwrite: Replace a store that is already there.

    Raises:
        StoreError: If a store is there and may not be replaced, if something else is there, if
            another process is preparing it, or if the disk does not take it.
    """
    lock = store.with_name(f".{store.name}.lock")
    with writing(store):
        store.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()

    def busy(pid: str) -> StoreError:
        return StoreError(f"process {pid} is preparing {store}: wait for it or stop it")

    with alone(lock, busy):
        for stale in _partials(store):  # we hold the lock: their writers are gone
            shutil.rmtree(stale)
        _refuse(store, overwrite)
        partial = store.with_name(f"{store.name}.partial-{os.getpid()}")
        try:
            with writing(store):
                partial.mkdir()
            yield partial
            with writing(store):
                _swap(partial, store)
        finally:
            for leftover in _partials(store):
                shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` for a file that takes its place when the block ends well."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of writing to ``path`` into a `StoreError` that says what is free."""
    try:
        yield
    except OSError as error:
        place = next(p for p in (path, *path.absolute().parents) if p.is_dir())
        free = shutil.disk_usage(place).free / 1e6
        raise StoreError(
            f"could not write {path}: {error.strerror or error}; {free:,.0f} MB are free there, "
            f"nothing half-written is left: make room or choose another place for the store"
        ) from error


@contextmanager
def alone(lock: Path, busy: Callable[[str], Exception]) -> Iterator[None]:
    """Hold a lock file until the block ends, or the process does.

    A record lock, because a forked child does not inherit it: loader workers outlive a killed
    parent by seconds and would keep the next process out.

    Args:
        lock: The file; it stays, with the process id of its last holder in it.
        busy: Makes the error to raise, from the process id of the holder, if there is one.
    """
    with lock.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            file.seek(0)
            raise busy(file.read().strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        yield


def sync(path: Path) -> None:
    """Flush a file or a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(partial: Path, store: Path) -> None:
    for file in partial.iterdir():
        sync(file)
    sync(partial)
    replaced = partial.with_name(f"{partial.name}-replaced")
    if store.exists():
        store.rename(replaced)
    try:
        partial.rename(store)
    except OSError:
        if replaced.exists():
            replaced.rename(store)
        raise
    sync(store.parent)


def _refuse(store: Path, overwrite: bool) -> None:
    if not store.exists() or (store.is_dir() and not any(store.iterdir())):
        return
    read_manifest(store)  # raises unless it is a store: anything else is never replaced
    if not overwrite:
        raise StoreError(f"there is a store at {store} already: pass --overwrite to replace it")


def is_partial(path: Path) -> bool:
    """Whether a directory is what a preparation writes before its store is there."""
    return re.fullmatch(rf".+{_PARTIAL}", path.name) is not None and path.is_dir()


def _partials(store: Path) -> list[Path]:
    name = re.compile(re.escape(store.name) + _PARTIAL)
    return [path for path in store.parent.iterdir() if name.fullmatch(path.name)]
