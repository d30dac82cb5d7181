"""Video: clips of memory-mapped frames, and how they are made of files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bandpass.data.video.recording import (
    Decoded,
    Event,
    Frames,
    Images,
    Recording,
    Video,
    VideoSource,
)
from bandpass.data.video.store import ClipStore

if TYPE_CHECKING:
    from bandpass.data.video.clips import ClipCut, Clips

__all__ = [
    "ClipCut",
    "ClipStore",
    "Clips",
    "Decoded",
    "Event",
    "Frames",
    "Images",
    "Recording",
    "Video",
    "VideoSource",
]


def __getattr__(name: str) -> Any:
    """Load the clips, and with them torch, when they are first asked for."""
    if name in ("ClipCut", "Clips"):
        return getattr(import_module("bandpass.data.video.clips"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
