"""Public datasets, the generator and a user's folder, each behind one ``Source``."""

from bandpass.data.series import Source
from bandpass.data.sources import folder, nab, plant, skab, smd, threew

__all__ = ["SOURCES"]

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
