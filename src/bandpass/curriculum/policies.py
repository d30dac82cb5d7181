"""The selection policies by name: settings of one sampler, and what each of them promises.

A promise is a property that tests hold the policy to:

- ``sums``: the probabilities sum to 1, and none is negative.
- ``floor``: no window that may be drawn has less than floor / N.
- ``cap``: none has more than cap / N.
- ``ess``: the effective sample size stays at or above its target.
- ``equivariant``: renaming the windows renames the probabilities.
- ``quarantine``: extremes are held at the floor, non-finite losses never drawn again.
- ``exact``: windows are drawn as often as their probabilities say.
"""

from dataclasses import dataclass, field

from bandpass.curriculum.band import SurpriseBand
from bandpass.curriculum.settings import MOST_CAP, BandSettings
from bandpass.curriculum.uniform import Fixed, Uniform

PROMISES = frozenset({"sums", "floor", "cap", "ess", "equivariant", "quarantine", "exact"})

_SCORED = frozenset({"sums", "equivariant", "exact"})
_VALVED = PROMISES - {"ess"}


@dataclass(frozen=True)
class Policy:
    """A selection policy.

    Attributes:
        about: What it does, in a line.
        sampler: `SurpriseBand`, or one of those that no score moves.
        promises: Of `PROMISES`.
        settings: Of the surprise band, if that is the sampler.
        subset: Share of the windows in an epoch, if the sampler is `Uniform`.
    """

    about: str
    sampler: type[SurpriseBand] | type[Uniform] | type[Fixed]
    promises: frozenset[str]
    settings: BandSettings = field(default_factory=BandSettings)
    subset: float = 1.0


def _band(about: str, promises: frozenset[str], **settings: object) -> Policy:
    return Policy(about, SurpriseBand, promises, BandSettings(**settings))  # type: ignore[arg-type]


def _open(about: str, **settings: object) -> Policy:
    """Without any valve: as published, or as a warning."""
    valves = {
        "floor": 0.0,
        "cap": MOST_CAP,
        "ess": 0.0,
        "extreme": float("inf"),
        "cool_down": 0.0,
        "recent": "table",
        "coverage": "table",  # they know a window by its own loss, however old, and by no other's
        "staleness": float("inf"),
    }
    return _band(about, _SCORED, **(valves | settings))


POLICIES: dict[str, Policy] = {
    "uniform": Policy(
        "every window equally often, in reshuffled epochs",
        Uniform,
        frozenset({"sums", "equivariant"}),
    ),
    "rs2": Policy(
        "a fresh random tenth of the windows every epoch (RS2)",
        Uniform,
        frozenset({"sums", "equivariant"}),
        subset=0.1,
    ),
    "surprise-band": _band("the surprise band, with all its valves", PROMISES),
    "percentile-band": _band("uniform between two surprise ranks", _VALVED, rule="percentile"),
    "temperature": _band("a softmax over log-scores", PROMISES, rule="temperature"),
    "bounded-hard": _band(
        "the most surprising tenth, beside the floor and below the cap",
        _VALVED,
        rule="top",
        ess=0.0,
    ),
    "mixture": _band(
        "fixed shares for low, middle and high surprise", _VALVED, rule="mixture", ess=0.0
    ),
    "controller": _band(
        "steers the mean surprise of the batch along a line", PROMISES, mean_rank=0.75, ess=0.15
    ),
    "two-level": _band(
        "the most surprising tenth as strong as the sample size allows",
        PROMISES,
        rule="two-level",
        ess=0.15,
    ),
    "static": Policy(
        "the band over a score that is known before training (score=density-ratio)",
        Fixed,
        frozenset({"sums", "equivariant", "exact"}),
        BandSettings(ess=0.1),
    ),
    "hard-only": _open("nothing but the most surprising tenth: a warning", rule="top"),
    "infobatch": _open(
        "half of the windows below the mean loss are left out, the rest reweighted",
        rule="below-mean",
        beta=1.0,
        unseen="max",
        warm_up=0.0,
        cool_down=0.125,
    ),
    "selective-backprop": _open(
        "kept with the square of the loss percentile", rule="power", exponent=2.0, warm_up=0.0
    ),
    "per": _open(
        "prioritised replay: loss ** 0.6, importance weights 0.4, news first",
        rule="temperature",
        exponent=0.6,
        unseen="max",
        beta=0.4,
        warm_up=0.0,
    ),
    "rho": _open(
        "the tenth with the highest reducible loss (score=reducible)", rule="top", warm_up=0.0
    ),
    "oracle": Policy(
        "a quarter of the slots to the windows labelled rare, none to corrupt ones",
        Fixed,
        frozenset({"sums", "equivariant", "exact"}),
    ),
    "shuffled": _band(
        "the surprise band with every window's probability given to another",
        PROMISES - {"equivariant", "quarantine"},
        mode="shuffled",
    ),
    "shadow": _band(
        "scores and reports as the surprise band does, draws uniformly",
        PROMISES - {"quarantine"},
        mode="shadow",
    ),
}
