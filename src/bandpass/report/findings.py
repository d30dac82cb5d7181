"""What the enrichment tables say, in plain words: which scores find what, and what to draw with."""

from dataclasses import dataclass

import numpy as np

from bandpass.report.blocks import Verdict
from bandpass.report.tables import Columns, rows

RARE, CORRUPT, NORMAL = "rare", "corrupt", "normal"
MODEL_FREE = frozenset(("max-abs-z", "motion", "density", "density-ratio"))
LABELLED = frozenset(("alignment",))
"""Scores that look at labels; so does ranking within a store's own regimes."""

CONTROLS = frozenset(("uniform", "rs2", "shadow", "shuffled", "oracle"))
"""Policies that either know nothing or know too much."""

AIMS = (3.0, 5.0)
CHANCE = 0.025
"""Share of the combinations that outdo their own shuffle by chance alone."""

SHOWN = 4


@dataclass(frozen=True)
class Choice:
    """One way to draw, and what it gives.

    Attributes:
        policy: The policy, with its gate.
        score: The score.
        normalisation: What the score is ranked within.
        rare: Slots of the rare slice over its natural share.
        corrupt: The same of the corrupt slice, NaN if there is none.
    """

    policy: str
    score: str
    normalisation: str
    rare: float
    corrupt: float

    def __str__(self) -> str:
        """As a sentence names it."""
        return f"{self.policy} on {ranked(self.score, self.normalisation)}"


def ranked(score: str, normalisation: str) -> str:
    """A score and what it is ranked within, as one reads it."""
    return score if normalisation == "none" else f"{score} per {normalisation}"


def last(enrichment: Columns) -> Columns:
    """The rows of the last checkpoint."""
    here = enrichment["step"] == enrichment["step"].max()
    return {name: column[here] for name, column in enrichment.items()}


def targets_verdict(targets: Columns) -> list[Verdict]:
    """Whether the ranking by surprise depends on the target; nothing if that was not asked."""
    if rows(targets) == 0:
        return []
    pairs = [f"{a} and {b}" for a, b in zip(targets["target"], targets["other"], strict=True)]
    of = {
        measure: {
            pair: float(value)
            for pair, value, kind in zip(pairs, targets["value"], targets["measure"], strict=True)
            if kind == measure
        }
        for measure in ("spearman", "top_overlap")
    }
    least = min(of["spearman"], key=lambda pair: of["spearman"][pair])
    says = (
        f"Windows rank least alike under {least}: rank correlation {of['spearman'][least]:.2f}, "
        f"{of['top_overlap'][least]:.0%} of the top tenth in common; over all pairs the "
        f"correlation is {np.mean(list(of['spearman'].values())):.2f} in the mean."
    )
    return [Verdict("open", "How much surprise depends on the target", says)]


def findings(enrichment: Columns, shares: Columns) -> list[Verdict]:
    """All that can be said in words; one line where nothing is labelled or injected."""
    if rows(enrichment) == 0:
        return []
    table = last(enrichment)
    if RARE not in table["slice"] and CORRUPT not in table["slice"]:
        says = (
            "This store has no labelled and no injected windows, so only weak regimes are shown: "
            "guesses from cheap features, no ground truth. Nothing here can say that a score works."
        )
        return [Verdict("open", "Only weak regimes are shown", says)]
    found = [_finds(table)] if RARE in table["slice"] else []
    if CORRUPT in table["slice"]:
        found.append(_avoids(table))
    if RARE in table["slice"] and rows(shares):
        found += [_best(shares), _own_shuffle(shares)]
    return found


def choices(shares: Columns) -> list[Choice]:
    """Every label-free way to draw that keeps corrupt windows at their natural share, best first.

    Those that raise the corrupt share follow after them.
    """
    lift = shares["share"] / np.maximum(shares["natural"], 1e-12)
    free = _label_free(shares) & ~np.isin(shares["policy"], list(CONTROLS))
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for i in np.flatnonzero(free).tolist():
        key = _policy(shares, i), str(shares["score"][i]), str(shares["normalisation"][i])
        found.setdefault(key, {})[str(shares["group"][i])] = float(lift[i])
    all_of = [
        Choice(*key, by.get(RARE, np.nan), by.get(CORRUPT, np.nan)) for key, by in found.items()
    ]
    return sorted(all_of, key=lambda c: (c.corrupt > 1 + 1e-9, -np.nan_to_num(c.rare)))


def _label_free(table: Columns) -> np.ndarray:
    """Which rows need no label at all, (rows,) bool."""
    return ~np.isin(table["score"], list(LABELLED)) & (table["normalisation"] != "regime")


def _policy(shares: Columns, i: int) -> str:
    return f"{shares['policy'][i]}{' with gate' if shares['gate'][i] else ''}"


def _finds(table: Columns) -> Verdict:
    """Which scores rank the rare slice above the rest, and do they beat what needs no model?"""
    here = (table["slice"] == RARE) & _label_free(table)
    clear = np.flatnonzero(here & (table["low"] > 0.5)).tolist()
    order = sorted(clear, key=lambda i: -np.nan_to_num(table["top10"][i]))
    learned = [i for i in order if table["score"][i] not in MODEL_FREE]
    control = [i for i in order if table["score"][i] in MODEL_FREE]
    beside = f" Without a model: {_list(table, control[:2])}." if control else ""
    if not learned:
        label = "Does a score find the rare windows? None that a model gives"
        says = f"No such score has an AUROC interval above .5 for the labelled rare slice.{beside}"
        return Verdict("no", label, says)
    names = len({table["score"][i] for i in learned})
    rank = "score of the model ranks" if names == 1 else "scores of the model rank"
    says = f"{names} {rank} them above the rest: {_list(table, learned)}.{beside}"
    better = not control or table["top10"][learned[0]] > table["top10"][control[0]]
    label = "Does a score find the rare windows? Yes"
    return Verdict("yes" if better else "open", label, says)


def _avoids(table: Columns) -> Verdict:
    """How many corrupt windows come along at the top of the scores?"""
    here = (table["slice"] == CORRUPT) & ~np.isin(table["score"], list(MODEL_FREE))
    drawn = np.flatnonzero(here & (table["low"] > 0.5)).tolist()
    order = sorted(drawn, key=lambda i: -np.nan_to_num(table["top10"][i]))
    if not order:
        says = "No score of the model ranks corrupt windows clearly above the rest."
        return Verdict("yes", "Do the scores pull in corrupt windows? No", says)
    says = (
        f"{len(order)} of {here.sum()} scores and normalisations rank corrupt windows above the "
        f"rest: {_list(table, order)}. Only a gate keeps those out."
    )
    return Verdict("no", "Do the scores pull in corrupt windows? Yes", says)


def _best(shares: Columns) -> Verdict:
    known = [c for c in choices(shares) if np.isfinite(c.rare)]
    if not known:
        return Verdict("open", "Which policy draws them? Not replayed", "There is no such row.")
    best = known[0]
    reached = [aim for aim in AIMS if best.rare >= aim]
    corrupt = "" if np.isnan(best.corrupt) else f", corrupt windows {best.corrupt:.2f} times"
    says = (
        f"The best without labels, {best}, gives rare windows {best.rare:.1f} times their natural "
        f"share of the slots{corrupt}. It was picked out of {len(known)} with the labels in view: "
        "confirm it on other data."
    )
    if best.corrupt > 1 + 1e-9:
        label = "Which policy draws them? None keeps corrupt windows at their natural share"
        return Verdict("no", label, says)
    goal = f"at least {reached[-1]:.0f} times" if reached else f"less than {AIMS[0]:.0f} times"
    outcome = "yes" if reached else "open"
    return Verdict(outcome, f"Which policy draws them? One, {goal} as often", says)


def _own_shuffle(shares: Columns) -> Verdict:
    """Whether more ways to draw outdo their own shuffle than chance would make."""
    of = (shares["group"] == RARE) & ~np.isin(shares["policy"], list(CONTROLS))
    of &= _label_free(shares)
    beats = (shares["share"] > shares["shuffled_high"])[of]
    spread = (shares["shuffled_high"] - shares["shuffled_low"])[of]
    natural = shares["natural"][of].mean() if of.any() else float("nan")
    says = (
        f"{beats.sum()} of {of.sum()} ways to draw give rare windows more than their own shuffle "
        f"does, which gives {natural:.1%}, give or take {np.median(spread) / 2:.1%}; chance alone "
        f"makes {CHANCE:.1%} of them."
    )
    if beats.mean() <= 2 * CHANCE:
        label = "No score does better than its own shuffle here: stay with policy=uniform"
        return Verdict("no", label, says)
    return Verdict("yes", "Better than its own shuffle? Some are", says)


def _list(table: Columns, order: list[int]) -> str:
    """The best few, one per score: ``loss per entity .76 [.72, .80], 3.8 times in the top 10%``."""
    best: dict[str, int] = {}
    for i in order:
        best.setdefault(str(table["score"][i]), i)
    some = list(best.values())[:SHOWN]
    words = [
        f"{ranked(str(table['score'][i]), str(table['normalisation'][i]))} "
        f"({table['auroc'][i]:.2f} [{table['low'][i]:.2f}, {table['high'][i]:.2f}], "
        f"{table['top10'][i]:.1f} times in the top 10%)"
        for i in some
    ]
    more = len(best) - len(some)
    return ", ".join(words) + (f" and {more} more" if more else "")
