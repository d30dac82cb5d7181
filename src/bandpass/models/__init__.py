"""The JEPA core: encoder, predictor, masking and targets."""

from bandpass.models.encoder import EncoderSettings, PatchEncoder
from bandpass.models.fronts import Front, Patches, Tubelets
from bandpass.models.jepa import JEPA, JEPASettings, Output, pool
from bandpass.models.masking import MASKS, Mask
from bandpass.models.mixed import AnyJEPA, MixedJEPA
from bandpass.models.predictor import Predictor, PredictorSettings
from bandpass.models.targets import TARGETS, EMATeacher, SameEncoder
from bandpass.models.text import TextJEPA

__all__ = [
    "JEPA",
    "MASKS",
    "TARGETS",
    "AnyJEPA",
    "EMATeacher",
    "EncoderSettings",
    "Front",
    "JEPASettings",
    "Mask",
    "MixedJEPA",
    "Output",
    "PatchEncoder",
    "Patches",
    "Predictor",
    "PredictorSettings",
    "SameEncoder",
    "TextJEPA",
    "Tubelets",
    "pool",
]
