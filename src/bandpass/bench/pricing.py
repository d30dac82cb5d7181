"""What of a recipe changes its price, and what describing the windows before a run comes to."""

from dataclasses import replace

from bandpass.curriculum import SurpriseBand
from bandpass.data.clusters import ROUNDS, SAMPLE, clusters
from bandpass.data.density import BANK, NOVEL
from bandpass.recipes import Recipe
from bandpass.scoring.operations import neighbours
from bandpass.training import Curriculum


def work_of(recipe: Recipe) -> Recipe:
    """The recipe without what costs nothing: name, seeds of run and order, learning rate."""
    return replace(recipe, name="", draw_seed=0, train=replace(recipe.train, seed=0, lr=1e-3))


def described(recipe: Recipe, curriculum: Curriculum) -> bool:
    """Whether a run needs `describe` of its windows: for its gate, score, weights or buckets.

    Args:
        recipe: What is trained.
        curriculum: As it was built of that.
    """
    sampler = curriculum.sampler
    if curriculum.plan.ingest is not None:
        return True
    if isinstance(sampler, SurpriseBand):
        return sampler.coverage != "table" or recipe.bucket == "weak-regime"
    return recipe.policy == "static" and (recipe.gate or not recipe.score_file)


def description_flops(count: int, width: int) -> float:
    """Operations of the neighbour searches in describing windows: two densities, and clusters.

    The features themselves are one pass over the values and are left out.

    Args:
        count: Windows.
        width: Of their features.
    """
    novel = max(round(NOVEL * count), 1)
    centres = clusters(count)
    searches = (
        (count, min(BANK, count)),
        (count, min(BANK, novel)),
        (ROUNDS * min(SAMPLE * centres, count), centres),
        (count, centres),
    )
    return sum(neighbours(queries, entries, width).total for queries, entries in searches)
