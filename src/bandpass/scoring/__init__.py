"""What a model says of windows that it is not being trained on: embeddings, signals, their cost."""

from bandpass.scoring.answers import answer
from bandpass.scoring.collect import collect, of_output, teacher_embedding
from bandpass.scoring.cost import Cost
from bandpass.scoring.heads import Heads, fit_heads
from bandpass.scoring.settings import Aids, ScoringSettings
from bandpass.scoring.slots import SlotEncoder, write_in
from bandpass.scoring.slow import SlowStudent
from bandpass.scoring.targets import target_agreement, target_surprise

__all__ = [
    "Aids",
    "Cost",
    "Heads",
    "ScoringSettings",
    "SlotEncoder",
    "SlowStudent",
    "answer",
    "collect",
    "fit_heads",
    "of_output",
    "target_agreement",
    "target_surprise",
    "teacher_embedding",
    "write_in",
]
