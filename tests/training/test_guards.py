"""The guards watch fixed windows, say what they see, and hold the band back."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.curriculum import SurpriseBand
from bandpass.curriculum.guards import Reading
from bandpass.recipes import build_curriculum, build_jepa, build_windows
from bandpass.training import guards
from bandpass.training.guards import Watch, labelled, missed, watched


def table(run, name: str) -> list[dict]:
    return pq.read_table(run / f"{name}.parquet").to_pylist()


@pytest.fixture
def parts(recipe, store):
    chosen = recipe("guard_every=4", "balance=1")
    windows = build_windows(chosen, store, "train")
    curriculum = build_curriculum(chosen, windows)
    assert isinstance(curriculum.sampler, SurpriseBand)
    watch = Watch(windows, curriculum.sampler, chosen.train, curriculum.plan)
    watch.note(list(range(0, len(windows), 2)))
    return build_jepa(chosen, store.shape), watch


def test_readings_come_from_the_end_of_warm_up_on(recipe, train, tmp_path):
    train(recipe("guard_every=8"), tmp_path)
    rows = table(tmp_path, "guards")
    assert [row["step"] for row in rows] == [3, 11, 19]  # a tenth of 24 steps, then every 8
    for name in ("rank", "coverage", "similarity", "position", "sample", "scale", "retention"):
        assert all(math.isfinite(row[name]) for row in rows), name
    assert all(math.isnan(row["tail"]) for row in rows)
    assert rows[0]["factor"] == 1
    spent = [row["forwards"] for row in rows]
    assert spent[0] > 0
    assert spent == sorted(spent)
    buckets = table(tmp_path, "buckets")
    assert {row["bucket"] for row in buckets} == {0, 1}
    assert all(math.isfinite(row["loss"]) for row in buckets)


def test_off_by_default(recipe, train, tmp_path):
    train(recipe("steps=6"), tmp_path)
    assert not (tmp_path / "guards.parquet").exists()


def test_a_reading_is_a_function_of_the_weights(parts):
    jepa, watch = parts
    assert watch.read(jepa) == watch.read(jepa)


@pytest.mark.parametrize(
    ("breach", "factor"), [({"rank": 1.0}, 0.5), ({"retention": 9.0}, 0.0)], ids=["rank", "normal"]
)
def test_a_breach_reaches_the_sampler(parts, monkeypatch, breach, factor, recipe, store):
    jepa, watch = parts
    healthy = {"rank": 10.0, "retention": 0.2, "losses": {0: 0.0, 1: 0.0}}
    readings = [Reading(**healthy), Reading(**(healthy | breach | {"losses": {0: 0.0, 1: 2.0}}))]
    monkeypatch.setattr(watch, "read", lambda jepa: (readings.pop(0), {}))
    multiples: list[np.ndarray] = []
    monkeypatch.setattr(watch.sampler, "reweigh", multiples.append)
    log = guards.RunLog(watch.windows, 0)
    watch.act(3, jepa, log)
    assert watch.sampler.restraint[0] == 1
    watch.act(7, jepa, log)
    found, reason = watch.sampler.restraint
    assert found == factor
    name = next(iter(breach))
    assert ("effective rank fell from 10 to 1" in reason) == (name == "rank")
    assert log.tables["guards"][1]["reasons"] == reason
    assert (multiples[1][1] > 1) == (name == "rank")  # off means uniform, shares too


def test_a_collapsed_encoder_is_seen(parts):
    jepa, watch = parts
    before = watch.read(jepa)[0]
    with torch.no_grad():
        for weight in jepa.encoder.parameters():
            weight.zero_()
    after = watch.read(jepa)[0]
    assert before.rank > 1
    assert after.rank == 0
    assert after.position > before.position + 0.25
    assert after.retention > before.retention


def test_what_is_not_finite_is_a_divergence(parts):
    jepa, watch = parts
    with torch.no_grad():
        next(jepa.encoder.parameters()).fill_(math.nan)
    with pytest.raises(FloatingPointError, match="watched windows are not finite"):
        watch.read(jepa)


def test_watched_windows_have_their_successors(recipe, store):
    windows = build_windows(recipe(), store, "train")
    ids = watched(windows, seed=0)
    assert (np.diff(ids) > 0).all()
    assert len(ids) <= len(windows)
    series, starts = windows.locate(ids)
    spans = set(zip(series.tolist(), starts.tolist(), strict=True))
    assert sum((s, t + windows.length) in spans for s, t in spans) > len(ids) / 3
    assert watched(windows, seed=1).tolist() != ids.tolist() or len(ids) == len(windows)


def test_a_labelled_set_is_probed_where_there_is_one(recipe, train, store, tmp_path):
    chosen = recipe("guard_every=8", "guard_labels=40")
    windows = build_windows(chosen, store, "train")
    ids, labels = labelled(windows, 40, seed=3)
    np.testing.assert_array_equal(windows.labels(ids), labels)
    assert 4 <= labels.sum() <= 20
    train(chosen, tmp_path)
    assert all(0 < row["tail"] <= 1 for row in table(tmp_path, "guards"))


def test_missed_is_the_unexplained_share():
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 5))
    signal = features @ random.normal(size=(5, 3))
    assert missed(features, signal) < 0.01
    assert missed(features, random.normal(size=(400, 3))) > 0.9
    assert math.isnan(missed(features, np.ones((400, 2))))
