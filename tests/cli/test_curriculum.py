"""The commands that look before training and review after it, as a person types them."""

import csv
import importlib
import json
import math

import pytest

from bandpass.curriculum.quarantine import Quarantined
from bandpass.recipes import build_windows
from bandpass.runs import open_run
from bandpass.training import checkpoint
from bandpass.training.quarantine import write_quarantine


@pytest.fixture
def few_ways(monkeypatch):
    """One way to draw per policy, and heads that are hardly fitted."""
    monkeypatch.setattr(importlib.import_module("bandpass.runs.scored"), "HEAD_STEPS", 2)
    module = importlib.import_module("bandpass.runs.enrich")
    every, asked = module.ways, module.enriched
    monkeypatch.setattr(module, "enriched", lambda *of, seed: asked(*of, seed=seed, resamples=10))
    monkeypatch.setattr(module, "ways", lambda *of: {w.policy: w for w in every(*of)}.values())


def test_enrich_a_store_then_its_run(bandpass, store, tmp_path, tiny, few_ways):
    run = tmp_path / "reference"
    words = ("enrich", store, *tiny, "--recipe", "series", "--run", run)
    done = bandpass(*words)
    assert (done.code, done.err) == (0, "")
    assert "series 8/8" in done.out
    assert "Does a score find the rare windows?" in done.out
    assert done.out.endswith(f"report: {run / 'report.html'}\n")
    for name in ("shadow", "enrichment", "shares"):
        assert (run / f"{name}.parquet").exists()
    assert len(list((run / "checkpoints").glob("step-*"))) >= 5
    again = bandpass("enrich", run)
    assert again.code == 0
    assert "8/8" not in again.out, "nothing was left to train"


def test_enrich_of_a_run_with_a_band_says_where_its_reference_is(
    bandpass, train, tmp_path, few_ways
):
    assert train().code == 0
    done = bandpass("enrich", tmp_path / "run")
    assert done.code == 0
    assert "drew with policy surprise-band" in done.out
    assert (tmp_path / "run" / "reference" / "recipe.json").exists()
    assert (tmp_path / "run" / "enrichment.parquet").exists()


def test_ctrl_c_while_scoring_says_how_to_go_on(bandpass, store, tmp_path, tiny, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    shadow = importlib.import_module("bandpass.runs.shadow")
    monkeypatch.setattr(shadow.Scorer, "score", interrupted)
    run = tmp_path / "run"
    stopped = bandpass("enrich", store, *tiny, "--recipe", "series", "--run", run)
    assert stopped.code == 130
    assert "the same command continues" in stopped.out


def test_enrich_says_what_it_cannot(bandpass, tmp_path, train):
    failed = bandpass("enrich", tmp_path)
    assert failed.code == 1
    assert "is neither a run nor a store" in failed.err
    assert train().code == 0
    failed = bandpass("enrich", tmp_path / "run", "steps=9")
    assert failed.code == 1
    assert "is a run and has its recipe" in failed.err


class Band:
    """What `quarantine` is asked of."""


@pytest.fixture
def held(train, tmp_path, monkeypatch):
    """A run that holds two windows back."""
    assert train().code == 0
    path = tmp_path / "run"
    run = open_run(path)
    windows = build_windows(run.recipe, run.open_store(), "train")
    module = importlib.import_module("bandpass.training.quarantine")
    monkeypatch.setattr(module, "SurpriseBand", Band)
    band = Band()
    entries = [Quarantined(5, "extreme", 9.25, 2, 4), Quarantined(2, "not finite", math.nan, 0, 6)]
    band.quarantine = lambda: list(entries)
    write_quarantine(path, windows, band)
    return path


def test_quarantine_lists_reviews_and_exports(bandpass, held, tmp_path):
    listed = bandpass("quarantine", held)
    assert listed.code == 0
    assert "9.2" in listed.out
    assert "not finite" in listed.out
    out = tmp_path / "list.csv"
    done = bandpass("quarantine", held, "--release", "5", "--ban", "2,7", "--csv", out)
    assert done.code == 0
    assert "1 windows released, 2 banned" in done.out
    assert "has spent its budget: copy its released.json" in done.out
    assert json.loads((held / "released.json").read_text()) == {"released": [5], "banned": [2, 7]}
    with out.open(newline="") as file:
        assert [row["decision"] for row in csv.DictReader(file)] == ["released", "banned"]
    bandpass("quarantine", held, "--json", tmp_path / "list.json", "--show", 0)
    assert len(json.loads((tmp_path / "list.json").read_text())["quarantined"]) == 2


def test_decisions_on_a_run_that_trains_on_are_followed_later(bandpass, held):
    newest = checkpoint.latest(held)
    assert newest is not None
    newest.rename(newest.with_name("step-00000007"))
    done = bandpass("quarantine", held, "--release-all", "--show", 1)
    assert "followed from when the run is next started or continued" in done.out
    assert "1 more: --show 2" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--release", "9"], 1, "window 9 is not held back by"),
        (["--ban", "99999"], 1, "window 99999 is none of"),
        (["--release", "five"], 2, "'five' is no window id"),
    ],
)
def test_quarantine_names_what_is_wrong(bandpass, held, words, code, message):
    failed = bandpass("quarantine", held, *words)
    assert failed.code == code
    assert message in failed.err
    assert not (held / "released.json").exists()


def test_a_run_that_holds_nothing(bandpass, train, tmp_path):
    assert train("policy=uniform").code == 0
    assert "holds nothing back" in bandpass("quarantine", tmp_path / "run").out
