"""The enrichment report of a tiny uniform run, from its checkpoints to its tables."""

import shutil
import sys
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pyarrow.parquet as pq
import pytest

from bandpass.curriculum import POLICIES, SCORES
from bandpass.evaluation import enriched as enriched_slices
from bandpass.models import TARGETS
from bandpass.recipes import build_windows, override
from bandpass.runs import (
    RunError,
    enrich,
    open_run,
    reference_of,
    replay,
    shadow,
    train,
    train_reference,
)
from bandpass.runs.replay import NONE, Way, probabilities, shares, ways
from bandpass.scoring.targets import SCALED

SMALL = ("steps=10", "keep=5", "batch=8", "checkpoint_every=100", "policy=uniform")


@pytest.fixture(scope="session")
def uniform(tmp_path_factory, recipe, make_store):
    """A finished uniform run on a plant with rare and corrupt windows."""
    path = tmp_path_factory.mktemp("runs") / "uniform"
    store = make_store(rows=3000, corrupt=0.1)
    assert train(recipe(*SMALL), store, path, with_control=False)
    return path


@pytest.fixture(scope="session", autouse=True)
def fewer():
    """A tenth of the ways to draw, every policy among them, few resamples and hasty heads."""
    every = replay.ways

    def some(log, recipe):
        found = {}
        for place, way in enumerate(every(log, recipe)):
            found.setdefault((way.policy, way.gate), way)
            if place % 10 == 0:
                found[way] = way
        return list(dict.fromkeys(found.values()))

    with pytest.MonkeyPatch.context() as patch:
        module = sys.modules["bandpass.runs.enrich"]
        patch.setattr(module, "ways", some)
        patch.setattr(module, "enriched", partial(enriched_slices, resamples=10))
        patch.setattr(sys.modules["bandpass.runs.scored"], "HEAD_STEPS", 5)
        yield


@pytest.fixture(scope="session")
def enriched(uniform):
    parts: list[tuple[str, int, int]] = []
    enrich(reference_of(uniform), lambda *part: parts.append(part))
    assert {part for part, done, total in parts if done == total} == {
        *("windows", "scores", "policies"),
    }
    return uniform


@pytest.fixture(scope="session")
def log(enriched):
    return shadow.read_shadow(enriched)


def table(run, name):
    return pq.read_table(run / f"{name}.parquet").to_pylist()


def test_log_holds_every_score_of_every_checkpoint(log, enriched):
    assert log.steps.tolist() == [0, 2, 4, 6, 8, 10]
    assert set(log.scores) == {*SCORES, "max-abs-z", "motion"}
    n = len(log.ids)
    assert n == log.total == len(build_windows(*_parts(enriched), "train"))
    assert all(values.shape == (6, n) for values in log.scores.values())
    for name, values in log.scores.items():
        if name != "alignment":
            assert np.isfinite(values).all(), name
    assert log.embeddings.shape[:2] == (6, n)


def _parts(path):
    run = open_run(path)
    return run.recipe, run.open_store()


def test_slices_and_buckets_are_those_of_the_windows(log, enriched):
    windows = build_windows(*_parts(enriched), "train")
    for name, inside in windows.slices().items():
        if inside.sum() >= shadow.FEWEST:
            assert np.array_equal(log.slices[name], inside)
    assert {"rare", "corrupt", "normal"} <= set(log.slices)
    assert any(name.startswith("weak: ") for name in log.slices)
    assert np.array_equal(log.buckets["entity"], windows.entities())


def test_untrained_model_has_learnt_nothing(log):
    assert (log.scores["progress"][0] == 0).all()
    assert (log.scores["reducible"][-1] == 0).all(), "the last checkpoint is its own reference"
    assert np.ptp(log.scores["loss"][0]) > 0


def test_enrichment_asks_every_score_under_every_normalisation(enriched, log):
    rows = table(enriched, "enrichment")
    asked = {(r["step"], r["score"], r["normalisation"], r["slice"]) for r in rows}
    within = [NONE, *log.buckets]
    assert len(asked) == len(rows) == 6 * len(log.scores) * len(within) * len(log.slices)
    by = {(r["step"], r["score"], r["slice"]): r for r in rows if r["normalisation"] == NONE}
    free = [by[step, "motion", "rare"]["auroc"] for step in log.steps.tolist()]
    assert len(set(free)) == 1, "no model has a part in it"
    row = by[10, "loss", "corrupt"]
    assert row["natural"] == pytest.approx(log.slices["corrupt"].mean())
    assert row["low"] <= row["auroc"] <= row["high"]


def test_targets_are_compared_pair_by_pair(enriched):
    rows = table(enriched, "targets")
    assert {(row["target"], row["other"]) for row in rows} == set(
        combinations([name for name in TARGETS if name not in SCALED], 2)
    )
    assert {row["measure"] for row in rows} == {"spearman", "top_overlap"}
    assert all(-1 <= row["value"] <= 1 for row in rows)


def test_shares_of_every_policy_add_up(enriched, log):
    rows = table(enriched, "shares")
    assert {row["policy"] for row in rows} == set(POLICIES)
    parts = ("rare", "corrupt", "normal")
    natural = sum(log.slices[name].mean() for name in parts)
    for row in rows:
        assert 0 <= row["share"] <= 1
        assert 0 < row["ess"] <= 1 + 1e-9
    uniform = {r["group"]: r["share"] for r in rows if r["policy"] == "uniform"}
    assert sum(uniform[name] for name in parts) == pytest.approx(natural)
    oracle = {r["group"]: r["share"] for r in rows if r["policy"] == "oracle"}
    assert (oracle["rare"], oracle["corrupt"]) == pytest.approx((0.25, 0.0))


def test_a_perfect_score_is_drawn_and_its_shuffle_is_not(log, enriched):
    """What the report would say of a score that knows."""
    knows = np.tile(log.slices["rare"].astype(float), (len(log.steps), 1))
    noise = np.random.default_rng(0).normal(scale=0.3, size=knows.shape)
    told = replace(log, scores=log.scores | {"loss": knows + noise})
    recipe = override(open_run(enriched).recipe, ["steps=100"])  # every window is drawn often
    found = {
        row["group"]: row for row in shares(told, recipe, Way("two-level", False, "loss", NONE))
    }
    assert found["rare"]["share"] > 2 * found["rare"]["natural"]
    assert found["rare"]["share"] > found["rare"]["shuffled_high"]
    control = Way("shuffled", False, "loss", NONE)
    shuffled = {row["group"]: row["share"] for row in shares(told, recipe, control)}
    assert shuffled["rare"] < 0.6 * found["rare"]["share"]


def test_replay_is_a_function_of_the_log(log, enriched):
    recipe = open_run(enriched).recipe
    way = Way("surprise-band", True, "residual-max", "entity")
    first, again = (probabilities(log, recipe, way) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.sum() == pytest.approx(1)


def test_without_labels_there_is_no_oracle(log, enriched):
    blind = replace(log, slices={n: s for n, s in log.slices.items() if n.startswith("weak")})
    assert "oracle" not in {way.policy for way in ways(blind, open_run(enriched).recipe)}


def test_a_second_call_scores_nothing_again(enriched, monkeypatch):
    before = {name: repr(table(enriched, name)) for name in ("shadow", "enrichment")}

    def scored(*_: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr(shadow.Scorer, "score", scored)
    enrich(reference_of(enriched))
    assert {name: repr(table(enriched, name)) for name in before} == before


def test_a_stopped_call_is_continued(enriched, uniform, tmp_path, monkeypatch):
    copy = shutil.copytree(uniform, tmp_path / "run")
    for name in ("shadow", "enrichment", "shares"):
        (copy / f"{name}.parquet").unlink()
    score, seen = shadow.Scorer.score, list[int]()

    def until_interrupted(self, step, ids, on_windows):
        if step == 4 and seen.count(4) == 0:
            seen.append(step)
            raise KeyboardInterrupt
        seen.append(step)
        return score(self, step, ids, on_windows)

    monkeypatch.setattr(shadow.Scorer, "score", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        enrich(reference_of(copy))
    enrich(reference_of(copy))
    assert seen == [0, 2, 4, 4, 6, 8, 10]
    assert repr(table(copy, "shadow")) == repr(table(enriched, "shadow"))


def test_what_ingest_knows_is_renewed_without_scoring_again(enriched, tmp_path, monkeypatch):
    copy = shutil.copytree(enriched, tmp_path / "run")
    describe = shadow.describe

    def better(windows):
        return replace(describe(windows), faults=np.full(len(windows), 0.5, np.float32))

    monkeypatch.setattr(shadow, "describe", better)
    monkeypatch.setattr(shadow.Scorer, "score", None)
    found = shadow.write_shadow(open_run(copy), copy, lambda done, total: None)
    assert (found.faults == 0.5).all()
    assert np.array_equal(found.scores["loss"], shadow.read_shadow(enriched).scores["loss"])


def test_a_large_store_is_sampled_once(enriched, monkeypatch, tmp_path):
    monkeypatch.setattr(shadow, "SAMPLE", 50)
    run = open_run(enriched)
    found = shadow.write_shadow(run, tmp_path, lambda done, total: None)
    assert len(found.ids) == 50
    assert found.total > 50
    again = shadow.write_shadow(run, tmp_path, lambda done, total: None)
    assert np.array_equal(found.ids, again.ids)


def test_another_policy_gets_a_reference_beside_it(run, recipe, store):
    reference = reference_of(run)
    assert (reference.run, reference.out) == (run / "reference", run)
    assert reference.recipe.policy == "uniform"
    assert reference.recipe.train.keep >= 5
    assert "drew with policy surprise-band" in reference.why


def test_too_few_checkpoints_get_a_reference_too(recipe, store, tmp_path):
    assert train(recipe("steps=6", "policy=uniform"), store, tmp_path, with_control=False)
    reference = reference_of(tmp_path)
    assert reference.run == tmp_path / "reference"
    assert "kept 1 checkpoints of at least 5" in reference.why


def test_a_store_gets_a_run_of_its_own(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = reference_of(store.path)
    assert reference.run == reference.out
    assert str(reference.run) == f"runs/{store.path.name}-reference"
    assert (reference.recipe.name, reference.recipe.policy) == ("plant", "uniform")
    other = reference_of(store.path, ["steps=7"], name="series", run=tmp_path / "mine")
    assert (other.recipe.name, other.recipe.train.steps, other.run) == (
        *("series", 7, tmp_path / "mine"),
    )


def test_reference_is_trained_once(store, recipe, tmp_path):
    reference = replace(
        reference_of(store.path, run=tmp_path / "r"),
        recipe=override(recipe(*SMALL), ["source=plant"]),
    )
    assert train_reference(reference)
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "r").rglob("step-*/*"))]
    assert train_reference(reference)
    assert [p.stat().st_mtime_ns for p in sorted((tmp_path / "r").rglob("step-*/*"))] == before


def test_what_cannot_be_enriched_says_why(run, store, tmp_path):
    with pytest.raises(RunError, match="is neither a run nor a store"):
        reference_of(tmp_path)
    with pytest.raises(RunError, match="is a run and has its recipe and its place"):
        reference_of(run, ["steps=3"])
    copy = shutil.copytree(run, tmp_path / "run")
    for whole in (copy / "checkpoints").glob("step-*"):
        shutil.rmtree(whole)
    with pytest.raises(RunError, match="has not spent its budget"):
        reference_of(copy)
    with pytest.raises(RunError, match=r"has no shadow\.parquet: `bandpass enrich"):
        shadow.read_shadow(tmp_path)
