"""`bandpass sources`: a card for everything that can be read."""

import textwrap
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from bandpass.data import Source
from bandpass.data.injection import OPTIONS
from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import SCHEDULE_SOURCES
from bandpass.data.sources import SOURCES
from bandpass.data.video import VideoSource
from bandpass.data.video.options import HELP
from bandpass.data.video.sources import VIDEO_SOURCES


def cards(console: Console) -> None:
    """Print all sources: of series, of schedules and of videos."""
    for source in SOURCES.values():
        _card(console, source)
        _options(console, source.options)
        console.print()
    _every(console, "every source", "above takes these options too", OPTIONS)
    for dataset in SCHEDULE_SOURCES.values():
        _card(console, dataset, "schedule, ")
        if dataset.blocked:
            console.print(Text(f"  blocked  {dataset.blocked}"))
        console.print()
    keep = {"keep_damaged": "true keeps what was read of a damaged file"}
    _every(console, "schedule", "reads one, some or all of the last", keep)
    for camera in VIDEO_SOURCES.values():
        _card(console, camera, "video, ")
        height, width = camera.size
        console.print(Text(f"  frames   {height} x {width} at {camera.fps:.4g} a second"))
        _options(console, camera.options)
        console.print()
    _every(console, "video", "reads one of the last, --dataset NAME; all take these too", HELP)


def _every(console: Console, name: str, text: str, options: Mapping[str, str]) -> None:
    console.print(Text(name, style="bold"), Text(text))
    _options(console, options)
    console.print()


def _options(console: Console, options: Mapping[str, str]) -> None:
    for name, text in options.items():
        console.print(Text(f"  option   {name}=  {text}"))


def _card(console: Console, source: Source | ScheduleSource | VideoSource, kind: str = "") -> None:
    """Print what a source is."""
    console.print(Text(source.name, style="bold"), Text(f"{kind}{source.title}"))
    console.print(Text(f"  licence  {source.licence}\n  home     {source.home}\n"), end="")
    layout = textwrap.indent(source.layout, " " * 11).strip()
    console.print(Text(f"  layout   {layout}"), soft_wrap=True)  # columns line up as written
