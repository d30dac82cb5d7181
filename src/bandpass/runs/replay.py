"""Replay a shadow log through a policy: the slots that it would have given each slice."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from bandpass.curriculum import (
    POLICIES,
    Evidence,
    Fixed,
    SurpriseBand,
    TriageSettings,
    static_probabilities,
)
from bandpass.evaluation import shuffled_interval, slot_shares
from bandpass.recipes import Recipe
from bandpass.recipes.assemble import ORACLE_SHARE, build_gate
from bandpass.runs.shadow import CONTROLS, Shadow
from bandpass.runs.tasks import Row

NONE = "none"
"""The normalisation that ranks all windows together."""

FREE = (*CONTROLS, "density", "density-ratio")
"""Scores that no model has a part in: they stay the same over training."""

WHOLE = ("surprise-band", "two-level")
"""Policies that are replayed under every normalisation; the others under two."""

AT_ONCE = 1024
"""Windows told to the sampler at a time; it forgets by windows as a training run would."""


@dataclass(frozen=True)
class Way:
    """One way to draw.

    Attributes:
        policy: A name in ``curriculum.POLICIES``.
        gate: Whether the gate judges the most surprising windows.
        score: A name in the log.
        normalisation: What surprise is ranked within: "none", or a bucket of the log.
    """

    policy: str
    gate: bool
    score: str
    normalisation: str


def ways(shadow: Shadow, recipe: Recipe) -> list[Way]:
    """Every way to draw that is worth a replay on this log."""
    every = (NONE, *shadow.buckets)
    usual = [name for name in every if name in (NONE, recipe.bucket)]
    found: list[Way] = []
    for name, policy in POLICIES.items():
        if name == "oracle" and not _oracle_knows(shadow):
            continue
        if policy.sampler is SurpriseBand or name == "static":
            scores = FREE if name == "static" else tuple(shadow.scores)
            found += [
                Way(name, gate, score, within)
                for score in scores
                for within in (every if name in WHOLE else usual)
                for gate in ((False, True) if _gated(name) else (False,))
            ]
        else:
            found.append(Way(name, False, "none", NONE))
    return found


def shares(shadow: Shadow, recipe: Recipe, way: Way) -> Iterator[Row]:
    """Slot shares of every slice, beside its natural share and those of the shuffles.

    Args:
        shadow: The log.
        recipe: Gives kappa and the seed.
        way: How windows are drawn.
    """
    p = probabilities(shadow, recipe, way)
    ess = float(1 / (len(p) * (p**2).sum()))
    about: Row = {"policy": way.policy, "gate": way.gate, "score": way.score}
    about |= {"normalisation": way.normalisation, "ess": ess}
    for name, share in slot_shares(p, shadow.slices).items():
        low, high = shuffled_interval(p, shadow.slices[name])
        natural = float(shadow.slices[name].mean())
        found: Row = {"share": share, "shuffled_low": low, "shuffled_high": high}
        yield about | {"group": name, "natural": natural} | found


def probabilities(shadow: Shadow, recipe: Recipe, way: Way) -> np.ndarray:
    """Probability of each window in a slot once the policy has seen the whole log, (n,).

    The sampler of the policy is built over the sampled windows with the kappa of the recipe and
    told the scores of one checkpoint after the other, in random order within each.
    """
    n, policy = len(shadow.ids), POLICIES[way.policy]
    if way.policy == "oracle":
        rare, others = shadow.slices["rare"], ~shadow.slices["rare"] & ~_corrupt(shadow)
        return ORACLE_SHARE * rare / rare.sum() + (1 - ORACLE_SHARE) * others / others.sum()
    if policy.sampler not in (SurpriseBand, Fixed):
        return np.full(n, 1 / n)
    batch, seed = recipe.train.batch, recipe.train.seed
    buckets = None if way.normalisation == NONE else shadow.buckets[way.normalisation]
    if policy.sampler is Fixed:
        held = np.flatnonzero(shadow.faults >= TriageSettings().conviction) if way.gate else None
        scores = shadow.scores[way.score][-1]
        return static_probabilities(scores, policy.settings, buckets=buckets, held=held)
    kappa = recipe.train.steps * batch / shadow.total
    decay = policy.settings.decay ** (min(AT_ONCE, n) / batch)
    band = SurpriseBand(
        n,
        batch,
        steps=max(2, round(kappa * n / batch)),
        seed=seed,
        buckets=buckets,
        prototypes=shadow.prototypes,
        settings=replace(policy.settings, warm_up=0.0, cool_down=0.0, decay=decay, refresh=1),
        gate=build_gate(recipe) if way.gate else None,
    )
    for place in range(len(shadow.steps)):
        order = np.random.default_rng([seed, place]).permutation(n)
        for first in range(0, n, AT_ONCE):
            _record(band, shadow, way, place, order[first : first + AT_ONCE])
    return band.probabilities(band.steps - 1)


def _record(band: SurpriseBand, shadow: Shadow, way: Way, place: int, ids: np.ndarray) -> None:
    """Tell the sampler one checkpoint's scores of some windows, and the gate what it asks for."""
    scores = torch.from_numpy(shadow.scores[way.score][place, ids].astype(np.float64))
    if not way.gate:
        band.record(ids, scores)
        return
    evidence = Evidence(
        progress=shadow.scores["progress"][place, ids],
        variation=np.exp(shadow.scores["mask-variation"][place, ids]),
        faults=shadow.faults[ids],
    )
    embeddings = torch.from_numpy(shadow.embeddings[place, ids].astype(np.float32))
    band.record(ids, scores, embeddings, evidence=evidence)


def _gated(policy: str) -> bool:
    return policy == "static" or "quarantine" in POLICIES[policy].promises


def _oracle_knows(shadow: Shadow) -> bool:
    rare = shadow.slices.get("rare")
    return rare is not None and bool((~rare & ~_corrupt(shadow)).any())


def _corrupt(shadow: Shadow) -> np.ndarray:
    return shadow.slices.get("corrupt", np.zeros(len(shadow.ids), bool))
