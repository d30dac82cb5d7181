"""From what is known of the windows to the probabilities of a draw, and to the draw itself."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandpass.curriculum.aim import Aim, take_aim
from bandpass.curriculum.draws import Draw, philox
from bandpass.curriculum.histogram import BINS
from bandpass.curriculum.scorebook import Scorebook
from bandpass.curriculum.selection import effective_share, mixture
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.table import UNSCORED
from bandpass.curriculum.together import Together
from bandpass.curriculum.weighing import Order

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STALE = 16  # windows looked at for each that is refreshed
REFRESHES, SHUFFLE = 1 << 62, 1 << 63  # streams of random numbers beside those of the draws


class Selector:
    """Reads the scorebook every few draws, and draws with exact probabilities in between.

    Args:
        book: What is known of the windows.
        settings: The band's.
        steps: Draws in the whole run.
        batch_size: Slots per draw.
        seed: Of the draws.
        together: Windows that may share a draw; any if None.

    Attributes:
        aim: The last reading.
        ess: Effective sample size of the last draw, as a share of the windows.
    """

    def __init__(
        self,
        book: Scorebook,
        settings: BandSettings,
        steps: int,
        batch_size: int,
        seed: int,
        together: Together | None = None,
    ) -> None:
        self._book, self._settings = book, settings
        self._steps, self._batch_size, self._seed = steps, batch_size, seed
        self.ess = 1.0
        self._restraint, self._reason = 1.0, ""
        self._reweigh: Floats = np.ones(book.table.buckets)
        shuffled = settings.mode == "shuffled"
        n = len(book.table)
        self._other = philox(seed, SHUFFLE).permutation(n).astype(np.int32) if shuffled else None
        self._together = together
        self._drawn = together  # by group of the window that is drawn in place of each
        if together is not None and self._other is not None:
            self._drawn = together.shuffled(self._other)
        self.aim = self._look(0)

    @property
    def restraint(self) -> tuple[float, str]:
        """Factor on lambda, and the reason given for it."""
        return self._restraint, self._reason

    def look(self, number: int) -> None:
        """Read the scorebook anew, for draw `number`."""
        self.aim = self._look(number)

    def restrain(self, factor: float, reason: str, number: int) -> None:
        """Take lambda times `factor` from draw `number` on."""
        if not 0 <= factor <= 1:
            raise ValueError(f"factor must be in [0, 1], got {factor}")
        self._restraint, self._reason = factor, reason
        self.aim = self._look(number)

    def reweigh(self, factors: ArrayLike, number: int) -> None:
        """Multiply the weights of buckets from draw `number` on."""
        given = np.array(factors, np.float64)
        if given.shape != self._reweigh.shape or not (np.isfinite(given) & (given > 0)).all():
            raise ValueError(f"factors must be {self._reweigh.shape}, finite and over 0: {given}")
        self._reweigh = given
        self.aim = self._look(number)

    def draw(self, number: int) -> Draw:
        """Draw `number`: a function of the seed, the number and what is known."""
        self.aim, intended = self._read(number)
        p = self._spread() if self._settings.mode == "shadow" else intended
        self.ess = self._share(p)
        ids, found = self._slots(p, philox(self._seed, number))
        if self._other is not None:
            ids = self._other[ids]
        return Draw(ids.tolist(), number, found)

    def select(self, number: int) -> Floats:
        """(cells,) probability of one window of each cell in draw `number`."""
        return self._spread() if self._settings.mode == "shadow" else self.intended(number)

    def intended(self, number: int) -> Floats:
        """(cells,) what it would be in mode "live"."""
        return self._read(number)[1]

    def per_window(self, p: Floats) -> Floats:
        """(cells,) to (n,), as the windows would be drawn."""
        own = self._book.table.per_window(p)
        if self._other is None:
            return own
        out = np.empty_like(own)
        out[self._other] = own
        return out

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """The band as columns, a row per bucket and score bin with any mass.

        Raises:
            RuntimeError: Nothing was scored yet.
        """
        book, table = self._book, self._book.table
        if book.steps == 0:
            raise RuntimeError("the band has no scores yet: take a snapshot after a step")
        mass = book.histogram.counts()
        mass[mass < 1e-6 * mass.sum(axis=1, keepdims=True)] = 0
        mass /= mass.sum(axis=1, keepdims=True)
        p = self._mixture(self.aim.weights)[table.scored].reshape(-1, BINS)
        bucket, bins = np.nonzero(mass)
        return {
            "bucket": bucket,
            "score": book.histogram.scores(bins + 0.5),
            "mass": mass[bucket, bins],
            "weight": p[bucket, bins] * table.population(),
        }

    def stale(self, k: int) -> list[int]:
        """The k of a few more random windows whose scores matter most and are oldest.

        Where windows are grouped they are of one group, that of the first of them, and may be
        fewer.
        """
        book, table = self._book, self._book.table
        ids = np.unique(
            philox(self._seed, REFRESHES + book.steps).integers(0, len(table), STALE * k)
        )
        rows = table.take(ids)
        age = book.steps - table.touched[ids] + self._steps * (rows["verdict"] == UNSCORED)
        matters = self._mixture(self.aim.weights)[table.cell(ids)] * (age + 1)
        if self._together is not None:
            group = self._together.of[ids]
            same = group == group[matters.argmax()]
            ids, matters = ids[same], matters[same]
        return np.sort(ids[np.argsort(-matters, kind="stable")[:k]]).tolist()

    def state_dict(self) -> dict[str, Any]:
        """The last reading, and what was asked of the next."""
        return {
            "ess": self.ess,
            "restraint": [self._restraint, self._reason],
            "reweigh": self._reweigh.tolist(),
            "aim": self.aim.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with a saved reading."""
        self.ess = state["ess"]
        self._restraint, self._reason = state["restraint"]
        self._reweigh = np.array(state["reweigh"])
        self.aim = Aim.from_state(state["aim"])

    def _slots(self, p: Floats, random: np.random.Generator) -> tuple[Ints, Floats]:
        """Draw the slots; where windows are grouped, the first decides the group of the others."""
        table, size = self._book.table, self._batch_size
        if self._drawn is None:
            return table.draw(size, p, random)
        first, own = table.draw(1, p, random)
        among = self._drawn.members(int(self._drawn.of[first[0]]))
        rest, others = table.draw(size - 1, p, random, among)
        return np.concatenate([first, rest]), np.concatenate([own, others])

    def _share(self, p: Floats) -> float:
        return effective_share(p, self._book.table.drawable())

    def _read(self, number: int) -> tuple[Aim, Floats]:
        """What draw `number` goes by; only the draw itself keeps it, so that looking is free."""
        settings = self._settings
        active = settings.active(number, self._steps)
        turned = active != settings.active(number - 1, self._steps)
        aim = self._look(number) if turned or number % settings.refresh == 0 else self.aim
        p = self._mixture(aim.weights)
        if active and self._share(p) < settings.ess:  # counts have moved on since the reading
            aim = self._look(number)
            p = self._mixture(aim.weights)
        return aim, p

    def _look(self, number: int) -> Aim:
        settings, book = self._settings, self._book
        active = settings.active(number, self._steps)
        order = Order(
            fraction=number / self._steps,
            restraint=self._restraint if active else 0.0,
            guarded=number >= settings.warm_up * self._steps,
            reweigh=self._reweigh,
            probation=book.probation,
        )
        return take_aim(book.histogram, book.table, book.positions, settings, order)

    def _mixture(self, h: Floats) -> Floats:
        counts = self._book.table.drawable()
        cells = np.flatnonzero(counts)
        if not len(cells):
            raise RuntimeError(
                "every window is banned, each has had a non-finite loss: mend the model (a lower "
                "learning rate, bf16 in place of fp16), then release() those that may come again"
            )
        p = np.zeros(len(counts))
        settings = self._settings
        p[cells] = mixture(h[cells], counts[cells], floor=settings.floor, cap=settings.cap)
        return p

    def _spread(self) -> Floats:
        """Uniform over all windows that may be drawn."""
        table = self._book.table
        return np.where(table.drawable() > 0, 1 / max(table.population(), 1), 0.0)
