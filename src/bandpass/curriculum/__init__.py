"""Selection policies: which windows the next batch holds, with exact probabilities.

Usable alone: it knows window ids, losses and embeddings, and imports only torch and NumPy.
"""

from bandpass.curriculum.band import SurpriseBand
from bandpass.curriculum.draws import Draw
from bandpass.curriculum.quarantine import Quarantined
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.uniform import Uniform

POLICIES: dict[str, type[Uniform] | type[SurpriseBand]] = {
    "uniform": Uniform,
    "surprise-band": SurpriseBand,
}

__all__ = ["POLICIES", "BandSettings", "Draw", "Quarantined", "SurpriseBand", "Uniform"]
