"""The list of windows that are held back, and why: for a person to review, release or ban."""

from dataclasses import asdict, dataclass
from typing import Any

EXTREME = "extreme"
NOT_FINITE = "not finite"
BY_HAND = "banned by hand"
HELD_BY_HAND = "held by hand"


@dataclass(frozen=True)
class Quarantined:
    """A window held back.

    Attributes:
        id: The window.
        reason: "extreme" (drawn at the floor, released when a visit finds it ordinary), "not
            finite" or "banned by hand" (never drawn again), "held by hand", or what the gate found.
        z: Robust z of its score at its last visit; NaN if not finite.
        visits: Visits with a finite loss so far, 255 for more.
        step: Step at which it was put here.
    """

    id: int
    reason: str
    z: float
    visits: int
    step: int


class Quarantine:
    """The windows held back now, in the order in which they came.

    Attributes:
        released: Windows that a person has cleared: only a non-finite loss brings them back.
    """

    def __init__(self) -> None:
        self._held: dict[int, Quarantined] = {}
        self.released: set[int] = set()

    def __contains__(self, window: int) -> bool:
        return window in self._held

    def hold(self, window: int, reason: str, z: float, visits: int, step: int) -> None:
        """Put a window here, or renew its z and visits."""
        held = self._held.get(window)
        since = held.step if held is not None and held.reason == reason else step
        self._held[window] = Quarantined(window, reason, z, visits, since)

    def release(self, window: int) -> None:
        """Let a window go, if it is held."""
        self._held.pop(window, None)

    def entries(self) -> list[Quarantined]:
        """All windows held."""
        return list(self._held.values())

    def state_dict(self) -> dict[str, Any]:
        """One plain dict per window held, and the ids that were released."""
        held = [asdict(entry) for entry in self._held.values()]
        return {"held": held, "released": sorted(self.released)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved list."""
        self._held = {entry["id"]: Quarantined(**entry) for entry in state["held"]}
        self.released = set(state["released"])
