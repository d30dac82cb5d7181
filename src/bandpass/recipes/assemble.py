"""From a recipe and a store to the parts of a run."""

from pathlib import Path

import numpy as np
import torch

from bandpass.curriculum import (
    POLICIES,
    SCORES,
    Fixed,
    Gate,
    GateSettings,
    SurpriseBand,
    TriageSettings,
    Uniform,
    static_probabilities,
)
from bandpass.curriculum.bank import ENOUGH
from bandpass.curriculum.settings import MANY
from bandpass.data import AnyStore, Corpus, DataError, Windows
from bandpass.data.captions import EMBEDDERS, Captions, caption
from bandpass.data.ingest import Ingest, describe
from bandpass.data.mixed import groups
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.data.video.clips import Clips
from bandpass.data.video.store import ClipStore
from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, TextJEPA
from bandpass.models.masking import NEXT
from bandpass.models.text import TEXT
from bandpass.recipes.recipe import Recipe, RecipeError, nearest
from bandpass.training import Curriculum, Plan
from bandpass.training.feed import BY_ID, SCORABLE, Sampler

ORACLE_SHARE = 0.25
"""Slots that the oracle gives to rare windows."""

FEWEST_STEPS = {1: 3, 3: 2}
"""In time, of a series and of clips, by the axes of their tokens: else evaluation has nothing to
hide, of a series the last quarter, of clips what comes after the first step."""

DRAWS_APART = 1 << 32
"""Between the seeds of two orders of drawing: no seed of a run reaches as far."""


def build_windows(recipe: Recipe, store: AnyStore, split: str | None) -> Corpus:
    """Cut one split of a store into the windows of a recipe.

    Args:
        recipe: Says how.
        store: Where the series, schedules or videos lie.
        split: "train", "test", or None for both.

    Raises:
        RecipeError: If the recipe does not fit the store.
    """
    windows = _cut(recipe, store, split)
    if recipe.model.target == TEXT:
        windows.captions = _captions(recipe, windows)
    return windows


def _cut(recipe: Recipe, store: AnyStore, split: str | None) -> Windows | ScheduleWindows | Clips:
    cut = recipe.windows
    if isinstance(store, ScheduleStore):
        if cut.length != ScheduleWindows.length:
            raise RecipeError(
                f"windows.length is {cut.length}, but {store.path} holds schedules, whose windows "
                f"have {ScheduleWindows.length} slots: take a schedule recipe, or windows.length="
                f"{ScheduleWindows.length}"
            )
        return ScheduleWindows(store, split, recipe.schedule)
    if isinstance(store, ClipStore):
        return Clips(store, cut.length, cut.stride, split, cut.normalize, recipe.clips)
    return Windows(store, cut.length, cut.stride, split, normalize=cut.normalize)


def _captions(recipe: Recipe, windows: Corpus) -> Captions:
    if recipe.embedder not in EMBEDDERS:
        raise nearest("embedder", recipe.embedder, EMBEDDERS)
    captions = caption(windows, EMBEDDERS[recipe.embedder], name=recipe.embedder)
    width = captions.questions.shape[1]
    if width != recipe.model.text:
        raise RecipeError(
            f"embedder {recipe.embedder!r} gives vectors of {width} numbers and model.text is "
            f"{recipe.model.text}: say model.text={width}"
        )
    return captions


def build_jepa(recipe: Recipe, shape: int | tuple[int, ...]) -> JEPA:
    """Build the freshly initialised model of a recipe, determined by its seed.

    Args:
        recipe: Says how.
        shape: ``store.shape``: channels of a row, or (height, width, colours) of a frame.

    Raises:
        RecipeError: If the recipe does not fit such rows.
    """
    if recipe.distance not in PREDICTION_LOSSES:
        raise RecipeError(f"distance {recipe.distance!r} is none of {sorted(PREDICTION_LOSSES)}")
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.train.seed)
            kind = TextJEPA if recipe.model.target == TEXT else JEPA
            jepa = kind(
                shape, recipe.windows.length, recipe.model, PREDICTION_LOSSES[recipe.distance]
            )
        for name in recipe.train.masks:  # a ratio that hides nothing shall not wait for a step
            MASKS[name](1, jepa.grid, recipe.train.mask_ratio, torch.Generator())
    except ValueError as error:
        raise RecipeError(str(error)) from error
    fewest = FEWEST_STEPS[len(jepa.grid)]
    if jepa.grid[0] < fewest:
        length, patch = recipe.windows.length, recipe.model.encoder.patch
        raise RecipeError(
            f"windows.length={length} with encoder.patch={patch} leaves {jepa.grid[0]} of the "
            f"{fewest} steps in time that foreseeing takes: take smaller patches or longer windows"
        )
    _check_next(recipe)
    if kind is TextJEPA and recipe.train.grounded:
        raise RecipeError("target 'text' leaves no patch to read out: say train.grounding=0")
    return jepa


def _check_next(recipe: Recipe) -> None:
    """Refuse to predict what the model is shown."""
    alone = recipe.model.encoder.attention == "step" and recipe.model.predictor.causal
    if NEXT in recipe.train.masks and not alone:
        raise RecipeError(
            f"mask {NEXT!r} asks for what is in the context too: that takes a model with "
            "encoder.attention=step and predictor.causal=true"
        )


def build_curriculum(recipe: Recipe, windows: Corpus) -> Curriculum:
    """Build what decides which windows a recipe trains on, and how these are scored.

    Raises:
        RecipeError: If a name in the recipe is unknown, or a training run has no means for it.
    """
    score = SCORES.get(recipe.score)
    if score is None:
        raise nearest("score", recipe.score, SCORES)
    missing = sorted(set(score.needs) - SCORABLE)
    if missing:
        raise RecipeError(
            f"score {score.name!r} needs {', '.join(missing)}, which a training run has not: "
            "`bandpass enrich` weighs such scores; choose another to train by"
        )
    sampler = build_sampler(recipe, windows)
    gate = recipe.gate and isinstance(sampler, SurpriseBand)
    needed = gate or bool(set(score.needs) & BY_ID)
    buckets, names = _buckets(recipe, windows)
    plan = Plan(
        score=recipe.score,
        gate=gate,
        buckets=buckets,
        names=tuple(names),
        ingest=describe(windows) if needed else None,
    )
    return Curriculum(sampler, plan)


def build_sampler(recipe: Recipe, windows: Corpus) -> Sampler:
    """Build the selection policy of a recipe over the training windows.

    Raises:
        RecipeError: If it is unknown, or the store does not hold what it needs.
    """
    train, policy = recipe.train, POLICIES.get(recipe.policy)
    if policy is None:
        raise nearest("policy", recipe.policy, POLICIES)
    if train.batch > len(windows):
        raise RecipeError(
            f"train.batch is {train.batch}, but there are only {len(windows)} training windows: "
            f"take a smaller batch, or a smaller windows.stride (now {recipe.windows.stride})"
        )
    if train.pool > 1 and (policy.sampler is Fixed or recipe.band.mode != "live"):
        raise RecipeError(
            f"policy {recipe.policy!r} is a control, a pool would choose for it: take train.pool=1"
        )
    if recipe.draw_seed < 0:
        raise RecipeError(f"draw_seed is {recipe.draw_seed}: it must be at least 0")
    slots = train.batch * train.pool
    count = {"steps": train.steps, "seed": train.seed + DRAWS_APART * recipe.draw_seed}
    together = groups(windows)
    if policy.sampler is Uniform:
        return Uniform(len(windows), slots, subset=policy.subset, groups=together, **count)
    if policy.sampler is Fixed:
        return Fixed(_weights(recipe, windows), slots, groups=together, **count)
    kappa = train.steps * slots / len(windows)
    coverage = recipe.band.coverage
    clustered = kappa < MANY if coverage == "auto" else coverage != "table"
    return SurpriseBand(
        len(windows),
        slots,
        **count,
        buckets=_buckets(recipe, windows)[0],
        prototypes=describe(windows).prototype if clustered else None,
        groups=together,
        settings=recipe.band,
        gate=build_gate(recipe) if recipe.gate else None,
    )


def build_gate(recipe: Recipe) -> Gate:
    """The gate for windows of this overlap and embeddings of this width."""
    overlap = -(-recipe.windows.length // recipe.windows.stride)
    size = max(GateSettings().size, 2 * ENOUGH * 2 * recipe.model.encoder.dim)  # [mean | std]
    return Gate(GateSettings(size=size, reach=2 * overlap), recipe.train.seed)


def _buckets(recipe: Recipe, windows: Corpus) -> tuple[np.ndarray, list[str]]:
    if recipe.bucket not in windows.bucket_kinds:
        raise nearest("bucket", recipe.bucket, windows.bucket_kinds)
    try:
        return windows.buckets(recipe.bucket)
    except DataError as error:
        raise RecipeError(f"bucket {recipe.bucket!r}: {error}") from error


def _weights(recipe: Recipe, windows: Corpus) -> np.ndarray:
    """(n,) what the windows are drawn by from the first step to the last."""
    if recipe.policy == "oracle":
        return oracle(windows)
    scores = static_scores(recipe, windows)
    faults = describe(windows).faults if recipe.gate else np.zeros(len(windows))
    held = np.flatnonzero(faults >= TriageSettings().conviction)  # no visit will judge them
    buckets, _ = _buckets(recipe, windows)
    return static_probabilities(scores, recipe.band, buckets=buckets, held=held)


def oracle(windows: Corpus) -> np.ndarray:
    """(n,) probabilities of who knows the labels: rare windows a quarter, corrupt ones nothing.

    Raises:
        RecipeError: If no window is labelled rare, or all are.
    """
    slices = windows.slices()
    rare = slices["rare"]
    others = ~rare & ~slices["corrupt"]
    if not rare.any() or not others.any():
        raise RecipeError(
            f"policy 'oracle' needs rare windows and others: {windows.store.path} has "
            f"{rare.sum()} labelled rare and {others.sum()} others for training"
        )
    return ORACLE_SHARE * rare / rare.sum() + (1 - ORACLE_SHARE) * others / others.sum()


def static_scores(recipe: Recipe, windows: Corpus) -> np.ndarray:
    """(n,) scores that are known before training: of the file if one is named, else of ingest.

    Raises:
        RecipeError: If the score is none that ingest knows, or the file does not fit.
    """
    if recipe.score_file:
        return _read_scores(Path(recipe.score_file), len(windows))
    if recipe.score not in ("density", "density-ratio"):
        raise RecipeError(
            f"policy 'static' needs a score that is known before training, not {recipe.score!r}: "
            "score=density-ratio, score=density or score_file=FILE.npy"
        )
    ingest: Ingest = describe(windows)
    return ingest.density if recipe.score == "density" else ingest.density_ratio


def _read_scores(path: Path, count: int) -> np.ndarray:
    try:
        scores = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RecipeError(f"score_file {path} cannot be read as .npy: {error}") from error
    if not isinstance(scores, np.ndarray) or scores.shape != (count,) or scores.dtype.kind != "f":
        found = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else "an archive"
        raise RecipeError(
            f"score_file {path} holds {found}: it must hold one float for each of the {count} "
            "training windows"
        )
    return scores
