"""What happens inside the generated plant: its regimes in time, and its latent state row by row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

REGIMES = ("normal", "load-change", "build-up", "failure", "intervention", "recovery")
NORMAL, LOAD_CHANGE, BUILD_UP, FAILURE, INTERVENTION, RECOVERY = range(6)
STATE = ("load", "temperature", "pressure", "wear", "valve", "valve-rate")

DAY = 1440  # rows; one row is a minute
QUIET = 32  # rows of normal operation that follow every other regime at least
DURATION = {  # rows, uniform between the two
    LOAD_CHANGE: (40, 160),
    BUILD_UP: (80, 180),
    FAILURE: (20, 50),
    INTERVENTION: (30, 60),
    RECOVERY: (80, 200),
}
CAUGHT = 0.25  # share of build-ups that are stopped before they become a failure

REST_WEAR, FULL_WEAR, SEED_WEAR = 0.05, 1.0, 0.02
FREQUENCY = 2 * np.pi / 24  # of the valve's control loop, per row
# Standard deviations of the noise that drives load, temperature, pressure, wear and valve.
DRIVE = np.array([0.006, 0.004, 0.02, 0.002, 0.012])


@dataclass(frozen=True)
class Forcing:
    """What acts on the state from outside, each (rows,) float64 or, stacked, (rows, series).

    Attributes:
        load: Load the operators ask for.
        opening: Valve opening asked for beside what the load asks for.
        follow: How much of the load the valve follows.
        growth: Growth rate of wear.
        repair: Rate at which wear returns to its resting level.
        heat: Heat released by a failure, and the ambient daily cycle.
    """

    load: np.ndarray
    opening: np.ndarray
    follow: np.ndarray
    growth: np.ndarray
    repair: np.ndarray
    heat: np.ndarray


def episodes(
    rates: tuple[float, float], generator: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield (regime, rows) for ever: a semi-Markov process that starts in normal operation.

    Args:
        rates: Failures begun and load changes begun, per 1000 rows of normal operation (counted
            after its first ``QUIET`` rows).
        generator: Source of all randomness.
    """

    def during(regime: int) -> tuple[int, int]:
        low, high = DURATION[regime]
        return regime, int(generator.integers(low, high + 1))

    failures, total = rates[0], sum(rates)
    while True:
        if total == 0:
            yield NORMAL, np.iinfo(np.int64).max
        yield NORMAL, QUIET + int(generator.exponential(1000 / total))
        if generator.random() * total >= failures:
            yield during(LOAD_CHANGE)
            continue
        yield during(BUILD_UP)
        if generator.random() >= CAUGHT:
            yield during(FAILURE)
        yield during(INTERVENTION)
        yield during(RECOVERY)


def schedule(
    rows: int, rates: tuple[float, float], generator: np.random.Generator
) -> tuple[np.ndarray, Forcing]:
    """Draw the regimes of one series and what they do to the plant.

    Returns:
        (rows,) int16 codes of ``REGIMES``, and the forcing.
    """
    regime = np.zeros(rows, np.int16)
    load, growth = np.empty(rows), np.zeros(rows)
    level, start = generator.uniform(0.4, 1.0), 0
    for code, length in episodes(rates, generator):
        stop = min(start + length, rows)
        part, fraction = slice(start, stop), (np.arange(stop - start) + 1) / length
        regime[part], load[part] = code, level
        if code == LOAD_CHANGE:
            before, level = level, generator.uniform(0.4, 1.0)
            load[part] = before + (level - before) * fraction
        elif code == BUILD_UP:  # reaches full wear at the end, however long it takes
            growth[part] = np.log((FULL_WEAR + SEED_WEAR) / (REST_WEAR + SEED_WEAR)) / length
        elif code == FAILURE:
            load[part] = 0.6 * level
        elif code == INTERVENTION:
            load[part] = 0.15
        elif code == RECOVERY:
            load[part] = 0.15 + (level - 0.15) * fraction
        start = stop
        if start == rows:
            break
    phase = generator.uniform(0, 2 * np.pi)
    ambient = 0.15 * np.sin(2 * np.pi * np.arange(rows) / DAY + phase)
    return regime, Forcing(
        load=load,
        opening=_by_regime(regime, 0.25, {FAILURE: 0.15, INTERVENTION: 0.8}),
        follow=_by_regime(regime, 0.5, {FAILURE: 0.0, INTERVENTION: 0.0}),
        growth=growth,
        repair=_by_regime(regime, 0.02, {BUILD_UP: 0.0, FAILURE: 0.0, INTERVENTION: 0.1}),
        heat=ambient + _by_regime(regime, 0.0, {FAILURE: 0.8}),
    )


def _by_regime(regime: np.ndarray, usual: float, special: dict[int, float]) -> np.ndarray:
    return np.array([special.get(code, usual) for code in range(len(REGIMES))])[regime]


def simulate(forcing: Forcing, drive: np.ndarray) -> np.ndarray:
    """Run the plant: relaxations coupled to one another, driven by forcing and noise.

    The valve is a noise-driven oscillator whose damping is eaten by wear: a build-up announces
    itself by ringing that grows, while levels stay in their usual range. Only sums, products and
    quotients, element by element, so that a series comes out the same in any batch.

    Args:
        forcing: (rows, series) each.
        drive: (rows, 5, series) standard normal noise.

    Returns:
        (rows, 6, series) float32 latent state, in the order of ``STATE``.
    """
    rows, _, series = drive.shape
    out = np.empty((rows, len(STATE), series), np.float32)
    load, wear = forcing.load[0].copy(), np.full(series, REST_WEAR)
    valve, rate = forcing.opening[0] + forcing.follow[0] * load, np.zeros(series)
    pressure, temperature = load / (0.25 + valve), 0.6 * load
    noise = drive * DRIVE[:, None]
    for t in range(rows):
        kick = noise[t]
        load = load + 0.05 * (forcing.load[t] - load) + kick[0]
        wear = wear + forcing.growth[t] * (wear + SEED_WEAR)
        wear = wear + forcing.repair[t] * (REST_WEAR - wear) + kick[3]
        wear = np.minimum(np.maximum(wear, 0.0), FULL_WEAR)
        pull = forcing.opening[t] + forcing.follow[t] * load - valve
        damping = 2 * FREQUENCY * (0.5 - 0.47 * wear)
        rate = rate + FREQUENCY**2 * pull - damping * rate + kick[4]
        valve = np.minimum(np.maximum(valve + rate, 0.02), 1.5)
        pressure = pressure + 0.2 * (load * (1 + 0.4 * wear) / (0.25 + valve) - pressure) + kick[2]
        warmth = 0.8 * load + 0.3 * wear - 0.25 * valve * pressure + forcing.heat[t]
        temperature = temperature + 0.02 * (warmth - temperature) + kick[1]
        for k, part in enumerate((load, temperature, pressure, wear, valve, rate)):
            out[t, k] = part
    return out
