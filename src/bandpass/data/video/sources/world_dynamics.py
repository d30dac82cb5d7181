"""What happens in the simulated world: discs in a box, row by row, for many worlds at once."""

from dataclasses import dataclass

import numpy as np

FPS = 10.0
STEPS = 4  # of the simulation within a row
DT = 1 / (FPS * STEPS)

RADII = np.array([0.12, 0.12, 0.07, 0.06, 0.05])  # in sides of the box; the first two are large
MASSES = (RADII / RADII[0]) ** 2
DISCS = len(RADII)
NEAR = RADII[:, None] + RADII[None, :]  # distance of centres at which two discs touch

REGIMES = ("calm", "fast", "swirl")
CALM, FAST, SWIRL = range(3)
SPEED = (0.15, 0.6, 0.35)  # root mean square, sides a second, that each regime holds
SECONDS = ((8.0, 24.0), (4.0, 8.0), (4.0, 8.0))  # length of each, uniform between the two
HOLD = 2.0  # 1/s, how fast the speed gets there
TURN = 1.6  # rad/s of the swirl
GRIP = 1.5  # 1/s, how fast the swirl takes discs along

SHELL = 0.45  # distance at which the large discs begin to push each other away
PUSH = 11.0  # 1/s^2 for each unit of distance below that
PULL = 1.0  # sides/s^2, on an approach
BEFORE, AFTER = 3, 4  # rows of a collision before the contact, and from it on


@dataclass(frozen=True)
class Plan:
    """What acts on worlds from outside, each (rows,) or, stacked, (rows, worlds).

    Attributes:
        regime: int16 codes of ``REGIMES``.
        approach: bool, whether the large discs are sent for each other in this row.
    """

    regime: np.ndarray
    approach: np.ndarray


def plan(rows: int, rare: float, generator: np.random.Generator) -> Plan:
    """Draw the regimes of one world and when its large discs shall meet.

    Args:
        rows: Rows of it.
        rare: Wanted share of the rows that are part of a collision.
        generator: Source of all randomness.
    """
    regime, approach = np.empty(rows, np.int16), np.zeros(rows, bool)
    start, code = 0, CALM
    while start < rows:
        length = max(1, round(generator.uniform(*SECONDS[code]) * FPS))
        regime[start : start + length] = code
        start += length
        code = CALM if code != CALM else int(generator.integers(FAST, SWIRL + 1))
    at, between = 0.0, (BEFORE + AFTER) / rare
    while True:
        at += generator.uniform(0.5, 1.5) * between
        if at >= rows:
            return Plan(regime, approach)
        approach[int(at)] = True


def places(generator: np.random.Generator) -> np.ndarray:
    """(discs, 4) float64: x, y, vx, vy of discs that do not touch, each in a ninth of the box."""
    cells = generator.permutation(9)[:DISCS]
    room = 1 / 6 - RADII[:, None]
    centre = (np.stack([cells % 3, cells // 3], 1) + 0.5) / 3
    at = centre + room * generator.uniform(-1, 1, (DISCS, 2))
    return np.concatenate([at, SPEED[CALM] * generator.standard_normal((DISCS, 2))], 1)


def simulate(forces: Plan, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the discs: they fly straight, bounce off walls and each other, and follow the regime.

    A regime holds the mean speed; the swirl takes the discs around the centre as well. The two
    large discs push each other away when they come near, and only an approach lets them collide:
    they attract each other until they touch. Only sums, products, quotients and square roots,
    element by element, so that a world comes out the same in any batch.

    Args:
        forces: (rows, worlds) each.
        start: (worlds, discs, 4) float64: x, y, vx, vy in the first row.

    Returns:
        (worlds, rows, discs * 4) float32 state in the order of x, y, vx, vy of every disc, in
        sides of the box and sides a second, and (worlds, rows) bool, whether the large discs
        touched between this row and the next.
    """
    rows, worlds = forces.regime.shape
    at, velocity = start[..., :2].copy(), start[..., 2:].copy()
    states = np.empty((rows, worlds, DISCS, 4), np.float32)
    contact, drawn = np.zeros((rows, worlds), bool), np.zeros(worlds, bool)
    speed = np.array(SPEED)[forces.regime]
    for row in range(rows):
        states[row, ..., :2], states[row, ..., 2:] = at, velocity
        drawn = drawn | forces.approach[row]
        swirls = (forces.regime[row] == SWIRL)[:, None, None]
        for _ in range(STEPS):
            velocity = velocity + DT * _pull(at, drawn)
            velocity = velocity + DT * np.where(swirls, _swirl(at, velocity), 0.0)
            velocity = velocity * _hold(velocity, speed[row])
            at, velocity = bounce(at + DT * velocity, velocity)
            velocity, touched = collide(at, velocity)
            contact[row] |= touched
            drawn = drawn & ~touched
    state = np.ascontiguousarray(states.transpose(1, 0, 2, 3)).reshape(worlds, rows, DISCS * 4)
    return state, np.ascontiguousarray(contact.T)


def collisions(contact: np.ndarray) -> np.ndarray:
    """(rows,) bool: the rows around those in which the large discs touched."""
    found = np.zeros(len(contact), bool)
    for row in np.flatnonzero(contact).tolist():
        found[max(row - BEFORE, 0) : row + AFTER] = True
    return found


def bounce(at: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put what is beyond a wall back to it and turn it round; shapes (worlds, discs, 2)."""
    inside = np.minimum(np.maximum(at, RADII[:, None]), 1 - RADII[:, None])
    out = (at - inside) * velocity > 0
    return inside, np.where(out, -velocity, velocity)


def collide(at: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let discs that touch and near each other exchange momentum: elastic, along the centres.

    Args:
        at: (worlds, discs, 2) places.
        velocity: (worlds, discs, 2), before.

    Returns:
        (worlds, discs, 2) velocities after, and (worlds,) bool, whether the large discs did.
    """
    apart = at[:, :, None] - at[:, None]  # from the second disc to the first
    square = (apart**2).sum(-1)
    closing = (apart * (velocity[:, :, None] - velocity[:, None])).sum(-1)
    hit = (square < NEAR**2) & (closing < 0)
    # v1 -= 2 m2 / (m1 + m2) <v1 - v2, x1 - x2> / |x1 - x2|^2 (x1 - x2)
    share = 2 * MASSES[None, :] / (MASSES[:, None] + MASSES[None, :])
    size = np.where(hit, share * closing / np.where(hit, square, 1.0), 0.0)
    return velocity - (size[..., None] * apart).sum(2), hit[:, 0, 1]


def _pull(at: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(worlds, discs, 2) acceleration of the large discs, towards each other where drawn."""
    apart = at[:, 0] - at[:, 1]
    distance = np.sqrt((apart**2).sum(-1))
    size = np.where(drawn, -PULL, PUSH * np.maximum(SHELL - distance, 0.0))
    force = (size / distance)[:, None] * apart
    out = np.zeros_like(at)
    out[:, 0], out[:, 1] = force, -force
    return out


def _swirl(at: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Acceleration towards a turn around the centre of the box, and what keeps discs on it."""
    arm = at - 0.5
    around = TURN * np.stack([-arm[..., 1], arm[..., 0]], -1)
    return GRIP * (around - velocity) - TURN**2 * arm


def _hold(velocity: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(worlds, 1, 1) factor that brings the root mean square speed nearer to what is wanted."""
    speed = np.sqrt((velocity**2).sum((1, 2)) / DISCS)
    factor = 1 + DT * HOLD * (wanted / np.maximum(speed, 1e-6) - 1)
    return np.minimum(factor, 1.1)[:, None, None]
