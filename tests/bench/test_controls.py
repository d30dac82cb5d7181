"""Arms that are not trained: what they cost and are asked, and that no verdict is on them."""

from dataclasses import replace
from types import SimpleNamespace as Plain

import numpy as np
import pytest

from bandpass.bench import ablation, controls, price_list
from bandpass.bench.arms import CONTROLS, DEFAULT, HAND_MADE, ROLES, find_arm
from bandpass.bench.asked import ask
from bandpass.bench.cells import run_cell
from bandpass.bench.cost import Price
from bandpass.bench.declared import Metric, of_store
from bandpass.bench.grid import plan
from bandpass.bench.row_scores import stream_anomalies
from bandpass.bench.stream import build_corpora
from bandpass.bench.verdict import verdict
from bandpass.data import prepare
from bandpass.data.sources import SOURCES
from bandpass.data.subset import Subset
from bandpass.evaluation import auc_pr, r2, raw_features, vus_pr
from bandpass.recipes import find, override

from .made_up import BENCHMARK, table

TINY = (
    *("steps=8", "batch=8", "device=cpu", "windows.length=32", "windows.stride=16"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)
BASE = override(find("series"), TINY)
PAST = 24
PRICES = {"uniform": Price(100.0, 0.01)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    options = {"series": 3, "rows": 2500, "channels": 4, "failure_rate": 3.0, "corrupt": 0.05}
    return prepare(SOURCES["plant"], folder, folder / "store", **options)


@pytest.fixture(scope="module")
def benchmark(store):
    return of_store(store, "series", TINY)


@pytest.fixture(scope="module")
def asked(store, benchmark):
    return ask(benchmark, build_corpora(benchmark, BASE, store), PAST)


def cells(benchmark, path, names=CONTROLS, seeds=(100, 101)):
    return plan(benchmark, [find_arm(n) for n in names], seeds, PRICES, BASE, path)


def by_name(found):
    return {(task, metric): value for task, metric, value in found}


def of_controls(measures):
    return {task.split(", ")[-1] for task, _ in measures if task.startswith("stream anomalies")}


def test_a_control_is_one_free_cell_a_seed_in_both_full_budgets(benchmark, tmp_path):
    found = cells(benchmark, tmp_path, ("uniform", *CONTROLS))
    free = [cell for cell in found if cell.arm in CONTROLS]
    assert sorted((cell.arm, cell.seed) for cell in free) == [
        (arm, seed) for arm in sorted(CONTROLS) for seed in (100, 101)
    ]
    for cell in free:
        assert (cell.steps, cell.flops, cell.seconds) == (0, 0, 0)
        assert cell.budgets == ("flops", "time")
        assert cell.recipe.train.seed == cell.seed
        assert cell.path.name.endswith(f"-{cell.seed}-0")
    rows = ablation.rows_of(free[0], [("health", "rankme", 3.0)], 1.0)
    assert rows[0]["budgets"] == "flops+time"


def test_controls_are_run_where_no_arm_is_named(benchmark):
    assert DEFAULT == (*ROLES, *CONTROLS)
    assert {arm.name for arm in ablation.arms_of([])} == set(DEFAULT)
    assert [arm.name for arm in ablation.arms_of(["band"])] == ["uniform", "band"]
    assert ablation.Seeds().of(benchmark) == benchmark.seeds


def test_controls_are_not_priced(store, benchmark, tmp_path, monkeypatch):
    asked_for = []

    def prices(recipes, corpus):
        asked_for.extend(recipes)
        return dict.fromkeys(recipes, Price(1.0, 1.0))

    monkeypatch.setattr(price_list, "prices", prices)
    subject = ablation.Subject(benchmark, BASE, store.path)
    arms = [find_arm(name) for name in ("uniform", "oracle", *CONTROLS)]
    found = price_list.priced(subject, store, arms, tmp_path / "prices.parquet")
    assert set(found) == set(asked_for) == {"uniform", "oracle"}


def test_no_verdict_is_on_a_control():
    arms = {"band": {}, **{name: {"rare": 0.3} for name in CONTROLS}}
    found = verdict(table(arms, budgets="flops+time"), BENCHMARK, "flops")
    assert [each.arm for each in found] == ["band"]


def test_controls_are_asked_what_a_model_is_asked(store, benchmark, tmp_path):
    one, other = ({c.arm: c for c in cells(benchmark, tmp_path, seeds=(s,))} for s in (100, 101))
    untrained = by_name(run_cell(one["random-init"], store.path))
    by_hand = by_name(run_cell(one[HAND_MADE], store.path))
    assert not list(tmp_path.iterdir()), "nothing is trained, so nothing is kept"
    for found in (untrained, by_hand):
        assert all(np.isfinite(value) for value in found.values())
        assert not any(task in ("slots", "natural", "quarantine") for task, _ in found)
    baselines = {"moving z-score", "PCA residual", "isolation forest"}
    own = {key for key in untrained if not key[0].startswith(("surprise", "stream"))}
    assert own <= set(by_hand), own - set(by_hand)
    for kind in ("rare", "event", "corrupt"):
        assert (f"surprise, {kind}", "auroc") in untrained
        assert {(f"surprise, {kind}, {name}", "auroc") for name in baselines} <= set(by_hand)
    for metric in ("auc_pr", "vus_pr"):
        assert 0 < untrained["stream anomalies", metric] < 1
        for name in baselines:
            assert 0 < by_hand[f"stream anomalies, {name}", metric] < 1
    # The seed draws weights, labels and trees; the features stay.
    again = by_name(run_cell(other[HAND_MADE], store.path))
    probe = Metric("few-shot rare", "average_precision")
    assert again[probe.task, probe.metric] != by_hand[probe.task, probe.metric]
    assert again["health", "rankme"] == by_hand["health", "rankme"]


def test_what_a_predictor_foresees_is_persistence_by_hand(asked):
    found = by_name(controls.measure_by_hand(asked, PAST, 0))
    test = asked.test
    batch = test.windows[test.ids[test.slices["normal"]]]
    values = np.where(batch.observed, batch.values, np.nan)
    last, future = np.full((2, len(values), 4), np.nan)
    for window, channel in np.ndindex(len(values), 4):
        before, after = (values[window, part, channel] for part in (slice(PAST), slice(PAST, None)))
        if np.isfinite(before).any() and np.isfinite(after).any():
            last[window, channel] = before[np.isfinite(before)][-1]
            future[window, channel] = np.nanmean(after)
    wanted = r2(last, future, seed=0, resamples=2)[0].value
    assert found["future readout, normal", "r2"] == pytest.approx(wanted, abs=1e-5)


def test_embeddings_are_the_statistics_of_windows(asked, monkeypatch):
    seen = []
    monkeypatch.setattr(
        controls, "of_embeddings", lambda asked, both, seed: seen.append(both) or []
    )
    controls.measure_by_hand(asked, PAST, 0)
    for side, vectors in zip((asked.fit, asked.test), seen[0], strict=True):
        batch = side.windows[side.ids]
        assert (vectors == raw_features(batch.values.numpy(), batch.observed.numpy())).all()


def test_baselines_never_know_the_series_they_score(store, benchmark, monkeypatch):
    folds = replace(benchmark, folds="series")
    asked = ask(folds, build_corpora(folds, BASE, store), PAST)
    calls = []

    def baseline(fit, test, *, seed):
        calls.append((fit, test))
        return np.arange(len(test)) + seed

    monkeypatch.setattr(controls, "BASELINES", {"counting": baseline})
    found = by_name(controls.measure_by_hand(asked, PAST, 0))
    values = asked.test.windows[asked.test.ids].values.numpy()
    assert len(calls) == len(asked.folds) == 3
    for (fit, test), (inside, scored) in zip(calls, asked.folds, strict=True):
        assert not (inside & scored).any()
        assert (fit == values[inside]).all()
        assert (test == values[scored]).all()
    assert of_controls(found) == {"counting"}


def row_by_row(store, side, score):
    """Mean score of the windows that cover a row, row by row."""
    cover: dict[int, list[float]] = {}
    for place, corrupt, value in zip(
        side.windows.places(side.ids), side.corrupt, score, strict=True
    ):
        for row in range(place, place + side.windows.length):
            if not corrupt and np.isfinite(value):
                cover.setdefault(row, []).append(value)
    rows = np.array(sorted(cover))
    series = np.searchsorted(store.series["offset"].to_numpy(), rows, side="right")
    new = (np.diff(rows, prepend=-2) != 1) | (np.diff(series, prepend=-1) != 0)
    means = np.array([np.mean(cover[row]) for row in rows])
    return store.column("label")[rows].astype(int), means, np.cumsum(new)


def test_rows_have_the_mean_score_of_the_windows_that_cover_them(store, asked):
    side = asked.test
    score = np.random.default_rng(0).normal(size=len(side.ids)) + side.event
    score[::7] = np.nan
    labels, means, streams = row_by_row(store, side, score)
    assert 0 < labels.mean() < 1
    assert side.corrupt.any()
    found = stream_anomalies(side, score)
    assert found["auc_pr"] == pytest.approx(auc_pr(labels, means))
    assert found["vus_pr"] == pytest.approx(vus_pr(labels, means, 32, streams))
    better = stream_anomalies(side, side.event.astype(float))
    assert better["auc_pr"] > found["auc_pr"]
    assert better["vus_pr"] > found["vus_pr"]


def test_broken_windows_are_neither_normal_nor_an_event(asked):
    side = asked.test
    score = np.random.default_rng(0).normal(size=len(side.ids))
    assert stream_anomalies(side, np.where(side.corrupt, 99, score)) == stream_anomalies(
        side, score
    )


def test_windows_of_a_subset_are_the_same_rows(asked):
    side = asked.test
    subset = Subset(side.windows, side.ids)
    numbered = replace(side, windows=subset, ids=np.arange(len(side.ids)))
    score = np.random.default_rng(0).normal(size=len(side.ids))
    assert stream_anomalies(numbered, score) == stream_anomalies(side, score)


def test_what_has_no_rows_of_events_is_left_out(asked):
    side = asked.test
    score = np.ones(len(side.ids))
    assert stream_anomalies(replace(side, windows=Plain()), score) == {}
    assert stream_anomalies(side, np.full(len(side.ids), np.nan)) == {}
    calm = replace(side, corrupt=side.corrupt | (side.event == 1))
    assert stream_anomalies(calm, score) == {}
