"""When frames are: timestamps as files have them, missing, disordered or jumping, made to rise."""

from collections import Counter
from collections.abc import Iterator

GAP_SECONDS, GAP_FRAMES = 1.0, 3
"""What is longer than both is a gap, where nothing is known of what was there to be seen."""

LONGEST_GAP = 600.0
"""Seconds; a jump that is longer, and leads past the end that the file declares, is no gap but a
clock that was set."""


class FrameClock:
    """Gives every frame a time that never goes back.

    A frame without a timestamp is one usual step after the frame before it. One that is up to a
    gap early is at the time of the frame before it (which then is never shown). A clock that goes
    back further, or jumps ahead by more than `LONGEST_GAP` and past the declared end, was set:
    that frame and all after it are moved to follow one step after the frame before.

    Args:
        rate: Usual frames a second.
        end: Last second that the file declares, on its own clock; None if it declares none.

    Attributes:
        step: Usual seconds from frame to frame.
        was_set: Whether the clock was set in between.
        rises: Whether every timestamp so far was later than the frame before.
    """

    def __init__(self, rate: float, end: float | None = None) -> None:
        self.step = 1 / rate
        self._end = end
        self._last: float | None = None
        self._shift = 0.0
        self.was_set, self.rises = False, True
        self._found = Counter[str]()

    def tick(self, stamp: float | None, steps: int = 1) -> float:
        """The time of the next frame in seconds.

        Args:
            stamp: Its timestamp in seconds, if it has one.
            steps: How many frames on it is, where there is no timestamp to tell.
        """
        self._last = self._next(stamp, steps)
        return self._last

    def _next(self, stamp: float | None, steps: int) -> float:
        last = self._last
        follows = 0.0 if last is None else last + steps * self.step
        if stamp is None:
            self._found["had no timestamp: they are counted at the usual rate"] += 1
            return follows
        if last is None:
            return stamp
        time = stamp + self._shift
        if time <= last:
            self.rises = False
            if last - time <= self.gap:
                self._found["came too early: each is put at the time of the one before it"] += 1
                return last
        elif time - last <= LONGEST_GAP or (self._end is not None and stamp <= self._end + 1):
            return time
        self._found["set the clock anew: it goes on where it was"] += 1
        self._shift, self.was_set = self._shift + follows - time, True
        return follows

    @property
    def gap(self) -> float:
        """Seconds; more between two frames is a gap."""
        return max(GAP_SECONDS, GAP_FRAMES * self.step)

    def notes(self) -> Iterator[str]:
        """A line for each oddity with the number of frames it befell."""
        for what, count in self._found.items():
            yield f"{count:,} {'frame' if count == 1 else 'frames'} {what}"
