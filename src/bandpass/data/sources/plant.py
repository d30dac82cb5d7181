"""The generator: a multichannel plant whose regimes and latent state are known exactly."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from bandpass.data import corruption
from bandpass.data.series import DataError, Schema, Series, Source, Split
from bandpass.data.sources import _options, plant_dynamics
from bandpass.data.sources.plant_dynamics import REGIMES, STATE, Forcing

AT_ONCE = 1_000_000  # rows simulated together: bounds memory, amortises the loop over rows
START = int(np.datetime64("2024-01-01", "ns").astype(np.int64))
MINUTE = 60 * 10**9


@dataclass(frozen=True)
class Plant:
    """Settings of the generator.

    Attributes:
        series: Number of plants, each its own entity.
        rows: Rows of each, a minute apart.
        channels: Sensors of each.
        seed: Of everything; series ``i`` depends only on the settings and on (``seed``, ``i``).
        failure_rate: Build-ups begun per 1000 rows of normal operation.
        load_rate: Load changes begun per 1000 rows of normal operation.
        missing_rate: Share of values that are missing without being a fault.
    """

    series: int = 8
    rows: int = 20_000
    channels: int = 12
    seed: int = 0
    failure_rate: float = 0.2
    load_rate: float = 2.0
    missing_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("series", "rows", "channels"):
            if getattr(self, name) < 1:
                raise DataError(f"option {name}={getattr(self, name)}: must be at least 1")
        for name in ("seed", "failure_rate", "load_rate"):
            if not getattr(self, name) >= 0:  # not a number is refused too
                raise DataError(f"option {name}={getattr(self, name)}: must not be negative")
        if not 0 <= self.missing_rate <= 0.5:
            raise DataError(f"option missing_rate={self.missing_rate}: must be in [0, 0.5]")


def read(raw: Path | None = None, **options: object) -> Iterator[Series]:
    """Yield the plants ``plant-00``, ``plant-01``, ...

    A row is an event in build-up and failure. Sensors read nonlinear mixes of the latent state,
    never the wear that decides the regime: it shows in ringing, in vibration and in how pressure
    and temperature relate to load.

    Args:
        raw: Not used, nothing is read.
        **options: Fields of ``Plant``.

    Raises:
        DataError: If an option is unknown or out of range.
    """
    del raw
    settings = _options.settings(Plant, options)
    step = max(1, AT_ONCE // settings.rows)
    for first in range(0, settings.series, step):
        yield from _batch(settings, range(first, min(first + step, settings.series)))


def _batch(settings: Plant, indices: range) -> Iterator[Series]:
    generators = [np.random.default_rng([settings.seed, i]) for i in indices]
    rates = (settings.failure_rate, settings.load_rate)
    drawn = [plant_dynamics.schedule(settings.rows, rates, g) for g in generators]
    forcing = Forcing(
        *(np.stack([getattr(f, part.name) for _, f in drawn], 1) for part in fields(Forcing))
    )
    drive = [g.standard_normal((settings.rows, len(plant_dynamics.DRIVE))) for g in generators]
    states = plant_dynamics.simulate(forcing, np.stack(drive, 2))
    time = START + MINUTE * np.arange(settings.rows, dtype=np.int64)
    for i, (regime, _), generator, state in zip(
        indices, drawn, generators, np.moveaxis(states, 2, 0), strict=True
    ):
        values = _lose(sensors(state, settings, generator), settings.missing_rate, generator)
        event = np.isin(regime, (plant_dynamics.BUILD_UP, plant_dynamics.FAILURE)).astype(np.int8)
        name, state = f"plant-{i:02d}", np.ascontiguousarray(state)
        yield Series(name, name, values, event, regime, None, time, state)


def sensors(state: np.ndarray, settings: Plant, generator: np.random.Generator) -> np.ndarray:
    """Read the state through the sensors of one plant.

    Every sensor follows one quantity and a little of another, some with saturation; the mixing is
    that of the seed, gain and offset that of the plant.

    Args:
        state: (rows, 6) float32.
        settings: Of the generator.
        generator: Of this plant.

    Returns:
        (rows, channels) float32.
    """
    load, temperature, pressure, wear, valve, rate = state.T
    vibration = (0.2 + 0.5 * load + 0.8 * wear) * generator.standard_normal(len(state))
    flow = valve * np.sqrt(np.maximum(pressure, 0))
    quantities = np.stack(
        [2 * load, 3 * temperature, 2 * pressure, 2 * valve, 8 * rate, 2 * flow, vibration], 1
    ).astype(np.float32)

    count, channels = quantities.shape[1], settings.channels
    plan = np.random.default_rng([settings.seed, 2**32])  # shared by all plants
    main = (np.arange(channels) + plan.integers(count)) % count
    mix = np.zeros((count, channels), np.float32)
    mix[plan.integers(count, size=channels), np.arange(channels)] = plan.uniform(
        -0.4, 0.4, channels
    )
    mix[main, np.arange(channels)] = plan.choice([-1.0, 1.0], channels)
    saturates = plan.random(channels) < 1 / 3

    out = quantities @ mix
    out[:, saturates] = np.tanh(out[:, saturates])
    noise = generator.standard_normal(out.shape, dtype=np.float32)
    gain, offset = generator.uniform(0.7, 1.4, channels), generator.normal(0, 0.5, channels)
    return ((out + 0.1 * noise) * gain + offset).astype(np.float32)


def _lose(values: np.ndarray, rate: float, generator: np.random.Generator) -> np.ndarray:
    """Lose half of ``rate`` as single values, half as outages of one channel for 20-100 rows."""
    out = np.where(generator.random(values.shape) < rate / 2, np.float32(np.nan), values)
    for channel in range(values.shape[1]):
        for start, stop in corruption.episodes(len(values), rate / 2, generator):
            out[start:stop, channel] = np.nan
    return out


def discover(raw: Path | None = None, **options: object) -> Schema:
    """Names of the sensors and regimes for the given options."""
    del raw
    count = _options.settings(Plant, options).channels
    return Schema(tuple(f"sensor-{i:02d}" for i in range(1, count + 1)), REGIMES)


SOURCE = Source(
    name="plant",
    title=f"Generated plant with exact latent state ({', '.join(STATE)})",
    licence="Apache-2.0 (generated by this package)",
    home="no download",
    layout="nothing is read: RAW is not needed",
    channels=discover().channels,
    regimes=REGIMES,
    read=read,
    split=Split(by="time", test_share=0.4, embargo=128),
    corrupt=0.02,
    options={
        "series": "number of plants (8)",
        "rows": "rows of each, a minute apart (20000)",
        "channels": "sensors of each (12)",
        "seed": "of everything (0)",
        "failure_rate": "build-ups begun per 1000 normal rows (0.2)",
        "load_rate": "load changes begun per 1000 normal rows (2.0)",
        "missing_rate": "share of values missing without a fault (0.01)",
    },
    discover=discover,
)
