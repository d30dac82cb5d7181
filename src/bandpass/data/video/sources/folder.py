"""A user's own folder: video files, folders of images, arrays of frames, and a table of events."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from bandpass.data.atomic import is_partial
from bandpass.data.manifest import MANIFEST, StoreError, read_manifest
from bandpass.data.series import DataError, Split
from bandpass.data.sources import _options, _tables
from bandpass.data.video.recording import (
    Event,
    Frames,
    Images,
    Media,
    Recording,
    Video,
    VideoSource,
)
from bandpass.data.video.sources import _reading

VIDEOS = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .h264 .h265 .264 .265 .hevc .wmv "
    ".flv .3gp .ogv .mjpeg .mjpg .y4m .gif".split()
)
PICTURES = frozenset(".png .jpg .jpeg .bmp .tif .tiff .webp .pgm .ppm".split())
ARRAY = ".npy"
HOME = "your disk"
LAYOUT = f"""RAW/<any name>.mp4 ...          {" ".join(sorted(VIDEOS))}
RAW/<any folder>/0001.png ...   {" ".join(sorted(PICTURES))}: a folder of images is a recording
RAW/<any name>.npy              (frames, height, width) or (frames, height, width, 3) uint8
RAW/segments.csv                optional: video,start,end,label[,track] with times in seconds
  files may lie in any folders below RAW; those of one folder are taken to be of one camera
  images are taken as consecutive, also where the numbers in their names jump
  files of any other kind are passed over, and so are stores"""
COLUMNS = ("video", "start", "end", "label")


@dataclass(frozen=True)
class Folder:
    """How to read a folder.

    Attributes:
        source_fps: Frames a second of folders of images and of arrays, which have no clock.
        segments: Name of the table of events below the folder; it may be missing.
        rare: Labels of the events that are rare and matter, separated by commas.
        test: Recordings that go to test whole, separated by commas; all others go to train. Empty
            cuts every recording by time.
    """

    source_fps: float = 25.0
    segments: str = "segments.csv"
    rare: str = ""
    test: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.source_fps < float("inf"):  # not a number is refused too
            raise DataError(f"option source_fps={self.source_fps}: must be above 0")


def recordings(raw: Path, **options: object) -> Iterator[Recording]:
    """Yield every recording below the folder, in natural order of its names.

    A recording is named by its path without suffix. What lies in one folder below ``raw`` is of
    one entity; what lies in ``raw`` itself is an entity of its own. Labels that end past the end of
    their video are cut to it when it is decoded.

    Args:
        raw: The folder.
        **options: Fields of ``Folder``.

    Raises:
        DataError: If there is nothing to read, the table names what is not there or has a line
            that cannot be, or an option is unknown.
    """
    raw, settings = Path(raw), _options.settings(Folder, options)
    found = _media(raw, settings.source_fps)
    events = _events(raw / settings.segments, found, given=settings.segments != Folder.segments)
    test, rare = _names(settings.test), frozenset(_names(settings.rare))
    for name in test:
        _known(name, found, f"option test={settings.test!r}")
    there = {event.label for some in events.values() for event in some}
    for label in sorted(rare):
        _known(label, there, f"option rare={settings.rare!r}")
    for name, media in found.items():
        folder = name.rpartition("/")[0]
        split = ("test" if name in test else "train") if test else None
        some = tuple(events.get(name, ()))
        yield Recording(name, folder or name, media, some, split=split, rare=rare)


def remarks(raw: Path, **options: object) -> list[str]:
    """What a person should know of a folder that is read: gaps among images, files passed over.

    Args:
        raw: The folder.
        **options: Fields of ``Folder``.
    """
    settings = _options.settings(Folder, options)
    pictures: dict[Path, list[Path]] = {}
    others: list[str] = []
    for path in _files(Path(raw)):
        kind = path.suffix.lower()
        if kind in PICTURES:
            pictures.setdefault(path.parent, []).append(path)
        elif kind not in VIDEOS | {ARRAY} and path != Path(raw) / settings.segments:
            others.append(path.relative_to(raw).as_posix())
    found: list[str] = []
    for folder, paths in pictures.items():
        jumps = _jumps(sorted((path.name for path in paths), key=_tables.natural))
        if jumps:
            more = f" and {len(jumps) - 1:,} times more" if len(jumps) > 1 else ""
            where = f"jump from {jumps[0][0]} to {jumps[0][1]}{more}: they are taken as consecutive"
            found.append(f"{_name(folder, Path(raw))}: the numbers of its images {where}")
    if stores := sorted(path.relative_to(raw).as_posix() for path in _stores(Path(raw))):
        found.append(f"stores passed over: {', '.join(stores)}")
    if others:
        names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        found.append(f"files passed over, of kinds that are not read: {len(others):,}: {names}")
    return found


def _jumps(names: list[str]) -> list[tuple[str, str]]:
    """Neighbours whose numbers, the last in their names, are further apart than the nearest are."""
    steps: dict[tuple[str, str], int] = {}
    for pair in pairwise(names):
        one, other = (re.fullmatch(r"(.*?)(\d+)(\D*)", Path(name).stem) for name in pair)
        if one and other and one[1] == other[1]:
            steps[pair] = int(other[2]) - int(one[2])
    usual = min((step for step in steps.values() if step > 0), default=0)
    return [pair for pair, step in steps.items() if step > usual]


def _files(raw: Path) -> Iterator[Path]:
    """Every file below a folder that is neither hidden nor of a store, sorted."""
    stores = _stores(_tables.existing(raw, LAYOUT))
    for path in sorted(raw.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(raw).parts)
        if not hidden and path.is_file() and stores.isdisjoint(path.parents):
            yield path


def _stores(raw: Path) -> set[Path]:
    """Stores below a folder, and what preparations that were killed left of some."""
    found = {path for path in raw.rglob("*.partial-*") if is_partial(path)}
    for path in raw.rglob(MANIFEST):
        with suppress(StoreError):  # which is another's manifest
            read_manifest(path.parent)
            found.add(path.parent)
    return found


def _media(raw: Path, fps: float) -> dict[str, Media]:
    """Everything below a folder that has frames, by name, in natural order."""
    found: dict[str, Media] = {}
    pictures: dict[Path, list[Path]] = {}
    for path in _files(raw):
        relative, kind = path.relative_to(raw), path.suffix.lower()
        if kind in PICTURES:
            pictures.setdefault(path.parent, []).append(path)
        elif kind in VIDEOS:
            _put(found, relative.with_suffix("").as_posix(), Video(path))
        elif kind == ARRAY:
            load(path)  # says so now if it is none
            _put(found, relative.with_suffix("").as_posix(), Frames(partial(load, path), fps, path))
    for folder, paths in pictures.items():
        order = sorted(paths, key=lambda path: _tables.natural(path.name))
        _put(found, _name(folder, raw), Images(tuple(order), fps))
    if not found:
        raise DataError(f"{raw}: holds no video; expected the layout\n{LAYOUT}")
    return {name: found[name] for name in sorted(found, key=_tables.natural)}


def _name(folder: Path, raw: Path) -> str:
    """The name of the recording that the images of a folder are."""
    return raw.resolve().name if folder == raw else folder.relative_to(raw).as_posix()


def _put(found: dict[str, Media], name: str, media: Media) -> None:
    if name in found:
        raise DataError(
            f"two recordings are called {name!r}: rename {_path(found[name])} or {_path(media)}"
        )
    found[name] = media


def _path(media: Media) -> Path | None:
    return media.paths[0].parent if isinstance(media, Images) else media.path


def load(path: Path) -> np.ndarray:
    """Map an array of frames into memory: (S, height, width) or (S, height, width, 3) uint8.

    Raises:
        DataError: If it is no such array.
    """
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a readable .npy array: {error}; save it again") from error
    fits = frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3)
    if frames.dtype != np.uint8 or not fits or not frames.size:
        raise DataError(
            f"{path}: holds {frames.dtype} of shape {frames.shape}; save uint8 (frames, height, "
            f"width) or (frames, height, width, 3)"
        )
    return frames


def _events(path: Path, found: dict[str, Media], *, given: bool) -> dict[str, list[Event]]:
    """Events of every recording, by name; none if there is no table and none was asked for."""
    events: dict[str, list[Event]] = {}
    if not path.is_file():
        if given:
            raise DataError(f"{path}: no such file; option segments names it")
        return events
    for line in _reading.lines(path, COLUMNS):
        name = line.text("video")
        if name not in found and Path(name).suffix.lower() in VIDEOS | {ARRAY}:
            name = Path(name).with_suffix("").as_posix()
        if name not in found:
            near = get_close_matches(name, found, n=1, cutoff=0.0)[0]
            raise line.wrong(f"no video {line.text('video')!r}: did you mean {near!r}?")
        start, stop = line.real("start"), line.real("end")
        if not 0 <= start < stop:
            raise line.wrong(f"start={start:g} and end={stop:g}: must be 0 <= start < end")
        track = line.cells.get("track") or "action"
        events.setdefault(name, []).append(Event(start, stop, line.text("label"), track))
    return events


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(name: str, there: dict[str, Media] | set[str], option: str) -> None:
    if name not in there:
        near = get_close_matches(name, there, n=1, cutoff=0.0)
        hint = f"did you mean {near[0]!r}?" if near else "there is no label at all"
        raise DataError(f"{option}: there is no {name!r}: {hint}")


SOURCE = VideoSource(
    name="folder",
    title="Your own videos, folders of images or arrays of frames, with a table of events if any",
    licence="yours",
    home=HOME,
    layout=LAYOUT,
    recordings=recordings,
    split=Split(by="time", test_share=0.4, embargo=32),
    options={
        "source_fps": "frames a second of images and arrays (25)",
        "segments": "table of events: video,start,end,label[,track], in seconds (segments.csv)",
        "rare": "labels that are rare and matter, separated by commas (none)",
        "test": "recordings that go to test whole, separated by commas (cut every one by time)",
    },
)
