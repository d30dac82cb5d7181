"""The JEPA core: encoder, predictor, masking and targets."""

from bandpass.models.encoder import EncoderSettings, PatchEncoder
from bandpass.models.jepa import JEPA, JEPASettings, Output, pool
from bandpass.models.masking import MASKS, Mask
from bandpass.models.predictor import Predictor, PredictorSettings
from bandpass.models.targets import TARGETS, EMATeacher, SameEncoder

__all__ = [
    "JEPA",
    "MASKS",
    "TARGETS",
    "EMATeacher",
    "EncoderSettings",
    "JEPASettings",
    "Mask",
    "Output",
    "PatchEncoder",
    "Predictor",
    "PredictorSettings",
    "SameEncoder",
    "pool",
]
