"""The simulated world: a camera over discs in a box, whose state and events are known exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bandpass.data.series import DataError, Split
from bandpass.data.sources import _options
from bandpass.data.video.corruption import MOST, corrupt_frames
from bandpass.data.video.recording import Event, Frames, Recording, VideoSource
from bandpass.data.video.sources import _reading, world_dynamics
from bandpass.data.video.sources.world_dynamics import DISCS, FPS, RADII, REGIMES, Plan

SIDE = 32  # pixels of the box
LEVELS = np.array([225, 150, 190, 110, 15], np.float32)  # of the discs
NOISE = 3.0  # levels, of the camera
AT_ONCE = 200_000  # rows simulated together: bounds memory, amortises the loop over rows
BLOCK = 64  # frames drawn together: what fits a cache
STATE = tuple(f"{what}-{disc}" for disc in range(DISCS) for what in ("x", "y", "vx", "vy"))


@dataclass(frozen=True)
class World:
    """Settings of the simulation.

    Attributes:
        recordings: Number of worlds, each with a camera of its own: an entity.
        seconds: Length of each.
        seed: Of everything; recording ``i`` depends only on the settings and on (``seed``, ``i``).
        rare: Share of the frames that are part of a collision of the large discs, about.
        corrupt: Share of the frames that are corrupt, labelled by kind.
    """

    recordings: int = 12
    seconds: float = 200.0
    seed: int = 0
    rare: float = 0.02
    corrupt: float = 0.02

    def __post_init__(self) -> None:
        if self.recordings < 1:
            raise DataError(f"option recordings={self.recordings}: must be at least 1")
        if not 1 <= self.seconds < float("inf"):  # not a number is refused too
            raise DataError(f"option seconds={self.seconds}: must be at least 1")
        if self.seed < 0:
            raise DataError(f"option seed={self.seed}: must not be negative")
        if not 0 < self.rare <= 0.1:
            raise DataError(f"option rare={self.rare}: must be above 0, up to 0.1")
        if not 0 <= self.corrupt <= MOST:
            raise DataError(f"option corrupt={self.corrupt}: must be in [0, {MOST}]")

    @property
    def rows(self) -> int:
        """Frames of a recording."""
        return round(self.seconds * FPS)


def recordings(raw: Path | None = None, **options: object) -> Iterator[Recording]:
    """Yield the worlds ``world-00``, ``world-01``, ...; pictures are drawn only when asked for.

    Every frame has a regime, and a few are part of a ``collision``, the rare event: the two large
    discs keep apart but for a moment now and then.

    Args:
        raw: Not used, nothing is read.
        **options: Fields of ``World``.

    Raises:
        DataError: If an option is unknown or out of range.
    """
    del raw
    settings = _options.settings(World, options)
    step = max(1, AT_ONCE // settings.rows)
    for first in range(0, settings.recordings, step):
        yield from _batch(settings, range(first, min(first + step, settings.recordings)))


def _batch(settings: World, indices: range) -> Iterator[Recording]:
    generators = [np.random.default_rng([settings.seed, i]) for i in indices]
    plans = [world_dynamics.plan(settings.rows, settings.rare, g) for g in generators]
    forces = Plan(np.stack([p.regime for p in plans], 1), np.stack([p.approach for p in plans], 1))
    start = np.stack([world_dynamics.places(g) for g in generators])
    states, contacts = world_dynamics.simulate(forces, start)
    for i, state, contact, drawn in zip(indices, states, contacts, plans, strict=True):
        name, collision = f"world-{i:02d}", world_dynamics.collisions(contact)
        media = Frames(partial(film, state, (settings.seed, i), settings.corrupt), FPS)
        yield Recording(
            name,
            name,
            media,
            _events(drawn.regime, collision),
            collision.astype(np.int8),
            corrupt=damage(len(state), (settings.seed, i), settings.corrupt),
            state=state,
        )


def _events(regime: np.ndarray, collision: np.ndarray) -> tuple[Event, ...]:
    """Regimes, the track "action", and collisions, in order of their start."""
    found = list(_reading.flagged(collision, FPS, "collision", "collision"))
    for code, name in enumerate(REGIMES):
        found += _reading.flagged(regime == code, FPS, name, "action")
    return tuple(sorted(found, key=lambda event: (event.start, event.track)))


def film(state: np.ndarray, seed: tuple[int, int], corrupt: float) -> np.ndarray:
    """Return what the camera records: (S, 32, 32) uint8 of the (S, discs * 4) state."""
    frames = draw(state, np.random.default_rng([*seed, 1]))
    return corrupt_frames(frames[..., None], corrupt, seed=(*seed, 2), fps=FPS)[0][..., 0]


def damage(rows: int, seed: tuple[int, int], corrupt: float) -> np.ndarray:
    """Return the (S,) int8 codes of what `film` does to the frames; needs no picture to know."""
    nothing = np.zeros((rows, 1, 1, 1), np.uint8)
    return corrupt_frames(nothing, corrupt, seed=(*seed, 2), fps=FPS)[1]


def draw(state: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw the discs, edges smoothed over a pixel, over a background of the camera's own.

    Args:
        state: (S, discs * 4) float32: x, y, vx, vy of every disc.
        generator: Of the background and the noise of the camera.

    Returns:
        (S, 32, 32) uint8.
    """
    pixel = ((np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
    slope = generator.uniform(-30, 30, 2).astype(np.float32)
    background = 60 + slope[0] * (pixel[:, None] - 0.5) + slope[1] * (pixel[None, :] - 0.5)
    background += 4 * generator.standard_normal((SIDE, SIDE), np.float32)
    out = np.empty((len(state), SIDE, SIDE), np.uint8)
    for first in range(0, len(state), BLOCK):
        part = state[first : first + BLOCK].reshape(-1, DISCS, 4)
        frames = np.repeat(background[None], len(part), 0)
        for disc in range(DISCS):
            across = (pixel - part[:, disc, 0, None]) ** 2
            down = (pixel - part[:, disc, 1, None]) ** 2
            distance = np.sqrt(down[:, :, None] + across[:, None, :])
            cover = (np.float32(RADII[disc]) - distance) * SIDE + np.float32(0.5)
            frames += np.clip(cover, 0, 1, out=cover) * (LEVELS[disc] - frames)
        frames += np.float32(NOISE) * generator.standard_normal(frames.shape, np.float32)
        out[first : first + BLOCK] = np.clip(np.rint(frames), 0, 255)
    return out


SOURCE = VideoSource(
    name="world",
    title="Simulated discs in a box with exact state, rare collisions, regimes, corrupt frames",
    licence="Apache-2.0 (generated by this package)",
    home="no download",
    layout="nothing is read: RAW is not needed",
    recordings=recordings,
    size=(SIDE, SIDE),
    fps=FPS,
    rare=frozenset({"collision"}),
    split=Split(by="time", test_share=0.4, embargo=32),
    state=STATE,
    options={
        "recordings": "number of worlds, each with a camera of its own (12)",
        "seconds": "length of each (200)",
        "seed": "of everything (0)",
        "rare": "share of frames in which the large discs collide (0.02)",
        "corrupt": "share of frames that are corrupt (0.02)",
    },
)
