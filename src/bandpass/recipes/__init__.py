"""Named runs, their settings, and their assembly from parts."""

from bandpass.recipes.assemble import build_curriculum, build_jepa, build_sampler, build_windows
from bandpass.recipes.mixed import CurriculumSettings, build_mixed, curriculum_of, parts_of, under
from bandpass.recipes.named import RECIPES, find
from bandpass.recipes.recipe import (
    Recipe,
    RecipeError,
    WindowSettings,
    from_dict,
    keys,
    override,
    to_dict,
)

__all__ = [
    "RECIPES",
    "CurriculumSettings",
    "Recipe",
    "RecipeError",
    "WindowSettings",
    "build_curriculum",
    "build_jepa",
    "build_mixed",
    "build_sampler",
    "build_windows",
    "curriculum_of",
    "find",
    "from_dict",
    "keys",
    "override",
    "parts_of",
    "to_dict",
    "under",
]
