"""The named recipes: each is a function's worth of settings that were seen to work together."""

import difflib
from dataclasses import replace

from bandpass.data.schedule.windows import ScheduleCut
from bandpass.models import EncoderSettings, JEPASettings, PredictorSettings
from bandpass.recipes.recipe import Recipe, RecipeError, WindowSettings
from bandpass.training import TrainSettings


def model(dim: int, depth: int, heads: int, *, widen: int = 2) -> JEPASettings:
    """Encoder of a given size with a predictor as wide and two blocks deep."""
    mlp = widen * dim
    return JEPASettings(
        encoder=EncoderSettings(dim=dim, depth=depth, heads=heads, mlp=mlp),
        predictor=PredictorSettings(dim=dim, depth=2, heads=heads, mlp=mlp),
    )


def day_model(patch: int, dim: int = 64) -> JEPASettings:
    """Encoder of a day in slots, ``patch`` of them a token."""
    sized = model(dim, 2, 4)
    return replace(sized, encoder=replace(sized.encoder, patch=patch))


def control(recipe: Recipe) -> Recipe:
    """Return the masked raw-patch regression of the same size and budget, without a curriculum."""
    plain = {"pool": 1, "rescore_every": 0, "guard_every": 0}
    return replace(
        recipe,
        name=f"{recipe.name}:raw-patch",
        model=replace(recipe.model, latent=False),
        train=replace(recipe.train, prediction=0.0, grounding=1.0, final_grounding=1.0, **plain),
        policy="uniform",
        score="loss",
        gate=False,
    )


# Pilots (experiments/LOG.md): the encoder gained most from a teacher that follows quickly and from
# the latent loss alone. On a short budget a momentum of .996 leaves the teacher at its random
# start, and a raw readout pulls the encoder back to what raw features hold already.
SERIES = Recipe(
    name="series",
    model=model(64, 2, 4),
    train=TrainSettings(steps=1000, batch=32),
)

# The reference configuration of the schedule model, kept faithful: raw targets, a constant rate and
# nothing against collapse, which is what it comes to (docs/schedule.md).
SCHEDULE = Recipe(
    name="schedule-base",
    source="schedule",
    windows=WindowSettings(length=96, stride=96, normalize="none"),
    schedule=ScheduleCut(kind="record"),
    model=replace(day_model(1), target="ema-raw"),
    distance="mse",
    train=TrainSettings(
        steps=1000,
        batch=32,
        lr=1e-3,
        warmup=0.0,
        final_lr=1.0,
        weight_decay=0.0,
        clip=0.0,
        momentum=0.99,
        final_momentum=0.99,
    ),
    policy="uniform",
    bucket="shape",
)

# What people use. A hidden span at the same place for all windows of a batch, so that the variance
# term sees how windows differ there and not how places do; hours as tokens; days of people and
# projects, in which something is left to predict (experiments/LOG.md has what was tried).
SCHEDULE_LARGE = Recipe(
    name="schedule-large",
    source="schedule",
    windows=SCHEDULE.windows,
    schedule=ScheduleCut(kind="actor_day", split="honest", whole_days=False),
    model=replace(day_model(4, 96), target="ema-standard"),
    train=TrainSettings(
        steps=2000,
        batch=64,
        validate_every=200,
        momentum=0.99,
        regulariser="vicreg",
        regulariser_weight=1.0,
        masks=("shared-span",),
    ),
    bucket="shape",
)

_RECIPES = (
    SERIES,
    replace(SERIES, name="smd", source="smd"),
    replace(SERIES, name="skab", source="skab", windows=WindowSettings(stride=16)),
    replace(SERIES, name="nab", source="nab"),
    replace(SERIES, name="3w", source="3w"),
    replace(SERIES, name="plant", source="plant"),
    replace(
        SERIES,
        name="plant-demo",
        source="plant",
        model=model(48, 2, 4),
        train=replace(SERIES.train, steps=800),
    ),
    replace(SERIES, name="series-tiny", model=model(40, 2, 4)),
    replace(
        SERIES,
        name="series-sigreg",
        model=replace(SERIES.model, target="same-encoder"),
        train=replace(SERIES.train, regulariser="sigreg", regulariser_weight=0.02),
    ),
    replace(
        SERIES,
        name="series-vicreg",
        model=replace(SERIES.model, target="same-encoder"),
        train=replace(SERIES.train, regulariser="vicreg", regulariser_weight=0.1),
    ),
    SCHEDULE,
    SCHEDULE_LARGE,
    replace(SERIES, name="series-vit-s", model=model(384, 12, 6, widen=4)),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}


def find(name: str) -> Recipe:
    """Return a named recipe.

    Raises:
        RecipeError: If there is none of that name; names the nearest.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.0)[0]
        raise RecipeError(f"no recipe {name!r}: did you mean {near!r}? known: {', '.join(RECIPES)}")
    return RECIPES[name]
