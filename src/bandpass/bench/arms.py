"""The arms of an ablation: each is the base recipe of a benchmark with a few changes."""

import difflib
from dataclasses import dataclass

from bandpass.data import DataError
from bandpass.evaluation import paired
from bandpass.recipes import Recipe, override

BAND = "policy=surprise-band"
GATED = (BAND, "gate=true", "rescore_every=8")

CONTROL = "control"
"""Group of the arms that are not trained: they cost nothing, and no verdict is on them."""

UNTRAINED = "random-init"
"""The control that says what training adds."""

HAND_MADE = "hand-made"
"""The control without any model."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: What tables call it.
        about: One line: what is different.
        group: What it is compared in: "role", "control", "policy", "valve", "score", "target",
            "search" or "sweep".
        changes: Overrides of the benchmark's recipe, on top of ``policy=uniform``.
        half: Whether it is also run at half of the budget.
    """

    name: str
    about: str
    group: str
    changes: tuple[str, ...] = ()
    half: bool = False

    @property
    def shuffled(self) -> str:
        """The arm that re-uses windows as much without knowing which; empty if there is none."""
        if self.name == paired.BAND or self.group in ("valve", "score", "sweep"):
            return paired.SHUFFLED
        return STRONG if self.group == "search" and self.name != STRONG else ""

    def recipe(self, base: Recipe) -> Recipe:
        """The base recipe with the changes of the arm."""
        return override(base, ("policy=uniform", "gate=false", *self.changes))


STRONG = "shuffled-strong"
"""The control of the arms that are searched among."""


def _arms() -> list[Arm]:
    role = [
        Arm("uniform", "every window equally often", "role", half=True),
        Arm("uniform-again", "uniform in another order: the A/A arm", "role", ("draw_seed=1",)),
        Arm(
            "shuffled",
            "the band's probabilities, each given to another window",
            "role",
            ("policy=shuffled",),
        ),
        Arm(
            "oracle",
            "a quarter of the slots to rare windows, none to corrupt ones: it knows the labels",
            "role",
            ("policy=oracle",),
        ),
        Arm("band", "the surprise band with all its valves and the gate", "role", GATED, half=True),
    ]
    control = [
        Arm(UNTRAINED, "the model as it is initialised, untrained", CONTROL),
        Arm(
            HAND_MADE, "no model: statistics of windows, persistence, plain anomaly scores", CONTROL
        ),
    ]
    policy = [
        Arm("uniform-slow", "uniform at half the learning rate", "policy", ("lr=1e-3",)),
        Arm("uniform-fast", "uniform at twice the learning rate", "policy", ("lr=4e-3",)),
        Arm("rs2", "a fresh random tenth every epoch", "policy", ("policy=rs2",)),
        Arm("static-density", "fixed weights by the density ratio at ingest", "policy",
            ("policy=static",)),
        Arm("hard-only", "nothing but the most surprising tenth", "policy", ("policy=hard-only",)),
        Arm("percentile", "uniform between two surprise ranks", "policy",
            ("policy=percentile-band",)),
        Arm("controller", "mean surprise steered along a line: scheduled difficulty", "policy",
            ("policy=controller",)),
        Arm("moving", "ranks among a moving window of scores", "policy", (BAND, "recent=window")),
        Arm("tail", "deliberate oversampling of the tail, without gate and cap", "policy",
            ("policy=two-level", "extreme=inf", "cap=1000")),
        Arm("useful-tail", "the tail as strong, gated and capped", "policy",
            ("policy=two-level", "gate=true", "rescore_every=8")),
        Arm("infobatch", "prunes half of the windows below the mean loss", "policy",
            ("policy=infobatch",)),
        Arm("per", "prioritised replay", "policy", ("policy=per",)),
    ]  # fmt: skip
    valve = [
        Arm("no-gate", "the band without the gate", "valve", (BAND,)),
        Arm("no-floor", "the gated band without the floor", "valve", (*GATED, "floor=0")),
        Arm("no-cap", "the gated band without the extreme cap", "valve", (*GATED, "extreme=inf")),
        Arm("no-buckets", "ranked among all windows", "valve", (*GATED, "bucket=none")),
        Arm("guarded", "with the geometry guards and their balance", "valve",
            (*GATED, "guard_every=50", "balance=0.1")),
        Arm("regularised", "with SIGReg on the batch", "valve",
            (*GATED, "regulariser=sigreg", "regulariser_weight=0.02")),
        Arm("regularised-by-bucket", "with SIGReg in every bucket", "valve",
            (*GATED, "regulariser=sigreg", "regulariser_weight=0.02",
             "regulariser_within=bucket")),
        Arm("unbiased", "importance weights back to uniform", "valve", (*GATED, "beta=1")),
        Arm("once-scored", "ungated and never refreshed: scores fade by staleness alone", "valve",
            (BAND, "rescore_every=0", "staleness=1e9")),
    ]  # fmt: skip
    score = [
        Arm(f"score-{name}", f"ranked by {name}, ungated", "score", (BAND, f"score={name}"))
        for name in (
            *("residual", "residual-max", "cosine", "max-token", "top-quarter", "disagreement"),
            *("uncertainty", "surprisal", "density", "density-ratio"),
        )
    ] + [
        Arm(f"score-{name}", f"ranked by {name}, measured at refreshes", "score",
            (BAND, f"score={name}", "rescore_every=8"))
        for name in ("progress", "mask-variation")
    ]  # fmt: skip
    target = [
        Arm(f"target-{name}", f"uniform, target {name}", "target", (f"target={name}", *more))
        for name, more in (
            ("ema-raw", ()),
            ("ema-standard", ()),
            ("layer", ()),
            ("same-encoder", ("regulariser=sigreg", "regulariser_weight=0.02")),
            ("patch", ()),
        )
    ]
    strong = "ess=0.15"
    search = [
        Arm(STRONG, "the shuffled band at the sample size of those below", "search",
            ("policy=shuffled", strong)),
        Arm("dense-gated", "fixed weights by the density ratio, known faults held back", "search",
            ("policy=static", "gate=true", strong)),
        Arm("raw-strong", "the raw loss among all windows, no gate, no cap", "search",
            (BAND, "bucket=none", "extreme=inf", strong)),
        Arm("token-two-level", "the tenth with the worst token, as strong as allowed", "search",
            ("policy=two-level", "score=residual-max", strong)),
    ]  # fmt: skip
    sweep = [
        *(
            Arm(f"floor-{share}", f"the gated band with a floor of {share}", "sweep",
                (*GATED, f"floor={share}"))
            for share in (0.1, 0.5, 0.75)
        ),
        *(
            Arm(f"refresh-{every}", f"the gated band, rescored every {every} steps", "sweep",
                (*GATED, f"rescore_every={every}"))
            for every in (2, 32)
        ),
        *(
            Arm(f"ess-{share}", f"the gated band at an effective sample size of {share}", "sweep",
                (*GATED, f"ess={share}"))
            for share in (0.15, 0.6)
        ),
    ]  # fmt: skip
    return [*role, *control, *policy, *valve, *score, *target, *search, *sweep]


ARMS: dict[str, Arm] = {arm.name: arm for arm in _arms()}

ROLES = tuple(name for name, arm in ARMS.items() if arm.group == "role")

CONTROLS = tuple(name for name, arm in ARMS.items() if arm.group == CONTROL)

DEFAULT = (*ROLES, *CONTROLS)
"""Arms of an ablation that names none: verdicts rest on the roles, and probes alone say nothing."""


def find_arm(name: str) -> Arm:
    """Return an arm by its name.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if name not in ARMS:
        near = difflib.get_close_matches(name, ARMS, n=1, cutoff=0.0)[0]
        raise DataError(f"no arm {name!r}: did you mean {near!r}? known: {', '.join(ARMS)}")
    return ARMS[name]
