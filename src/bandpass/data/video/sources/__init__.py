"""Public sets of videos, the simulated world and a user's folder, each behind a ``VideoSource``."""

from difflib import get_close_matches

from bandpass.data.series import DataError
from bandpass.data.video.recording import VideoSource
from bandpass.data.video.sources import (
    cdnet_traffic,
    fir_actions_room01,
    fly_courtship,
    folder,
    intel_cctv,
    ucsd_ped2,
    world,
)

__all__ = ["VIDEO_SOURCES", "find"]

VIDEO_SOURCES: dict[str, VideoSource] = {
    source.name: source
    for source in (
        fir_actions_room01.SOURCE,
        fir_actions_room01.THERMAL,
        ucsd_ped2.SOURCE,
        fly_courtship.SOURCE,
        cdnet_traffic.SOURCE,
        intel_cctv.SOURCE,
        world.SOURCE,
        folder.SOURCE,
    )
}


def find(name: str) -> VideoSource:
    """Return a source of videos by its name.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if name not in VIDEO_SOURCES:
        near = get_close_matches(name, VIDEO_SOURCES, n=1, cutoff=0.0)[0]
        known = ", ".join(VIDEO_SOURCES)
        raise DataError(f"no source {name!r}: did you mean {near!r}? known: {known}")
    return VIDEO_SOURCES[name]
