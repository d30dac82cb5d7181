"""What a person sees of a long preparation: how far each stage is, how fast, and how long yet."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 10.0
"""Seconds from line to line where there is no terminal to draw on."""


@contextmanager
def stages(console: Console) -> "Iterator[Stages]":
    """Draw a bar with rate and ETA for each stage; without a terminal print a line now and then."""
    if not console.is_terminal:
        yield Stages(console, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    columns += (TextColumn("{task.fields[what]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield Stages(console, bar)


class Stages:
    """Shows stages one after the other; made by `stages`."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console, self._bar = console, bar
        self._stage: str | None = None
        self._before = (0, 0)
        self._started = self._printed = 0.0
        self._task = TaskID(0)

    def note(self, text: str) -> None:
        """Print a line above the bars, unless it is empty."""
        if text:
            self._console.print(Text(text), soft_wrap=True)

    def show(self, stage: str, done: int, total: int, counts: Mapping[str, int]) -> None:
        """Show how far a stage is.

        Args:
            stage: Its name; a new one begins with what was done of it before, which does not
                count for the rates.
            done: Units of it.
            total: Of them; 0 if it is not known.
            counts: What was done, by what it is called; the rate of the last is shown.
        """
        *_, count = counts.values()
        if stage != self._stage:
            self._begin(stage, done, total, count)
        seconds = max(time.monotonic() - self._started, 1e-9)
        counted = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        what = f"{counted}, {(count - self._before[1]) / seconds:,.0f}/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total or None, what=what)
        elif time.monotonic() - self._printed > EVERY:
            self._printed = time.monotonic()
            more = done - self._before[0]
            left = f"{(total - done) * seconds / more:.0f} s" if total and more else "?"
            share = f" {done / total:.0%}" if total else ""
            self.note(f"{stage}{share}  {what}  ETA {left}")

    def _begin(self, stage: str, done: int, total: int, count: int) -> None:
        self._stage, self._before = stage, (done, count)
        self._started = self._printed = time.monotonic()
        if self._bar is not None:
            self._task = self._bar.add_task(stage, total=total or None, completed=done, what="")
