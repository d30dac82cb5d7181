import numpy as np
import pytest

from bandpass.data.series import DataError
from bandpass.data.sources import skab


def test_rows_of_an_anomaly_have_the_regime_of_their_group(make, read) -> None:
    series = read("skab", make("skab"))
    for name, one in series.items():
        group = name.split("/")[0]
        assert one.entity == one.name
        assert one.split is None
        expected = {"normal"} | ({group} - {"anomaly-free"})
        assert {skab.REGIMES[code] for code in one.regime} == expected
        np.testing.assert_array_equal(one.regime > 0, one.label == 1)


def test_the_clock_keeps_its_gaps(make, read) -> None:
    steps = np.diff(read("skab", make("skab"))["valve1/0"].time)
    assert set(steps) == {10**9, 121 * 10**9}


def test_test_is_two_fifths_of_every_group_and_no_normal_run() -> None:
    share = {"valve1": 16, "valve2": 4, "other": 14}
    assert {name.split("/")[0] for name in skab.TEST} == set(share)
    for group, files in share.items():
        assert 0.35 <= sum(name.startswith(group + "/") for name in skab.TEST) / files <= 0.5


def test_a_folder_that_is_no_group_is_refused(make, read) -> None:
    raw = make("skab")
    (raw / "valve1").rename(raw / "valve3")
    with pytest.raises(DataError, match="'valve3' is no group of SKAB"):
        read("skab", raw)


def test_a_missing_label_column_is_named(make, read) -> None:
    raw = make("skab")
    (raw / "valve1" / "0.csv").write_bytes((raw / "anomaly-free/anomaly-free.csv").read_bytes())
    with pytest.raises(DataError, match=r"valve1/0\.csv: has no column 'anomaly'"):
        read("skab", raw)
