import numpy as np
import pytest

from bandpass.data.series import DataError


def test_a_machine_is_a_train_half_and_a_labelled_test_half(make, read) -> None:
    series = read("smd", make("smd"))
    assert list(series) == [
        "machine-1-1/train",
        "machine-1-1/test",
        "machine-2-10/train",
        "machine-2-10/test",
    ]
    train, test = series["machine-2-10/train"], series["machine-2-10/test"]
    assert train.entity == test.entity == "machine-2-10"
    assert (train.split, test.split) == ("train", None)
    assert set(train.label) == set(train.regime) == {-1}
    assert np.flatnonzero(test.label).tolist() == [*range(150, 190), *range(300, 310)]
    np.testing.assert_array_equal(test.regime, test.label)


def test_a_constant_channel_is_kept(make, read) -> None:
    assert not read("smd", make("smd"))["machine-1-1/test"].values[:, 7].any()


def test_labels_of_another_length_are_refused(make, read) -> None:
    raw = make("smd")
    path = raw / "test_label" / "machine-1-1.txt"
    path.write_text("0\n" * 399)
    with pytest.raises(DataError, match=r"399 labels for the 400 rows of .*test/machine-1-1"):
        read("smd", raw)


@pytest.mark.parametrize("part", ["test", "test_label"])
def test_a_missing_half_is_named(make, read, part: str) -> None:
    raw = make("smd")
    (raw / part / "machine-1-1.txt").unlink()
    with pytest.raises(DataError, match=rf"{part}/machine-1-1\.txt: no such file, plain or \.gz"):
        read("smd", raw)


def test_a_label_that_is_none_is_named_by_row(make, read) -> None:
    raw = make("smd")
    (raw / "test_label" / "machine-1-1.txt").write_text("0\n2\n" + "0\n" * 398)
    with pytest.raises(DataError, match="data row 2: 2 is not one of 0, 1"):
        read("smd", raw)


def test_another_number_of_metrics_is_refused(make, read) -> None:
    raw = make("smd")
    (raw / "train" / "machine-1-1.txt").write_text("0.1,0.2\n")
    with pytest.raises(DataError, match="Expected 38 columns, got 2"):
        read("smd", raw)


def test_a_rare_machine_gives_train_stretches_and_its_whole_test_half(
    make, read, monkeypatch
) -> None:
    monkeypatch.setattr("bandpass.data.sources.smd.STRETCH", 5)
    raw = make("smd")
    series = read("smd", raw, rare="machine-1-1", rare_share="0.02")
    stretches = [s for s in series.values() if s.entity == "machine-1-1" and s.split == "train"]
    usual = 400 + 200 - 128  # train, and the first half of test less its embargo
    assert sum(len(s.values) for s in stretches) == round(usual * 0.02 / 0.98)
    whole = read("smd", raw)["machine-1-1/train"].values
    np.testing.assert_array_equal(stretches[1].values, whole[200:205])
    test = series["machine-1-1/test"]
    assert (len(test.values), test.split) == (400, "test")
    assert {s.entity for s in series.values() if s.rare} == {"machine-1-1"}


def test_machines_can_be_chosen(make, read) -> None:
    chosen = read("smd", make("smd"), machines="machine-2-10")
    assert {s.entity for s in chosen.values()} == {"machine-2-10"}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rare": "machine-1-2"}, "no machine 'machine-1-2': the nearest of 2 is 'machine-1-1'"),
        ({"machines": "machine-2-10,3"}, "no machine '3'"),
        ({"rare_share": "1.5"}, "rare_share=1.5: must be between 0 and 1"),
        ({"rare": "machine-1-1", "rare_share": 0.9}, "asks for 4248 rows of a machine that has"),
    ],
)
def test_machines_that_cannot_be_are_named(make, read, options, match) -> None:
    with pytest.raises(DataError, match=match):
        read("smd", make("smd"), **options)
