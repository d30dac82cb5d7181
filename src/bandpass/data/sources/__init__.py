"""Public datasets, the generator and a user's folder, each behind one ``Source``."""

from difflib import get_close_matches

from bandpass.data.series import DataError, Source
from bandpass.data.sources import folder, nab, plant, skab, smd, threew

__all__ = ["SOURCES", "find"]

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        smd.SOURCE,
        skab.SOURCE,
        nab.SOURCE,
        threew.SOURCE,
        plant.SOURCE,
        folder.SOURCE,
    )
}


def find(name: str) -> Source:
    """Return a source by its name.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if name not in SOURCES:
        near = get_close_matches(name, SOURCES, n=1, cutoff=0.0)[0]
        raise DataError(f"no source {name!r}: did you mean {near!r}? known: {', '.join(SOURCES)}")
    return SOURCES[name]
