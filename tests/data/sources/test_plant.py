import numpy as np
import pytest

from bandpass.data.series import DataError
from bandpass.data.sources import SOURCES, plant_dynamics
from bandpass.data.sources.plant import read
from bandpass.data.sources.plant_dynamics import BUILD_UP, FAILURE, REGIMES, STATE

NEXT = {
    "normal": {"load-change", "build-up"},
    "load-change": {"normal"},
    "build-up": {"failure", "intervention"},
    "failure": {"intervention"},
    "intervention": {"recovery"},
    "recovery": {"normal"},
}


@pytest.fixture(scope="module")
def plants():
    return list(read(series=6, rows=20_000))


def test_the_defaults_give_rare_events_and_missing_values(plants) -> None:
    assert 0.02 < np.concatenate([series.label for series in plants]).mean() < 0.04
    missing = np.concatenate([np.isnan(series.values) for series in plants])
    assert 0.005 < missing.mean() < 0.015


def test_events_are_build_up_and_failure(plants) -> None:
    for series in plants:
        np.testing.assert_array_equal(series.label, np.isin(series.regime, (BUILD_UP, FAILURE)))


def test_regimes_follow_one_another_as_in_a_plant(plants) -> None:
    seen = set()
    for series in plants:
        change = np.flatnonzero(np.diff(series.regime))
        for before, after in zip(series.regime[change], series.regime[change + 1], strict=True):
            assert REGIMES[after] in NEXT[REGIMES[before]]
            seen.add((before, after))
    assert len(seen) == sum(map(len, NEXT.values()))


def test_the_state_is_finite_and_decides_the_regime(plants) -> None:
    state = np.concatenate([s.state for s in plants])
    regime = np.concatenate([s.regime for s in plants])
    assert state.shape[1] == len(STATE)
    assert np.isfinite(state).all()
    wear = state[:, STATE.index("wear")]
    assert wear[regime == FAILURE].mean() > 0.6
    assert wear[regime == plant_dynamics.NORMAL].mean() < 0.1


def test_a_build_up_rings_more_and_keeps_its_level(plants) -> None:
    state = np.concatenate([s.state for s in plants])
    regime = np.concatenate([s.regime for s in plants])
    worn = (regime == BUILD_UP) & (state[:, STATE.index("wear")] > 0.6)
    usual = regime == plant_dynamics.NORMAL
    rate, valve = state[:, STATE.index("valve-rate")], state[:, STATE.index("valve")]
    assert rate[worn].std() > 1.3 * rate[usual].std()
    assert abs(valve[worn].mean() - valve[usual].mean()) < valve[usual].std()


def test_the_near_future_is_partly_predictable(plants) -> None:
    """A linear readout of the last 32 rows beats both persistence and the mean, 8 rows ahead."""
    values = np.concatenate([_standard(s.values) for s in plants])
    cut = np.lib.stride_tricks.sliding_window_view(values, 40, 0)[::16]
    past, future = cut[:, :, :32].reshape(len(cut), -1), cut[:, :, -1]
    half = len(cut) // 2  # the first three plants; read out on the other three
    gram = past[:half].T @ past[:half] + 100 * np.eye(past.shape[1])
    readout = np.linalg.solve(gram, past[:half].T @ future[:half])
    error = np.mean((past[half:] @ readout - future[half:]) ** 2)
    persistence = np.mean((cut[half:, :, 31] - future[half:]) ** 2)
    assert error < 0.8 * persistence
    assert error < 0.8 * np.mean((future[half:] - future[half:].mean(0)) ** 2)


def _standard(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num((values - np.nanmean(values, 0)) / np.nanstd(values, 0))


def test_a_series_depends_only_on_the_seed_and_its_number(monkeypatch) -> None:
    together = list(read(series=3, rows=1500, failure_rate=1.0))
    monkeypatch.setattr("bandpass.data.sources.plant.AT_ONCE", 1500)
    alone = list(read(series=4, rows=1500, failure_rate=1.0))
    for one, two in zip(together, alone[:3], strict=True):
        for column in ("values", "label", "regime", "corrupt", "state"):
            np.testing.assert_array_equal(getattr(one, column), getattr(two, column))


def test_another_seed_is_another_plant() -> None:
    one, two = (next(iter(read(series=1, rows=500, seed=seed))) for seed in (0, 1))
    assert not np.array_equal(one.state, two.state)


@pytest.mark.parametrize(
    ("option", "regime"), [("failure_rate", "build-up"), ("load_rate", "load-change")]
)
def test_rates_are_rates_per_thousand_normal_rows(option: str, regime: str) -> None:
    rates = {"failure_rate": 0.0, "load_rate": 0.0} | {option: 2.0}
    regimes = [s.regime for s in read(series=4, rows=10_000, **rates)]
    code = REGIMES.index(regime)
    begun = sum(np.count_nonzero((r[1:] == code) & (r[:-1] != code)) for r in regimes)
    normal = sum(np.count_nonzero(r == 0) for r in regimes)
    # Every stretch of normal operation begins with rows that count for no rate.
    assert begun / (normal - plant_dynamics.QUIET * begun) * 1000 == pytest.approx(2.0, rel=0.3)
    other = {"build-up": "load-change", "load-change": "build-up"}[regime]
    assert not any((r == REGIMES.index(other)).any() for r in regimes)


def test_without_rates_everything_is_normal_and_there() -> None:
    still = {"failure_rate": 0, "load_rate": 0, "missing_rate": 0}
    (series,) = read(series=1, rows=400, **still)
    assert not series.regime.any()
    assert np.isfinite(series.values).all()


@pytest.mark.parametrize("channels", [1, 5, 40])
def test_any_number_of_sensors(channels: int) -> None:
    (series,) = read(series=1, rows=300, channels=str(channels))
    assert series.values.shape == (300, channels)
    assert len(SOURCES["plant"].schema(None, channels=str(channels)).channels) == channels


def test_the_clock_ticks_every_minute() -> None:
    (series,) = read(series=1, rows=100)
    assert set(np.diff(series.time)) == {60 * 10**9}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("rows", "many", "option rows='many': not int"),
        ("rows", 0, "must be at least 1"),
        ("seed", -1, "must not be negative"),
        ("missing_rate", 0.9, r"must be in \[0, 0.5\]"),
        ("row", 10, "no option 'row'; it takes series, rows"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read(**{option: value}))
