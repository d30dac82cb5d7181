import numpy as np
import pytest

from bandpass.data.series import DataError
from bandpass.data.sources.threew import REGIMES, regime_changes

REAL = "2/WELL-00011_20140515110134"


def test_rows_between_two_regimes_are_the_event(make, read) -> None:
    series = read("3w", make("3w"))[REAL]
    assert np.flatnonzero(series.label == 1).tolist() == [*range(150, 180), *range(380, 390)]
    assert set(series.label) == {0, 1}
    names = {-1: "empty"} | dict(enumerate(REGIMES))
    assert {names[code] for code in series.regime} == {"normal", "empty", "transient 2", "fault 2"}


def test_absent_channels_are_missing_and_dead_gauges_are_values(make, read) -> None:
    values = read("3w", make("3w"))[REAL].values
    assert np.isnan(values[:, 5:7]).all()
    assert not values[:, 0].any()
    assert np.isfinite(values[:, [1, 2, 3, 4, 7]]).all()


def test_simulated_and_drawn_wells_are_train_only(make, read) -> None:
    raw = make("3w")
    with_them, without = read("3w", raw), read("3w", raw, augment="false")
    assert {s.entity for s in with_them.values() if s.split == "train"} == {"SIMULATED", "DRAWN"}
    assert set(without) == {name for name in with_them if "WELL" in name}
    assert all(series.split is None for series in without.values())


def test_an_unknown_class_is_named(make, read) -> None:
    raw = make("3w")
    path = raw / "data" / f"{REAL}.csv"
    path.write_text(path.read_text().replace(",102\n", ",999\n"))
    with pytest.raises(DataError, match="column 'class', data row 181: 999 is not one of 0, 101"):
        read("3w", raw)


@pytest.mark.parametrize(
    ("regime", "label"),
    [
        ([0, 0, 0], [0, 0, 0]),
        ([0, -1, -1, 2], [0, 1, 1, 0]),
        ([0, 0, 2, 2], [0, 0, 1, 0]),
        ([0, -1, 0], [0, -1, 0]),
        ([-1, 0, -1], [-1, 0, -1]),
        ([-1, -1], [-1, -1]),
        ([0, -1, 1, 2, -1], [0, 1, 0, 1, -1]),
    ],
)
def test_regime_changes(regime: list[int], label: list[int]) -> None:
    found = regime_changes(np.array(regime, np.int16))
    assert found.dtype == np.int8
    assert found.tolist() == label
