import json

import numpy as np
import pytest

from bandpass.data.series import DataError

FILE = "realKnownCause/nyc_taxi"


def test_windows_label_their_rows_with_both_ends(make, read) -> None:
    series = read("nab", make("nab"))
    assert np.flatnonzero(series[FILE].label).tolist() == list(range(300, 340))
    assert not series["artificial/flat"].label.any()


def test_points_label_single_instants(make, read) -> None:
    assert np.flatnonzero(read("nab", make("nab"), labels="points")[FILE].label).tolist() == [320]


def test_every_file_is_its_own_entity_without_regimes(make, read) -> None:
    for name, one in read("nab", make("nab")).items():
        assert one.entity == name
        assert one.regime is None
        assert one.values.shape[1] == 1


def test_duplicate_and_backward_times_are_kept_as_read(make, read) -> None:
    steps = np.diff(read("nab", make("nab"))["realTraffic/speed_1"].time)
    assert (steps == 0).any()
    assert (steps < 0).any()


def test_another_kind_of_label_is_refused(make, read) -> None:
    with pytest.raises(DataError, match="labels='window': must be one of windows, points"):
        read("nab", make("nab"), labels="window")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [', "not NAB's label format"),
        ("[]", "not NAB's label format"),
        ('{"a": [["2014-07-01"]]}', "not NAB's label format"),
        ('{"a": [["yesterday", "today"]]}', "not NAB's label format"),
        ("{}", r"no entry '.*\.csv'"),
    ],
)
def test_bad_label_files_are_named(make, read, text: str, message: str) -> None:
    raw = make("nab")
    path = raw / "labels" / "combined_windows.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read("nab", raw)
    assert str(path) in str(caught.value)


def test_a_label_outside_its_file_is_named(make, read) -> None:
    raw = make("nab")
    path = raw / "labels" / "combined_windows.json"
    spans = json.loads(path.read_text()) | {f"{FILE}.csv": [["1999-01-01", "1999-01-02"]]}
    path.write_text(json.dumps(spans))
    with pytest.raises(DataError, match="lies outside"):
        read("nab", raw)


def test_a_missing_label_file_shows_the_layout(make, read) -> None:
    raw = make("nab")
    (raw / "labels" / "combined_windows.json").unlink()
    with pytest.raises(DataError, match="no such file; expected the layout"):
        read("nab", raw)
