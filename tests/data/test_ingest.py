import logging
import os

import numpy as np
import pytest
import torch

from bandpass.data import DataError, Windows, ingest, prepare
from bandpass.data.features import Projection, glance
from bandpass.data.ingest import WEAK_REGIMES, describe
from bandpass.data.sources import SOURCES
from bandpass.data.weak import CORRUPT, INTERVENTION, NORMAL, RARE, TRANSITION, weak_regimes


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("ingest")
    options = {"series": 3, "rows": 8000, "failure_rate": 0.4, "corrupt": 0.02}
    return prepare(SOURCES["plant"], path, path / "store", **options)


@pytest.fixture
def windows(store):
    return Windows(store, 64, 32, "train")


def cached(windows):
    return sorted((windows.store.path / "derived").glob("*"))


def test_every_window_is_described(windows) -> None:
    found, count = describe(windows), len(windows)
    assert found.features.shape == (count, found.features.shape[1])
    for name in ("faults", "density", "density_ratio", "max_abs_z", "motion"):
        column = getattr(found, name)
        assert (column.dtype, column.shape) == (np.float32, (count,))
        assert np.isfinite(column).all()
    assert found.regime.max() < len(WEAK_REGIMES)
    assert np.unique(found.prototype).tolist() == list(range(found.prototype.max() + 1))
    values = windows[[5]].values
    assert found.max_abs_z[5] == pytest.approx(float(values.abs().max()), rel=1e-6)


def test_sparse_windows_are_rare_or_corrupt(windows) -> None:
    density, slices = describe(windows).density, windows.slices()
    top = density >= np.quantile(density, 0.9)
    for which in ("rare", "corrupt"):
        assert np.mean(slices[which][top]) > 2 * np.mean(slices[which])


def test_labels_have_no_part_in_it(tmp_path) -> None:
    """The same values under other labels are described the same."""
    blind = prepare(SOURCES["plant"], tmp_path, tmp_path / "s", series=3, rows=8000)
    label = np.load(blind.path / "label.npy")
    before = ingest._compute(Windows(blind, 64, 32, "train"), 0, lambda share: None)
    np.save(blind.path / "label.npy", np.zeros_like(label))
    np.save(blind.path / "regime.npy", np.zeros(len(label), np.int16))
    after = ingest._compute(Windows(blind, 64, 32, "train"), 0, lambda share: None)
    np.testing.assert_array_equal(before.regime, after.regime)
    np.testing.assert_array_equal(before.density_ratio, after.density_ratio)


def test_it_is_computed_once_per_cut(windows, store, monkeypatch) -> None:
    first = describe(windows)
    seen = []
    assert describe(windows, progress=seen.append).features.tobytes() == first.features.tobytes()
    assert not seen
    count = len(cached(windows))
    describe(Windows(store, 64, 64, "train"), progress=seen.append)
    assert len(cached(windows)) == count + 1
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "flipped"])
def test_a_damaged_cache_is_computed_again(store, damage) -> None:
    windows = Windows(store, 96, 96, "train")
    whole = describe(windows)
    path = ingest_file(windows)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 3] ^= 255
    broken = {"truncated": data[: len(data) // 2], "foreign": b"text"}.get(damage, data)
    path.write_bytes(broken)
    seen = []
    again = describe(windows, progress=seen.append)
    assert seen
    np.testing.assert_array_equal(again.density_ratio, whole.density_ratio)
    assert path.read_bytes() != broken


def ingest_file(windows):
    return windows.store.path / "derived" / f"ingest-{ingest._key(windows, 0)}.npz"


def test_where_the_store_cannot_be_written_it_is_computed_each_time(
    windows, monkeypatch, caplog
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    windows.clip = 9.0  # another key: nothing is there
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with caplog.at_level(logging.DEBUG, "bandpass.data.ingest"):
        seen = []
        describe(windows, progress=seen.append)
        describe(windows, progress=seen.append)
    assert sum(share > 0.999 for share in seen) >= 2
    assert "computing at each call" in caplog.text
    assert not ingest_file(windows).exists()


def test_features_do_not_hang_on_the_chunk(windows, monkeypatch) -> None:
    whole = ingest._compute(windows, 0, lambda share: None)
    monkeypatch.setattr(ingest, "CHUNK_VALUES", 64 * 12 * 3)
    parts = ingest._compute(windows, 0, lambda share: None)
    np.testing.assert_allclose(parts.features, whole.features, atol=0.02)


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 1), (4, 64, 60), (2, 9, 3)])
def test_windows_of_any_shape_have_finite_features(shape) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    observed = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.7
    observed[0] = False
    seen = glance(values * observed, observed)
    project = Projection(seen, np.zeros(len(values), np.int64), 2, len(values))
    features = project(seen.raw, np.ones(len(values), np.int64))
    assert features.shape == (len(values), project.width)
    assert np.isfinite(features).all()
    assert all(bool(mark.isfinite().all()) for mark in seen.marks.values())


def test_weak_regimes_follow_their_rules() -> None:
    count = 200
    marks = {name: np.zeros(count) for name in ("change", "step", "missing")}
    marks["change"][0], marks["step"][1], marks["missing"][2] = 5.0, 3.0, 0.9
    faults, ratio = np.zeros(count), -np.arange(count, dtype=float)
    faults[3], ratio[4] = 1.0, 1e3
    found = weak_regimes(marks, faults, ratio, np.zeros(count, np.int64))
    assert found[4] == RARE
    assert found[[2, 3]].tolist() == [CORRUPT, CORRUPT]
    ratio[:2] = -1e3
    found = weak_regimes(marks, faults, ratio, np.zeros(count, np.int64))
    assert found[[0, 1]].tolist() == [TRANSITION, INTERVENTION]
    assert found[-1] == NORMAL


@pytest.mark.parametrize("kind", ["none", "entity", "series", "regime", "weak-regime"])
def test_buckets_are_codes_from_zero_with_names(windows, kind) -> None:
    codes, names = windows.buckets(kind)
    assert (codes.dtype, codes.shape) == (np.int64, (len(windows),))
    assert codes.min() >= 0
    assert codes.max() < len(names)


def test_a_bucket_that_cannot_be_is_named(windows, tmp_path) -> None:
    with pytest.raises(DataError, match="bucket 'shard' is none of none, entity"):
        windows.buckets("shard")


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_a_rare_machine_is_two_percent_of_train(tmp_path) -> None:
    raw = os.path.join(os.environ["BANDPASS_DATA"], "timeseries", "smd")
    options = {"rare": "machine-3-4", "machines": "machine-1-6,machine-2-1", "corrupt": 0.04}
    store = prepare(SOURCES["smd"], raw, tmp_path / "smd", **options)
    rare = Windows(store, 128, 32, "train").slices()["rare"]
    assert 0.012 < rare.mean() < 0.02
    assert Windows(store, 128, 32, "test").slices()["rare"].sum() > 500
