"""Declared benchmarks: a file each that names corpus, slices, split and metrics beforehand."""

import dataclasses
import difflib
import json
import math
import typing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bandpass.data import AnyStore, DataError, StoreError, open_store, prepare
from bandpass.data.schedule.prepare import prepare_schedule
from bandpass.data.schedule.sources import find as find_schedule
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.sources import SOURCES
from bandpass.data.sources import find as find_source
from bandpass.data.video.options import parse
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.data.video.sources import find as find_video

SCHEDULE = "schedule"
SLICES = ("rare", "normal", "corrupt", "clean")
FOLDS = ("split", "series")


@dataclass(frozen=True)
class Metric:
    """One number of a cell: a row of its measures.

    Attributes:
        task: What was asked.
        metric: What of the answer.
    """

    task: str
    metric: str


NEXT_STATE = Metric("next-state readout, normal", "r2")


@dataclass(frozen=True)
class Group:
    """Windows that make up a share of a composed training stream.

    Attributes:
        share: Of the stream, in (0, 1]; the shares of all groups sum to 1.
        slice: Only windows of this slice: "rare", "normal", "corrupt", or "clean" for those that
            are not corrupt.
        motion: Only clips of this bin of ``data.video.marks.MOTION``; any if empty.
        entities: Only windows of these; any if empty.
    """

    share: float
    slice: str = "clean"
    motion: str = ""
    entities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no stream has."""
        if self.slice not in SLICES:
            raise DataError(f"slice {self.slice!r} of a group is none of {', '.join(SLICES)}")
        if not 0 < self.share <= 1:
            raise DataError(f"share {self.share} of a group must be in (0, 1]")


@dataclass(frozen=True)
class Benchmark:
    """What a sampler is judged on, fixed before the seeds that count are run.

    Attributes:
        name: What the command line calls it.
        version: Raised whenever a figure could change; results of different versions never mix.
        title: One line.
        source: Of the store; ``schedule`` for schedules.
        folder: Of its raw files under the folder of all data.
        prepare: Options of `bandpass prepare`.
        stream: How the training stream is composed; as prepared if empty.
        rare_entities: Entities whose clean windows are rare in it; those that the store names if
            empty.
        recipe: Named recipe that every arm is a variant of.
        changes: Overrides of that recipe.
        split: In words: what is held out.
        folds: What a fold of the probes leaves out: "split" scores on the test split, "series" in
            turn on every series of the stream, whose encoder saw all of them without labels.
        slices: In words: the rare slice, normal, corrupt, regime changes and corner cases.
        classes: Kind of class that the probes tell apart, of ``Corpus.classes``; rare against the
            rest if empty.
        rare: Metric of rare states, more is better.
        normal: Metric of normal operation, more is better.
        corrupt: Metric of corruption, less is better.
        margin: What the normal metric may lose before retention counts as lost.
        screen: Seeds on which samplers are looked at and chosen.
        seeds: Seeds that count, not used for anything before.
        chosen: How the above came about.
    """

    name: str
    version: int
    title: str
    source: str
    folder: str
    recipe: str
    split: str
    slices: dict[str, str]
    rare: Metric
    normal: Metric
    corrupt: Metric
    margin: float
    screen: tuple[int, ...]
    seeds: tuple[int, ...]
    chosen: str
    prepare: dict[str, str] = dataclasses.field(default_factory=dict)
    stream: tuple[Group, ...] = ()
    rare_entities: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    folds: str = "split"
    classes: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be judged by."""
        if self.folds not in FOLDS:
            raise DataError(f"{self.name}: folds is {self.folds!r}: say {' or '.join(FOLDS)}")
        if not self.margin > 0:
            raise DataError(f"{self.name}: margin is {self.margin}: it must be over 0")
        total = math.fsum(group.share for group in self.stream)
        if self.stream and not math.isclose(total, 1, abs_tol=1e-9):
            raise DataError(f"{self.name}: the shares of its stream sum to {total:g}, not to 1")
        if both := set(self.screen) & set(self.seeds):
            raise DataError(
                f"{self.name}: seeds {sorted(both)} are for screening and count too: nothing "
                "may have been chosen by a seed that counts"
            )


def from_json(content: dict[str, Any]) -> Benchmark:
    """Build a benchmark from the content of its file.

    Raises:
        DataError: If a key is missing or unknown, or what is declared could not be judged by.
    """
    return typing.cast(Benchmark, _build(Benchmark, content))


def _build(kind: Any, content: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if unknown := sorted(set(content) - set(hints)):
            raise DataError(f"{kind.__name__} has no {unknown[0]!r}: it has {', '.join(hints)}")
        try:
            return kind(**{k: _build(hints[k], v) for k, v in content.items()})  # type: ignore[operator]
        except TypeError as error:
            raise DataError(f"{kind.__name__} is incomplete: {error}") from error
    if typing.get_origin(kind) is tuple:
        return tuple(_build(typing.get_args(kind)[0], each) for each in content)
    return content


def _read() -> dict[str, Benchmark]:
    folder = files("bandpass.bench").joinpath("slices")
    found = sorted((p for p in folder.iterdir() if p.name.endswith(".json")), key=lambda p: p.name)
    each = [from_json(json.loads(path.read_text())) for path in found]
    return {benchmark.name: benchmark for benchmark in each}


BENCHMARKS: dict[str, Benchmark] = _read()


def find(name: str) -> Benchmark:
    """Return a declared benchmark.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1, cutoff=0.0)[0]
        known = ", ".join(BENCHMARKS)
        raise DataError(f"no benchmark {name!r}: did you mean {near!r}? known: {known}")
    return BENCHMARKS[name]


def of_store(store: AnyStore, recipe: str, changes: tuple[str, ...] = ()) -> Benchmark:
    """Declare a benchmark for any store: its own slices, few-shot probes of the rare one.

    Normal operation is the next state; of schedules the shape of a day, which every one has. Its
    version is made from the hash of the store, so that two of one name never mix in a table.
    """
    days = isinstance(store, ScheduleStore)
    return Benchmark(
        name=store.path.resolve().name,
        version=int(store.hash[:8], 16),
        title=f"{store.path.resolve().name}, as prepared",
        source=store.manifest["source"],
        folder="",
        recipe=recipe,
        changes=changes,
        split="that of the store",
        slices={name: "as the store names them" for name in ("rare", "normal", "corrupt")},
        rare=Metric("few-shot rare", "average_precision"),
        normal=Metric("classes, normal", "macro_f1") if days else NEXT_STATE,
        corrupt=Metric("slots", "corrupt"),
        margin=0.02,
        screen=(0, 1, 2),
        seeds=tuple(range(100, 108)),
        chosen="by default, not for this corpus",
        classes="shape" if days else "",
    )


def store_of(benchmark: Benchmark, raw: Path | None, path: Path) -> AnyStore:
    """Open the prepared store of a benchmark, or prepare it.

    Args:
        benchmark: Which.
        raw: Folder of all raw data; may be None for a benchmark that generates its own.
        path: The store.

    Raises:
        DataError: If raw data are needed and ``raw`` is None or lacks them.
    """
    try:
        return open_store(path)
    except StoreError:
        if path.exists():
            raise
    if benchmark.folder and (raw is None or not (raw / benchmark.folder).is_dir()):
        raise DataError(
            f"benchmark {benchmark.name} needs the raw files of {benchmark.source}"
            + (f", and {raw} has no {benchmark.folder}" if raw else "")
            + f": give --raw DIR, the folder that holds {benchmark.folder}"
        )
    folder = (raw or Path()) / benchmark.folder
    options: dict[str, Any] = dict(benchmark.prepare)
    if benchmark.source == SCHEDULE:
        chosen = [find_schedule(name) for name in options.pop("datasets").split(",")]
        if options:
            unknown = ", ".join(options)
            raise DataError(f"benchmark {benchmark.name}: schedules take datasets, not {unknown}")
        return prepare_schedule(folder, path, chosen)
    if benchmark.source in VIDEO_SOURCES:
        source = find_video(benchmark.source)
        return prepare_video(source, folder, path, parse(source, options))
    if benchmark.source in SOURCES:
        return prepare(find_source(benchmark.source), folder, path, **options)
    raise DataError(f"benchmark {benchmark.name}: no source {benchmark.source!r}")
