"""What every named recipe promises; a new entry of `RECIPES` is tested by being there."""

import json

import pytest
import torch

from bandpass.curriculum import POLICIES
from bandpass.data.sources import SOURCES
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.losses import REGULARISERS
from bandpass.models import MASKS
from bandpass.recipes import RECIPES, build_jepa, from_dict, to_dict

RECIPE = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


@RECIPE
def test_survives_json(recipe):
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe


@RECIPE
def test_names_components_that_exist(recipe):
    assert recipe.source in {"any", "schedule", *SOURCES, *VIDEO_SOURCES}
    assert recipe.policy in POLICIES
    assert recipe.train.regulariser in {"none", *REGULARISERS}
    assert set(recipe.train.masks) <= set(MASKS)


@RECIPE
def test_builds_the_same_model_from_the_same_seed(recipe):
    films = recipe.name.startswith("video") or recipe.source in VIDEO_SOURCES
    shape = (24, 32, 1) if films else 3
    first, second = (build_jepa(recipe, shape).state_dict() for _ in range(2))
    assert sum(weights.numel() for weights in first.values()) > 10_000
    assert all(torch.equal(weights, second[name]) for name, weights in first.items())
