"""What a step of each arm costs, counted and in reference time, and how many steps a budget buys.

Counted: floating-point operations of the step, of its scoring and of nearest neighbours (see
`bandpass.scoring.flops`). Reference time: every operation of an arm is timed on one thread of this
machine, all arms in turn, step by step, so that a slow phase meets them alike; a run is then
charged for what it does at these prices, whatever else the machine was doing. Prices are kept with
the results, so that a grid that is continued, elsewhere even, has the same steps.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import Any, Literal, cast

import numpy as np
import torch

from bandpass.bench.pricing import described, description_flops, work_of
from bandpass.curriculum import Gate, SurpriseBand
from bandpass.curriculum.settings import Coverage
from bandpass.data import Corpus
from bandpass.data.ingest import describe
from bandpass.recipes import Recipe, build_curriculum, build_jepa
from bandpass.training import Feed, adamw, train_step
from bandpass.training.cost import step_flops
from bandpass.training.guards import Watch

BLOCK = 16
"""Steps that are timed together: as many as lie between two readings of the quantiles."""

ROUNDS = 5

By = Literal["flops", "seconds"]

GRAIN: dict[By, float] = {"flops": 0.01, "seconds": 0.05}
"""Part of the budget that steps are rounded to; what differs by less is one price.

Equal arms were seen to be timed up to 4.5% apart: a finer grain would be noise.
"""


@dataclass(frozen=True)
class Price:
    """What an arm costs.

    Attributes:
        flops: Counted operations a step, with what is done every few steps spread over them.
        seconds: Reference seconds a step, likewise.
        start_flops: Once, before the first step.
        start_seconds: Likewise.
    """

    flops: float
    seconds: float
    start_flops: float = 0.0
    start_seconds: float = 0.0

    def flops_of(self, steps: int) -> float:
        """Counted operations of a whole run."""
        return self.start_flops + steps * self.flops

    def seconds_of(self, steps: int) -> float:
        """Reference seconds of a whole run."""
        return self.start_seconds + steps * self.seconds


def steps_within(budget_steps: int, uniform: Price, arm: Price, by: By) -> int:
    """How many steps of an arm cost what so many of uniform do, its start included.

    Args:
        budget_steps: Steps of uniform.
        uniform: Its price.
        arm: That of the arm.
        by: What the two shall have in common.

    Returns:
        ``budget_steps`` if what fits is less than a ``GRAIN`` of it away; else the whole steps that
        fit, rounded to the nearest grain; at least 1.
    """
    if by == "flops":
        left = uniform.flops_of(budget_steps) - arm.start_flops
        each = arm.flops
    else:
        left = uniform.seconds_of(budget_steps) - arm.start_seconds
        each = arm.seconds
    # What is left of a sum must not lose a step to rounding.
    whole = math.floor(left / each * (1 + 1e-9))
    grain = max(1, round(budget_steps * GRAIN[by]))
    if abs(whole - budget_steps) < grain:
        return budget_steps
    return max(1, round(whole / grain) * grain)


def prices(
    recipes: Mapping[str, Recipe], corpus: Corpus, *, rounds: int = ROUNDS, block: int = BLOCK
) -> dict[str, Price]:
    """Price arms by a short trial of each, on the CPU, in one thread.

    A trial has neither warm-up nor cool-down and a full gate, so that all an arm ever does is done;
    coverage is that of the whole run. Recipes that differ in name, seed, order or learning rate
    only share one.

    Args:
        recipes: By the name of the arm, with the steps of the whole run.
        corpus: What they train on; not a mixed one.
        rounds: Blocks of each arm that are timed, in turn with those of the others.
        block: Steps in one.
    """
    kinds = {name: work_of(recipe) for name, recipe in recipes.items()}
    with _one_thread():
        trials = {kind: _Trial(kind, corpus, (1 + rounds) * block) for kind in kinds.values()}
        _round(trials.values(), block)
        for trial in trials.values():
            trial.forget()  # the first time holds what happens once
        for _ in range(rounds):
            _round(trials.values(), block)
        needy = any(trial.described for trial in trials.values())
        start = _start(corpus) if needy else (0.0, 0.0)
    return {name: trials[kind].price(start, block) for name, kind in kinds.items()}


def to_rows(found: Mapping[str, Price]) -> list[dict[str, Any]]:
    """Prices as rows of a table, or of JSON."""
    return [{"arm": name, **asdict(price)} for name, price in found.items()]


def from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Price]:
    """Prices from what :func:`to_rows` gave."""
    return {
        row["arm"]: Price(**{name: float(row[name]) for name in Price.__dataclass_fields__})
        for row in rows
    }


def _round(trials: Iterable["_Trial"], block: int) -> None:
    """A block of steps of every arm, one step each in turn, then what comes every few steps."""
    for _ in range(block):
        for trial in trials:
            trial.step()
    for trial in trials:
        trial.rest()


class _Trial:
    """A few steps of an arm as they are in the middle of its run, each kind of work by itself."""

    def __init__(self, recipe: Recipe, corpus: Corpus, steps: int) -> None:
        whole = build_curriculum(recipe, corpus)
        self.described = described(recipe, whole)
        band = recipe.band
        if isinstance(whole.sampler, SurpriseBand):
            coverage = cast(Coverage, whole.sampler.coverage)  # that its steps come to
            band = replace(band, coverage=coverage, warm_up=0.0, cool_down=0.0)
        self.train = replace(
            recipe.train, steps=steps, device="cpu", workers=0, keep=0, validate_every=0
        )
        trial = replace(recipe, train=self.train, band=band)
        curriculum = build_curriculum(trial, corpus)
        sampler = curriculum.sampler
        self.jepa = build_jepa(trial, corpus.store.shape).train()
        self.corpus, self.draws = corpus, iter(sampler)
        self.feed = Feed(sampler, self.jepa, corpus, self.train, curriculum.plan)
        self.watch = Watch(corpus, sampler, self.train, curriculum.plan)
        self.optimizer = adamw(self.jepa, self.train)
        self.refreshes = bool(self.train.rescore_every) and isinstance(sampler, SurpriseBand)
        if isinstance(sampler, SurpriseBand) and sampler.gate is not None:
            _fill(sampler.gate, 2 * recipe.model.encoder.dim)
        context = corpus[[0]].context
        self.asked = 0 if context is None else context.shape[1]
        self.done = 0
        self.forget()

    def forget(self) -> None:
        self.seconds: dict[str, list[float]] = {"step": [], "refresh": [], "reading": []}
        self.flops: dict[str, list[float]] = {"step": [], "refresh": [], "reading": []}

    def step(self) -> None:
        self._measure("step", self._step)

    def rest(self) -> None:
        if self.refreshes:
            every = self.train.rescore_every
            self._measure("refresh", lambda: self.feed.refresh(self.jepa, every * self.done))
        if self.train.guard_every:
            self._measure("reading", lambda: self.watch.read(self.jepa))

    def price(self, start: tuple[float, float], block: int) -> Price:
        train, timed = self.train, dict(self.seconds)
        # Of whole blocks: a step in which quantiles are read is dearer, and no median would see it.
        steps = timed["step"]
        timed["step"] = [fmean(steps[at : at + block]) for at in range(0, len(steps), block)]
        every = {"step": 1, "refresh": train.rescore_every, "reading": train.guard_every}
        scoring = sum(fmean(found) / every[name] for name, found in self.flops.items() if found)
        seconds = sum(median(found) / every[name] for name, found in timed.items() if found)
        step = step_flops(self.jepa, train, self.asked).total
        once = start if self.described else (0.0, 0.0)
        return Price(step + scoring, seconds, *once)

    def _step(self) -> None:
        batch = self.corpus[next(self.draws)]
        result = train_step(self.jepa, batch, self.feed, self.optimizer, self.train, self.done)
        self.watch.note(result.draw)
        self.done += 1

    def _measure(self, name: str, work: Callable[[], object]) -> None:
        spent, before = self._spent(), time.process_time()
        work()
        self.seconds[name].append(time.process_time() - before)
        self.flops[name].append(self._spent() - spent)

    def _spent(self) -> float:
        return sum(self.feed.spent.values()) + self.watch.flops


def _fill(gate: Gate, width: int) -> None:
    """Fill the bank of a gate with noise, under ids that vouch for no window."""
    size, reach = gate.settings.size, gate.settings.reach
    noise = np.random.default_rng(0).standard_normal((size, width)).astype(np.float32)
    gate.bank.admit(-1 - reach - np.arange(size), noise)


def _start(corpus: Corpus) -> tuple[float, float]:
    """Operations and seconds of describing the windows before a run."""
    before = time.process_time()
    width = describe(corpus, fresh=True).features.shape[1]
    seconds = time.process_time() - before
    parts = corpus.parts or (corpus,)
    return sum(description_flops(len(part), width) for part in parts), seconds


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for the while: several share work as the machine allows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
