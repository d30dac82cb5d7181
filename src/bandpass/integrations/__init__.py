"""The curriculum in other people's loops: Lightning, Hugging Face, torchdata.

`draw_loader` needs torch only. The trainers are extras, imported when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bandpass.integrations.loader import Curriculum, draw_loader

if TYPE_CHECKING:
    from bandpass.integrations.lightning import CurriculumCallback
    from bandpass.integrations.transformers import CurriculumTrainerMixin

_EXTRAS = {"CurriculumCallback": "lightning", "CurriculumTrainerMixin": "transformers"}

__all__ = [
    "Curriculum",
    "CurriculumCallback",
    "CurriculumTrainerMixin",
    "draw_loader",
]


def __getattr__(name: str) -> Any:
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    extra = _EXTRAS[name]
    try:
        return getattr(import_module(f"{__name__}.{extra}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name} needs {error.name}, which is an extra: pip install 'bandpass[{extra}]'"
        ) from error
