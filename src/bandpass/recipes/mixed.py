"""What a recipe says of the curriculum alone, and one recipe for stores of several modalities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from bandpass.curriculum import BandSettings
from bandpass.data import AnyStore
from bandpass.models import MixedJEPA
from bandpass.recipes.assemble import build_jepa
from bandpass.recipes.named import RECIPES, find
from bandpass.recipes.recipe import Recipe, RecipeError, override

CUTS = {"series": "series", "schedule": "schedule-large", "video": "video"}
"""Recipe that says how a store of each modality is cut, unless another is asked for."""


@dataclass(frozen=True)
class CurriculumSettings:
    """All that a recipe says about which windows are trained on; see `Recipe` for what each is.

    It names no modality, so that one value drives runs on series, on schedules, on videos and on
    all of them.
    """

    policy: str = "surprise-band"
    score: str = "loss"
    score_file: str = ""
    bucket: str = "none"
    gate: bool = False
    band: BandSettings = field(default_factory=BandSettings)


def curriculum_of(recipe: Recipe) -> CurriculumSettings:
    """Return what a recipe says of the curriculum."""
    names = [each.name for each in fields(CurriculumSettings)]
    return CurriculumSettings(**{name: getattr(recipe, name) for name in names})


def under(recipe: Recipe, curriculum: CurriculumSettings) -> Recipe:
    """Return the recipe under another curriculum, all else as it was."""
    names = [each.name for each in fields(CurriculumSettings)]
    return replace(recipe, **{name: getattr(curriculum, name) for name in names})


def parts_of(
    recipe: Recipe, stores: Sequence[AnyStore], cuts: Sequence[str] = ()
) -> dict[str, tuple[Recipe, AnyStore]]:
    """Return the recipe of each member of a mixed run beside its store, by name.

    A member is trained as ``recipe`` says. How its store is cut into windows and tokens, and what
    its own buckets are, says the recipe that is named in ``cuts``, or else that of its modality in
    ``CUTS``.

    Args:
        recipe: Of the mixed run.
        stores: At least two.
        cuts: For each store a name in ``RECIPES``, and changes of it behind that: "video
            windows.stride=8". None for those of the modalities.

    Returns:
        By modality; stores of the same one have the name of their folder behind it.

    Raises:
        RecipeError: If there are too few stores, a recipe does not fit its store, or ``recipe``
            was changed in what is said for each store by itself.
    """
    if len(stores) < 2:
        raise RecipeError(f"a mixed run needs at least two stores, got {len(stores)}")
    if cuts and len(cuts) != len(stores):
        raise RecipeError(f"{len(cuts)} cuts for {len(stores)} stores: name one for each, or none")
    _check(recipe)
    found: dict[str, tuple[Recipe, AnyStore]] = {}
    kinds = [store.modality for store in stores]
    for store, kind, cut in zip(stores, kinds, cuts or map(CUTS.__getitem__, kinds), strict=True):
        name = kind if kinds.count(kind) == 1 else f"{kind}-{store.path.name}"
        if any(store.path.resolve() == other.path.resolve() for _, other in found.values()):
            raise RecipeError(f"{store.path} is named twice: name every store once")
        if name in found:
            raise RecipeError(f"two stores are called {store.path.name}: rename the folder of one")
        named, *changes = cut.split()
        own = override(find(named), changes)
        if own.source not in ("any", store.manifest["source"]):
            raise RecipeError(
                f"recipe {named} is for {own.source}, {store.path} holds "
                f"{store.manifest['source']}: name another with --cut"
            )
        found[name] = _member(recipe, own), store
    return found


def _check(recipe: Recipe) -> None:
    """Refuse changes that would have no effect."""
    own, usual = (_own(each) for each in (recipe, RECIPES.get(recipe.name, recipe)))
    changed = [name for name, value in own.items() if value != usual[name]]
    if changed:
        raise RecipeError(
            f"{changed[0]} is said for each store of a mixed run by itself: name its recipe with "
            f"the change behind it, as in --cut 'video {changed[0]}=VALUE'"
        )


def _own(recipe: Recipe) -> dict[str, object]:
    """What a member does not share, by key."""
    size = recipe.model.encoder
    groups = {"windows": recipe.windows, "schedule": recipe.schedule, "clips": recipe.clips}
    flat = {f"{g}.{name}": v for g, part in groups.items() for name, v in vars(part).items()}
    return flat | {"model.encoder.patch": size.patch, "model.encoder.space": size.space}


def _member(recipe: Recipe, own: Recipe) -> Recipe:
    size, cut = recipe.model.encoder, own.model.encoder
    return replace(
        recipe,
        name=f"{recipe.name}:{own.name}",
        source=own.source,
        windows=own.windows,
        schedule=own.schedule,
        clips=own.clips,
        model=replace(recipe.model, encoder=replace(size, patch=cut.patch, space=cut.space)),
        bucket=own.bucket,
    )


def build_mixed(parts: Mapping[str, tuple[Recipe, AnyStore]]) -> MixedJEPA:
    """Build the freshly initialised model of a mixed run, determined by its seed.

    Raises:
        RecipeError: If a recipe does not fit its store.
    """
    return MixedJEPA([build_jepa(recipe, store.shape) for recipe, store in parts.values()])
