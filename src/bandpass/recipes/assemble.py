"""From a recipe and a store to the parts of a run."""

import numpy as np
import torch

from bandpass.curriculum import POLICIES, SurpriseBand, Uniform
from bandpass.data import Store, Windows
from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS
from bandpass.recipes.recipe import Recipe, RecipeError


def build_windows(recipe: Recipe, store: Store, split: str) -> Windows:
    """Cut one split of a store into the windows of a recipe.

    Args:
        recipe: Gives length, stride and normalisation.
        store: Where the series lie.
        split: "train" or "test".
    """
    cut = recipe.windows
    return Windows(store, cut.length, cut.stride, split, normalize=cut.normalize)


def build_jepa(recipe: Recipe, channels: int) -> JEPA:
    """Build the freshly initialised model of a recipe, determined by its seed."""
    if recipe.distance not in PREDICTION_LOSSES:
        raise RecipeError(f"distance {recipe.distance!r} is none of {sorted(PREDICTION_LOSSES)}")
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.train.seed)
            jepa = JEPA(
                channels, recipe.windows.length, recipe.model, PREDICTION_LOSSES[recipe.distance]
            )
        for name in recipe.train.masks:  # a ratio that hides nothing shall not wait for a step
            MASKS[name](1, jepa.tokens, recipe.train.mask_ratio, torch.Generator())
    except ValueError as error:
        raise RecipeError(str(error)) from error
    return jepa


def build_sampler(recipe: Recipe, windows: Windows) -> Uniform | SurpriseBand:
    """Build the selection policy of a recipe over the training windows."""
    train = recipe.train
    if recipe.policy not in POLICIES:
        raise RecipeError(f"policy {recipe.policy!r} is none of {sorted(POLICIES)}")
    if recipe.policy == "uniform":
        return Uniform(len(windows), train.batch, steps=train.steps, seed=train.seed)
    return SurpriseBand(
        len(windows),
        train.batch,
        steps=train.steps,
        seed=train.seed,
        buckets=_buckets(recipe, windows),
        settings=recipe.band,
    )


def _buckets(recipe: Recipe, windows: Windows) -> np.ndarray | None:
    if recipe.bucket == "none":
        return None
    if recipe.bucket != "entity":
        raise RecipeError(f"bucket {recipe.bucket!r} is none of ['entity', 'none']")
    return windows.entities(np.arange(len(windows)))
