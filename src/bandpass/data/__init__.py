"""Data: raw series to a memory-mapped store, and windows of it on access."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bandpass.data.manifest import StoreError
from bandpass.data.prepare import prepare
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.series import DataError, Series, Source, Split
from bandpass.data.store import AnyStore, Store, open_store
from bandpass.data.video.store import ClipStore

if TYPE_CHECKING:
    from bandpass.data.batch import Batch, as_is
    from bandpass.data.corpus import Corpus
    from bandpass.data.schedule.windows import ScheduleWindows
    from bandpass.data.video.clips import Clips
    from bandpass.data.windows import Windows

__all__ = [
    "AnyStore",
    "Batch",
    "ClipStore",
    "Clips",
    "Corpus",
    "DataError",
    "ScheduleStore",
    "ScheduleWindows",
    "Series",
    "Source",
    "Split",
    "Store",
    "StoreError",
    "Windows",
    "as_is",
    "open_store",
    "prepare",
]


_LAZY = {
    "Batch": "batch",
    "Clips": "video.clips",
    "Corpus": "corpus",
    "ScheduleWindows": "schedule.windows",
    "Windows": "windows",
    "as_is": "batch",
}


def __getattr__(name: str) -> Any:
    """Load the windows, and with them torch, when they are first asked for."""
    if name in _LAZY:
        return getattr(import_module(f"bandpass.data.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
