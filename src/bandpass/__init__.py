"""bandpass trains JEPAs on long temporal streams with a surprise-band curriculum.

The names below are loaded when they are first used, so that ``import bandpass.curriculum`` costs no
more than the sampler that is in it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandpass.curriculum import BandSettings, SurpriseBand, Uniform
    from bandpass.data import Store, Windows, open_store, prepare
    from bandpass.recipes import Recipe, find, override
    from bandpass.report import write_report
    from bandpass.runs import embed, evaluate, train

_HOMES = {
    "BandSettings": "curriculum",
    "Recipe": "recipes",
    "Store": "data",
    "SurpriseBand": "curriculum",
    "Uniform": "curriculum",
    "Windows": "data",
    "embed": "runs",
    "evaluate": "runs",
    "find": "recipes",
    "open_store": "data",
    "override": "recipes",
    "prepare": "data",
    "train": "runs",
    "write_report": "report",
}

__all__ = [
    "BandSettings",
    "Recipe",
    "Store",
    "SurpriseBand",
    "Uniform",
    "Windows",
    "embed",
    "evaluate",
    "find",
    "open_store",
    "override",
    "prepare",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name in _HOMES:
        return getattr(import_module(f"bandpass.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'bandpass' has no attribute {name!r}")
