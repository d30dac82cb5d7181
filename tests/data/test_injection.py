import numpy as np
import pytest

from bandpass.data import DataError, Series, Source, Split, Windows, prepare
from bandpass.data.corruption import KINDS
from bandpass.data.sources import SOURCES

ROWS = 2000


def recording(name: str, **more) -> Series:
    values = np.random.default_rng(len(name)).normal(size=(ROWS, 4)).cumsum(0).astype(np.float32)
    label = np.zeros(ROWS, np.int8)
    label[700:720] = 1
    return Series(name, name, values, label, **more)


def build(path, *recordings: Series, source: str = "x", **options):
    made = Source(source, "", "", "", "", tuple("abcd"), (), lambda raw: iter(recordings), Split())
    return prepare(made, path, path / "store", overwrite=True, split=Split(test_share=0), **options)


def test_corruption_is_injected_labelled_and_on_record(tmp_path) -> None:
    one, two = recording("one"), recording("three")
    store = build(tmp_path, one, two, corrupt="0.2", corrupt_seed="3", corrupt_kinds="stuck,scale")
    corrupt = np.array(store.column("corrupt"))
    assert set(corrupt) == {0, 1 + KINDS.index("stuck"), 1 + KINDS.index("scale")}
    clean = np.concatenate([one.values, two.values])[corrupt == 0]
    np.testing.assert_array_equal(store.column("values")[corrupt == 0], clean)
    assert store.manifest["injection"] == {
        "corrupt": 0.2,
        "corrupt_seed": 3,
        "corrupt_kinds": ["stuck", "scale"],
    }
    assert store.manifest["options"]["corrupt"] == "0.2"
    assert one.corrupt is None  # the series of the source is left alone


def test_faults_of_a_series_do_not_hang_on_the_others(tmp_path) -> None:
    alone = np.array(build(tmp_path, recording("three"), corrupt=0.2).column("values"))
    second = build(tmp_path, recording("one"), recording("three"), corrupt=0.2).column("values")
    np.testing.assert_array_equal(second[ROWS:], alone)
    other = build(tmp_path, recording("three"), corrupt=0.2, corrupt_seed=1).column("values")
    assert not np.array_equal(other, alone)


def test_a_source_with_labelled_corruption_gets_no_more(tmp_path) -> None:
    own = recording("one", corrupt=np.zeros(ROWS, np.int8))
    assert not build(tmp_path, own).column("corrupt").any()
    with pytest.raises(DataError, match="'one' has labelled corruption already"):
        build(tmp_path, own, corrupt=0.1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"corrupt": 0.6}, r"corrupt=0.6: must be in \[0, 0.5\]"),
        ({"corrupt": "many"}, "option corrupt='many': not float"),
        ({"corrupt_seed": -1}, "corrupt_seed=-1: must not be negative"),
        ({"corrupt_kinds": "stuck,melted"}, "names 'melted': must be some of dropout, stuck"),
        ({"corrupts": 0.1}, "did you mean 'corrupt'"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, options, match) -> None:
    with pytest.raises(DataError, match=match):
        build(tmp_path, recording("one"), **options)


def test_the_plant_has_faults_unless_told_otherwise(tmp_path) -> None:
    options = {"series": 2, "rows": 6000}
    store = prepare(SOURCES["plant"], tmp_path, tmp_path / "a", **options)
    assert 0.01 < np.mean(store.column("corrupt") > 0) < 0.03
    clean = prepare(SOURCES["plant"], tmp_path, tmp_path / "b", corrupt=0, **options)
    assert not clean.column("corrupt").any()


def test_slices_are_apart_and_follow_their_rules(tmp_path) -> None:
    windows = Windows(build(tmp_path, recording("one"), corrupt=0.2), 40, 10, "train")
    slices = windows.slices()
    assert sum(slices.values()).max() == 1
    view, labels = windows.store.column("corrupt") > 0, windows.labels()
    for i, start in enumerate(windows.places()):
        injected = np.mean(view[start : start + 40])
        assert slices["corrupt"][i] == (injected >= 0.25)
        assert slices["rare"][i] == (injected == 0 and labels[i] == 1)
        assert slices["normal"][i] == (injected == 0 and labels[i] != 1)
    assert all(which.any() for which in slices.values())


def test_a_rare_entity_is_the_rare_slice(tmp_path) -> None:
    windows = Windows(
        build(tmp_path, recording("one"), recording("three", rare=True)), 40, 10, None
    )
    slices, labels = windows.slices(), windows.labels() == 1
    three = windows.entities() == windows.store.entity_names.index("three")
    np.testing.assert_array_equal(slices["rare"], three)
    np.testing.assert_array_equal(slices["normal"], ~three & ~labels)
    assert windows.store.manifest["rare_entities"] == ["three"]
