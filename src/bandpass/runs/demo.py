"""The demo: make a store of nothing, train with the surprise band and uniformly, compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bandpass.data import AnyStore, StoreError, open_store, prepare
from bandpass.data.sources import SOURCES
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.recipes import find
from bandpass.runs.evaluate import evaluate
from bandpass.runs.run import RunError
from bandpass.runs.tasks import Row
from bandpass.runs.train import OnLog, train

PLANT = {"series": 12, "rows": 12_000, "seed": 7, "failure_rate": 0.3}
WORLD = {"recordings": 12, "seconds": 100, "seed": 7, "rare": 0.03}


@dataclass(frozen=True)
class Shown:
    """What is shown of one modality.

    Attributes:
        recipe: Name of the recipe.
        what: What is made.
        make: Writes its store, in place of one that cannot be opened.
    """

    recipe: str
    what: str
    make: Callable[[Path], AnyStore]


def _plant(path: Path) -> AnyStore:
    return prepare(SOURCES["plant"], path, path, overwrite=path.exists(), **PLANT)


def _world(path: Path) -> AnyStore:
    options = Options(overwrite=path.exists(), of_source=WORLD)
    return prepare_video(VIDEO_SOURCES["world"], path, path, options)


MODALITIES: Mapping[str, Shown] = MappingProxyType(
    {
        "series": Shown("plant-demo", "a plant", _plant),
        "video": Shown("video-demo", "a world and its video", _world),
    }
)


def demo(
    folder: Path,
    *,
    modality: str = "series",
    on_stage: Callable[[str], None],
    on_log: OnLog,
) -> dict[str, list[Row]] | None:
    """Run the whole main path on generated data, twice, at the same counted compute.

    Neither policy runs an extra forward pass, so equal steps of equal batches are equal FLOPs.

    Args:
        folder: Where store and runs go; what is already there is continued.
        modality: A name in ``MODALITIES``.
        on_stage: Told what happens next.
        on_log: Told of every logged training step.

    Returns:
        Evaluation rows by policy; None after Ctrl-C.

    Raises:
        RunError: If there is no demo of the modality.
    """
    if modality not in MODALITIES:
        raise RunError(f"no demo of {modality!r}: there is one of {', '.join(MODALITIES)}")
    shown = MODALITIES[modality]
    store = _store(folder / "store", shown, on_stage)
    recipe = find(shown.recipe)
    found: dict[str, list[Row]] = {}
    for policy in ("surprise-band", "uniform"):
        on_stage(f"training with policy {policy}")
        run = folder / policy
        arm = replace(recipe, policy=policy)
        if not train(arm, store, run, with_control=policy == "surprise-band", on_log=on_log):
            return None
        on_stage(f"evaluating {run}")
        found[policy] = evaluate(run, on_stage)
    return found


def _store(path: Path, shown: Shown, on_stage: Callable[[str], None]) -> AnyStore:
    try:
        return open_store(path)
    except StoreError:
        on_stage(f"generating {shown.what} into {path}")
        return shown.make(path)
