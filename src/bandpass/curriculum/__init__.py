"""Selection policies: which windows the next batch holds, with exact probabilities.

Usable alone: it knows window ids, losses and embeddings, and imports only torch and NumPy.
"""

from bandpass.curriculum.band import SurpriseBand
from bandpass.curriculum.draws import Draw
from bandpass.curriculum.gate import Evidence, Gate, GateSettings
from bandpass.curriculum.policies import POLICIES, PROMISES, Policy
from bandpass.curriculum.pool import CandidatePool
from bandpass.curriculum.quarantine import Quarantined
from bandpass.curriculum.scores import SCORES, Score
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.signals import MissingSignal, Signals
from bandpass.curriculum.static import static_probabilities
from bandpass.curriculum.triage import TriageSettings
from bandpass.curriculum.uniform import Fixed, Uniform

__all__ = [
    "POLICIES",
    "PROMISES",
    "SCORES",
    "BandSettings",
    "CandidatePool",
    "Draw",
    "Evidence",
    "Fixed",
    "Gate",
    "GateSettings",
    "MissingSignal",
    "Policy",
    "Quarantined",
    "Score",
    "Signals",
    "SurpriseBand",
    "TriageSettings",
    "Uniform",
    "static_probabilities",
]
