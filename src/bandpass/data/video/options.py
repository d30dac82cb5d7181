"""How videos are prepared: options and what they may be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from bandpass.data.series import DataError
from bandpass.data.sources._options import choice, flag, settings
from bandpass.data.video.corruption import KINDS, MOST
from bandpass.data.video.recording import VideoSource
from bandpass.data.video.scaling import FrameSettings

HELP: Mapping[str, str] = MappingProxyType(
    {
        "height": "of the frames, in pixels (the dataset's; folder: 48)",
        "width": "of the frames, in pixels (the dataset's; folder: 64)",
        "fps": "rows a second, whatever the files have (the dataset's; folder: 10)",
        "colour": "grey or rgb (grey)",
        "cache": "true keeps the frames, false decodes them on access, auto as the disk has (auto)",
        "keep_damaged": "true keeps what decodes of damaged files, false refuses them (true)",
        "corrupt": "share of frames to give labelled corruption, 0 to 0.5 (0)",
        "corrupt_seed": "of this corruption (0)",
        "corrupt_kinds": f"which of it, separated by commas (all: {','.join(KINDS)})",
    }
)
"""Options that `prepare_video` takes beside those of a source, with a one-line help each."""

SIZES: Mapping[str, type[int] | type[float]] = MappingProxyType(
    {"height": int, "width": int, "fps": float}
)
"""Options that are the source's where they are not given."""

CACHES = {"auto": None, "true": True, "false": False}


@dataclass(frozen=True)
class Injection:
    """What corruption to add to every recording.

    Attributes:
        corrupt: Share of the frames, in [0, 0.5].
        corrupt_seed: What is done to a recording depends on this, its name and its frames alone.
        corrupt_kinds: Of ``corruption.KINDS``.
    """

    corrupt: float
    corrupt_seed: int
    corrupt_kinds: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """How to prepare.

    Attributes:
        workers: Processes that decode; one a processor if None.
        overwrite: Replace a store that is there.
        of_source: Options of the source, by name; values may be text.
        height: Of the frames; the source's if None.
        width: Of the frames; the source's if None.
        fps: Rows a second; the source's if None.
        colour: "grey" or "rgb".
        cache: "true" keeps the frames in the store, "false" decodes them on access, "auto" keeps
            them if the disk has room.
        keep_damaged: Keep what decodes of damaged files and leave out those of which nothing does,
            instead of refusing them; the store's notes name them.
        corrupt: Share of the frames of every recording to corrupt, in [0, 0.5].
        corrupt_seed: What is done to a recording depends on this, its name and its frames alone.
        corrupt_kinds: Of ``corruption.KINDS``, separated by commas.

    Raises:
        DataError: If one is out of range.
    """

    workers: int | None = None
    overwrite: bool = False
    of_source: Mapping[str, object] = field(default_factory=dict)
    height: int | None = None
    width: int | None = None
    fps: float | None = None
    colour: str = "grey"
    cache: str = "auto"
    keep_damaged: bool = True
    corrupt: float = 0.0
    corrupt_seed: int = 0
    corrupt_kinds: str = ",".join(KINDS)

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise DataError(f"workers is {self.workers}: at least one has to read")
        for name in SIZES:
            _positive(name, getattr(self, name))
        if self.corrupt_seed < 0:
            raise DataError(f"option corrupt_seed={self.corrupt_seed}: must not be negative")
        if not 0 <= self.corrupt <= MOST:
            raise DataError(f"option corrupt={self.corrupt}: must be in [0, {MOST}]")
        choice("cache", self.cache, CACHES)
        for kind in self.injection.corrupt_kinds:
            if kind not in KINDS:
                raise DataError(
                    f"option corrupt_kinds names {kind!r}: must be some of {', '.join(KINDS)}"
                )

    @property
    def injection(self) -> Injection:
        """What corruption to add."""
        return Injection(self.corrupt, self.corrupt_seed, tuple(self.corrupt_kinds.split(",")))

    def frames(self, source: VideoSource) -> FrameSettings:
        """What the frames of a source shall be."""
        height, width = source.size
        height = height if self.height is None else self.height
        width = width if self.width is None else self.width
        fps = source.fps if self.fps is None else self.fps
        return FrameSettings((height, width), fps, self.colour)


def _positive(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:  # not a number is refused too
        what = "above 0" if math.isfinite(value) else "a finite number above 0"
        raise DataError(f"option {name}={value:g}: must be {what}")


def parse(
    source: VideoSource,
    pairs: Mapping[str, str],
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Options:
    """Make options of the text of a command line; a name that the source takes is the source's.

    Raises:
        DataError: If there is no option of a name, or its value cannot be.
    """
    own: dict[str, object] = {}
    given: dict[str, object] = {}
    for name, value in pairs.items():
        if name in source.options:
            given[name] = value
        elif name in HELP:
            own[name] = value
        else:
            near = get_close_matches(name, {**source.options, **HELP}, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `bandpass sources`"
            raise DataError(f"source {source.name!r} has no option {name!r}: {hint}")
    keep = flag("keep_damaged", str(own.pop("keep_damaged", "true")))
    sizes = {name: _number(name, own.pop(name)) for name in SIZES if name in own}
    read = settings(Options, own)
    known: dict[str, Any] = {each.name: getattr(read, each.name) for each in fields(read)}
    known |= {"workers": workers, "overwrite": overwrite, "of_source": given}
    known |= sizes | {"keep_damaged": keep}
    return Options(**known)


def _number(name: str, text: object) -> float:
    try:
        return SIZES[name](str(text))
    except ValueError as error:
        raise DataError(f"option {name}={text!r}: not {SIZES[name].__name__}") from error
