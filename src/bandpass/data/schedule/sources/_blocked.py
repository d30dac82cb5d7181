"""What a source has in place of an adapter when there is nothing that it may read."""

from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import Malformed, Record

LAYOUT = "nothing: the source is blocked, and whatever lies in its folder is left alone"


def files(folder: Path) -> list[Path]:
    """None, whatever lies there."""
    return []


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield nothing."""
    return iter(())
