"""Named runs, their settings, and their assembly from parts."""

from bandpass.recipes.assemble import build_curriculum, build_jepa, build_sampler, build_windows
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
    "Recipe",
    "RecipeError",
    "WindowSettings",
    "build_curriculum",
    "build_jepa",
    "build_sampler",
    "build_windows",
    "find",
    "from_dict",
    "keys",
    "override",
    "to_dict",
]
