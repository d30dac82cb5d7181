"""The thermal record lies beside the videos of the same sessions."""

import runpy
from pathlib import Path


def make(raw, encode):
    path = Path(__file__).parents[1] / "fir_actions_room01" / "make.py"
    return runpy.run_path(str(path))["make"](raw, encode)
