"""Live progress of many runs: a bar with ETA, and a line for every run that ends."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 30.0
"""Seconds between lines of progress where there is no terminal."""


class Many:
    """Live progress over many runs.

    Args:
        console: Where to draw; without a terminal a line is printed now and then instead.
        sizes: How much work each run is, by its name, in the order in which they are made.
        unit: What that is counted in.
        noun: What the runs are called.
        before: How much of each was done by earlier commands; nothing where it is not named.
    """

    def __init__(
        self,
        console: Console,
        sizes: Mapping[str, float],
        unit: str,
        *,
        noun: str = "runs",
        before: Mapping[str, float] | None = None,
    ) -> None:
        self.console = console
        self._sizes, self._noun = sizes, noun
        self._done = dict(before or {})
        self._ended = 0
        self._total, self._before = sum(sizes.values()), sum(self._done.values())
        self._begun = self._printed = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=600,
        )
        self._task = self._bar.add_task("", total=self._total, completed=int(self._before))

    def __enter__(self) -> "Many":
        """Start drawing if there is a terminal to draw on."""
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop drawing."""
        self.stop()

    def stop(self) -> None:
        """Stop drawing."""
        if self._bar.live.is_started:  # else rich prints an empty line
            self._bar.stop()

    def at(self, name: str, amount: float, line: str) -> None:
        """Show how far a run is."""
        self._done[name] = amount
        if self.console.is_terminal:
            self._bar.update(self._task, completed=sum(self._done.values()), description=line)
        elif time.monotonic() - self._printed > EVERY:
            self._printed = time.monotonic()
            self._say(f"{line}; {self._left()}")

    def done(self, name: str, line: str) -> None:
        """Say that a run is done."""
        self._done[name] = self._sizes[name]
        self._ended += 1
        self._say(f"{line}; {self._left()}")

    def failed(self, name: str, why: str) -> None:
        """Say that a run failed; the others go on."""
        self._done[name] = self._sizes[name]
        self.console.print(Text.assemble((f"{name} failed: ", "bold red"), why), soft_wrap=True)

    def _say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    def _left(self) -> str:
        """Runs done, and how long the rest takes at the rate so far."""
        text = f"{self._ended} of {len(self._sizes)} {self._noun}"
        done = sum(self._done.values())
        if done <= self._before or done >= self._total:
            return text
        seconds = (time.monotonic() - self._begun) * (self._total - done) / (done - self._before)
        return f"{text}, ETA {duration(seconds)}"


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds > 2.5 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
