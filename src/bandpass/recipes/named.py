"""The named recipes: each is a function's worth of settings that were seen to work together."""

import difflib
from dataclasses import replace

from bandpass.data.schedule.windows import ScheduleCut
from bandpass.models import EncoderSettings, JEPASettings, PredictorSettings
from bandpass.models.masking import NEXT
from bandpass.models.text import TEXT
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
    target = "ema" if recipe.model.target == TEXT else recipe.model.target
    plain = {"pool": 1, "rescore_every": 0, "guard_every": 0}
    return replace(
        recipe,
        name=f"{recipe.name}:raw-patch",
        model=replace(recipe.model, latent=False, target=target),
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


def clip_model(dim: int, patch: int = 2, space: int = 8) -> JEPASettings:
    """Encoder of clips in tubelets of ``patch`` frames x ``space`` x ``space`` pixels."""
    sized = model(dim, 2, 4)
    return replace(sized, encoder=replace(sized.encoder, patch=patch, space=space))


VIDEO = Recipe(
    name="video",
    windows=WindowSettings(length=16, stride=4),
    model=clip_model(64),
    train=TrainSettings(steps=1000, batch=32, masks=("multi-block",)),
)


def world(recipe: Recipe) -> Recipe:
    """Predict the latent state of the next time step from those before, as LeWorldModel does.

    No teacher and no stopped gradient: arXiv 2603.19312, section 3.
    """
    encoder = replace(recipe.model.encoder, attention="step")
    predictor = replace(recipe.model.predictor, causal=True)
    train = replace(
        recipe.train,
        masks=(NEXT,),
        regulariser="sigreg",
        regulariser_weight=0.09,
        weight_decay=1e-3,
    )
    return replace(
        recipe,
        name=f"{recipe.name}-world",
        model=replace(recipe.model, encoder=encoder, predictor=predictor, target="same-encoder"),
        distance="mse",
        train=train,
    )


def text(recipe: Recipe) -> Recipe:
    """Predict the text vectors of a window's classes: supervised by the labels of the store."""
    return replace(
        recipe,
        name=f"{recipe.name}-text",
        model=replace(recipe.model, target=TEXT),
        distance="cosine",
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
    VIDEO,
    replace(VIDEO, name="video-tube", train=replace(VIDEO.train, masks=("tube",))),
    # People are few pixels here, and are told by where they are (experiments/LOG.md).
    replace(
        VIDEO,
        name="fir_actions_room01",
        source="fir_actions_room01",
        model=clip_model(64, patch=4, space=4),
        train=replace(VIDEO.train, steps=1500, masks=("tube",), mask_ratio=0.5),
    ),
    replace(VIDEO, name="video-future", train=replace(VIDEO.train, masks=("future",))),
    replace(
        VIDEO,
        name="video-sigreg",
        model=replace(VIDEO.model, target="same-encoder"),
        train=replace(VIDEO.train, regulariser="sigreg", regulariser_weight=0.02),
    ),
    # Several stores at once: blocks as they are cut into tokens on grids of one and three axes.
    replace(
        SERIES,
        name="mixed",
        train=replace(SERIES.train, masks=("multi-block",)),
        bucket="modality",
    ),
    *(form(recipe) for form in (world, text) for recipe in (SERIES, VIDEO)),
    replace(
        VIDEO,
        name="video-demo",
        source="world",
        windows=WindowSettings(length=16, stride=8),
        model=replace(clip_model(48), encoder=replace(clip_model(48).encoder, patch=4)),
        train=replace(VIDEO.train, steps=400),
    ),
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
