"""A recipe: every setting of a run in one frozen value, as Python, as JSON, from the shell."""

import dataclasses
import difflib
import typing
from dataclasses import dataclass, field
from typing import Any

from bandpass.curriculum import POLICIES, BandSettings
from bandpass.data.schedule.windows import ScheduleCut
from bandpass.data.video.clips import ClipCut
from bandpass.models import JEPASettings
from bandpass.training.settings import TrainSettings


class RecipeError(ValueError):
    """A recipe that does not exist or cannot be; the message names the nearest that does."""


POLICY = "policy="

SCORED = {"static": "density-ratio", "rho": "reducible"}
"""Policies that are themselves with one score only."""


@dataclass(frozen=True)
class WindowSettings:
    """How the store is cut into windows.

    Attributes:
        length: Rows of a window, or frames of a clip.
        stride: Rows between the starts of neighbouring windows.
        normalize: "entity" for per-entity z-scores, or for what differs from the background of a
            video; "none" for values as stored.
    """

    length: int = 128
    stride: int = 32
    normalize: str = "entity"


@dataclass(frozen=True)
class Recipe:
    """A run.

    Attributes:
        name: What the command line calls it.
        source: The source whose store it expects; "any" takes every store.
        windows: How the store is cut.
        schedule: Which windows of a store of schedules, and how they are split; no part in others.
        clips: Which frames of a video a clip has; no part in others.
        model: Encoder, predictor and target.
        embedder: Sentence embedding of a text target, a name in ``data.captions.EMBEDDERS``.
        distance: Latent distance, a name in ``losses.PREDICTION_LOSSES``.
        train: Budget and optimiser.
        policy: Selection policy, a name in ``curriculum.POLICIES``.
        score: How surprising a window is, a name in ``curriculum.SCORES``.
        score_file: For ``policy=static``: a .npy with a float for every training window, in place
            of the score.
        bucket: What surprise is normalised within: "none", "entity", "series", "regime" or
            "weak-regime"; of schedules "none", "dataset" or "shape"; of videos "motion" or "mark".
        gate: Whether corrupt windows are told from rare ones, by isolation and faults of the
            input; by learning progress and mask variation too where ``train.rescore_every``
            measures them.
        draw_seed: Another one draws in another order; weights, masks and labels stay as they are.
        band: Settings of the surprise band, unused by other policies.
    """

    name: str
    source: str = "any"
    windows: WindowSettings = field(default_factory=WindowSettings)
    schedule: ScheduleCut = field(default_factory=ScheduleCut)
    clips: ClipCut = field(default_factory=ClipCut)
    model: JEPASettings = field(default_factory=JEPASettings)
    embedder: str = "wordllama"
    distance: str = "smooth-l1"
    train: TrainSettings = field(default_factory=TrainSettings)
    policy: str = "surprise-band"
    score: str = "loss"
    score_file: str = ""
    bucket: str = "entity"
    gate: bool = False
    draw_seed: int = 0
    band: BandSettings = field(default_factory=BandSettings)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as nested plain values, ready for JSON."""
    return dataclasses.asdict(recipe)


def from_dict(content: dict[str, Any]) -> Recipe:
    """Build a recipe from what :func:`to_dict` gave.

    Raises:
        RecipeError: If a key is unknown or a value has the wrong type.
    """
    return _build(Recipe, content, "")


def override(recipe: Recipe, changes: typing.Sequence[str]) -> Recipe:
    """Return ``recipe`` with ``key=value`` changes, as given on the command line.

    Args:
        recipe: Where to start.
        changes: ``train.steps=500``; a key that is unique may go without its prefix
            (``steps=500``). Sequences are comma-separated. ``policy=NAME`` loads the settings of
            that policy first, whatever its place; other changes are made to those.

    Raises:
        RecipeError: If a key is unknown (names the nearest), ambiguous, or its value does not
            parse.
    """
    content = to_dict(recipe)
    known = _leaves(Recipe, "")
    for change in sorted(changes, key=lambda change: not change.startswith(POLICY)):
        name, equals, text = change.partition("=")
        if not equals:
            raise RecipeError(f"{change!r} is not of the form key=value, e.g. steps=500")
        path = _resolve(name, known)
        place = content
        *parents, leaf = path.split(".")
        for parent in parents:
            place = place[parent]
        place[leaf] = _parse(path, text, known[path])
        if change.startswith(POLICY):
            content |= _preset(text)
    return from_dict(content)


def nearest(what: str, value: str, known: typing.Iterable[str]) -> RecipeError:
    """Return the error for a name that is none of those known."""
    near = difflib.get_close_matches(value, sorted(known), n=1, cutoff=0.0)[0]
    return RecipeError(f"no {what} {value!r}: did you mean {near!r}? known: {', '.join(known)}")


def keys() -> list[str]:
    """Return every key that :func:`override` takes."""
    return list(_leaves(Recipe, ""))


def _preset(policy: str) -> dict[str, Any]:
    """What a policy sets beside its name."""
    if policy not in POLICIES:
        raise nearest("policy", policy, POLICIES)
    band = dataclasses.asdict(POLICIES[policy].settings)
    return {"band": band} | ({"score": SCORED[policy]} if policy in SCORED else {})


def _leaves(kind: type, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            found |= _leaves(typing.cast(type, hint), f"{prefix}{name}.")
        else:
            found[prefix + name] = hint
    return found


def _resolve(name: str, known: dict[str, Any]) -> str:
    if name in known:
        return name
    matches = [key for key in known if key.endswith("." + name)]
    # A group is no key, but `window=64` and `windows=64` mean one of those in it.
    groups = {group for key in known for group in key.split(".")[:-1]} & {name, f"{name}s"}
    matches += [key for key in known if groups & set(key.split(".")[:-1])]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RecipeError(f"recipe key {name!r} is ambiguous: say one of {', '.join(matches)}")
    raise _unknown("recipe key", name, [*known, *(key.rsplit(".", 1)[-1] for key in known)])


def _unknown(what: str, name: str, known: typing.Iterable[str]) -> RecipeError:
    near = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.0)
    return RecipeError(
        f"no {what} {name!r}: did you mean {near[0]!r}? `bandpass recipes` lists them all"
    )


def _parse(path: str, text: str, hint: Any) -> Any:
    if typing.get_origin(hint) is tuple:
        parts = text.split(",") if text else []
        return tuple(_parse(path, part, typing.get_args(hint)[0]) for part in parts)
    if typing.get_origin(hint) is typing.Literal:
        return text
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise RecipeError(f"{path}={text!r}: expected true or false")
        return text.lower() == "true"
    try:
        return hint(text)
    except ValueError as error:
        raise RecipeError(f"{path}={text!r}: expected {hint.__name__}") from error


def _build(kind: Any, content: dict[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in content.items():
        if name not in hints:
            raise _unknown("recipe key", prefix + name, (prefix + known for known in hints))
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            value = _build(hint, value, f"{prefix}{name}.")
        elif typing.get_origin(hint) is tuple:
            value = tuple(value)
        else:
            _check(prefix + name, value, hint)
        values[name] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"recipe is incomplete: {error}") from error
    except ValueError as error:
        raise RecipeError(f"{prefix}{error}") from error


def _check(path: str, value: Any, hint: Any) -> None:
    if typing.get_origin(hint) is typing.Literal:
        if value not in typing.get_args(hint):
            known = ", ".join(typing.get_args(hint))
            raise RecipeError(f"{path} is {value!r}: expected one of {known}")
    elif type(value) is not hint and (type(value), hint) != (int, float):  # 1 in JSON is a float
        raise RecipeError(f"{path} is {value!r}: expected {hint.__name__}")
