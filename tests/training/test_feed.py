"""What is scored, how, and what it costs, between the sampler and the model."""

import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.curriculum import SCORES, SurpriseBand
from bandpass.recipes import build_curriculum, build_jepa, build_windows
from bandpass.scoring import flops
from bandpass.scoring.novelty import NEIGHBOUR, Novelty
from bandpass.scoring.operations import ADAMW
from bandpass.training import Feed, checkpoint, parameter_groups, train_step
from bandpass.training.feed import SCORABLE
from bandpass.training.passes import forward, shared_mask, window_losses
from bandpass.training.quarantine import Review, write_review

TRAINABLE = [name for name, score in SCORES.items() if set(score.needs) <= SCORABLE]


@pytest.fixture
def feed(recipe, store):
    """Builds the feed of a recipe, with its model and windows."""

    def feed(*changes: str):
        chosen = recipe(*changes)
        windows = build_windows(chosen, store, "train")
        jepa = build_jepa(chosen, store.shape)
        curriculum = build_curriculum(chosen, windows)
        made = Feed(curriculum.sampler, jepa, windows, chosen.train, curriculum.plan)
        return made, jepa, windows, chosen.train

    return feed


def rows(run) -> list[dict]:
    return pq.read_table(run / "metrics.parquet").to_pylist()


@pytest.mark.parametrize("score", TRAINABLE)
def test_every_score_trains_and_reaches_the_sampler(recipe, train, tmp_path, score):
    assert train(recipe(f"score={score}", "steps=6"), tmp_path)
    assert all(math.isfinite(row["loss"]) for row in rows(tmp_path))
    state = checkpoint.load_state(checkpoint.latest(tmp_path))
    histogram = state["feed"]["sampler"]["book"]["histogram"]["counts"]
    assert histogram.sum() > 20


@pytest.mark.parametrize("score", ["loss", "residual", "cosine", "density-ratio"])
def test_scores_of_the_training_forward_are_free(recipe, train, tmp_path, score):
    train(recipe(f"score={score}", "steps=3"), tmp_path)
    assert rows(tmp_path)[-1]["scoring_forwards"] == 0


def test_what_it_is_told_is_what_the_score_says(feed):
    made, jepa, windows, settings = feed("score=residual", "warm_up=0", "coverage=table")
    batch = windows[next(iter(made.sampler))]
    output = forward(jepa, batch, settings, 0)
    made.weigh(jepa, batch, window_losses(output, settings, 0), output)
    error = (output.foreseen - output.wanted).square()
    variance = output.wanted.flatten(0, 1).var(dim=0, correction=0)
    expected = (error / variance).mean(dim=(1, 2)).log().detach().numpy()
    ids, first = np.unique(list(batch.draw), return_index=True)
    assert len(ids) > 4
    np.testing.assert_allclose(made.sampler.score(ids), expected[first], atol=0.06)  # a bin


def test_a_pool_trains_on_one_candidate_a_slot(feed):
    made, jepa, windows, settings = feed("pool=2", "policy=uniform")
    draw = next(iter(made.sampler))
    assert len(draw) == 16
    batch, tokens = made.narrow(jepa, windows[draw])
    places = [draw.index(window) % 8 for window in batch.draw]
    assert places == list(range(8))
    torch.testing.assert_close(batch.values, windows[list(batch.draw)].values)
    expected = jepa.target(jepa.encoder, batch.values, batch.observed)
    torch.testing.assert_close(tokens, expected)
    output = forward(jepa, batch, settings, 0, tokens)
    plain = forward(jepa, batch, settings, 0)
    torch.testing.assert_close(output.prediction, plain.prediction)
    loss = made.weigh(jepa, batch, window_losses(output, settings, 0), output)
    assert loss.isfinite()
    assert made.cost.forwards == 8  # the target of those that are not trained on


def test_a_target_that_learns_sees_its_windows_again(feed):
    made, jepa, windows, _ = feed("pool=2", "model.target=same-encoder")
    assert made.narrow(jepa, windows[next(iter(made.sampler))])[1] is None


def test_a_pool_keeps_what_is_novel(recipe, train, tmp_path, store):
    """With half of the candidates to choose from, rare windows gain slots."""
    found = []
    for pool in (1, 2):
        chosen = recipe("policy=uniform", f"pool={pool}", "steps=150", "checkpoint_every=150")
        train(chosen, tmp_path / str(pool))
        slots = pq.read_table(tmp_path / str(pool) / "slots.parquet").to_pylist()
        last = [row for row in slots if row["step"] == 150 and row["kind"] == "label"]
        drawn = {row["name"]: row["drawn"] for row in last}
        found.append(drawn["event"] / sum(drawn.values()))
    assert sum(drawn.values()) == 150 * 8
    assert found[1] > found[0]


def test_a_refresh_scores_the_stale_and_moves_nothing_else(feed):
    made, jepa, _, settings = feed("rescore_every=2", "min_effective=2")
    before = {name: weight.clone() for name, weight in jepa.state_dict().items()}
    assert isinstance(made.sampler, SurpriseBand)
    ids = made.sampler.stale(settings.batch)
    made.refresh(jepa, 1)
    assert np.isnan(made.sampler.score(ids)).all()
    made.refresh(jepa, 2)
    assert np.isfinite(made.sampler.score(ids)).all()
    assert made.cost.windows == len(ids)
    assert all(torch.equal(weight, before[name]) for name, weight in jepa.state_dict().items())
    assert made.sampler.stale(settings.batch) != ids


def test_a_state_has_the_names_that_older_checkpoints_have(feed):
    made = feed("score=disagreement", "gate=true")[0]
    names = {"cost", "sampler", "novelty", "slow", "heads", "optimizer"}
    assert set(made.state_dict()) == names | {"spent"}


def test_a_state_from_before_operations_were_counted_counts_from_nothing(feed):
    made, jepa, *_ = feed("gate=true", "rescore_every=1")
    made.refresh(jepa, 1)
    state = made.state_dict()
    assert state["spent"]
    made.load_state_dict(state)
    assert made.spent["student"] == state["spent"]["student"] > 0
    del state["spent"], state["sampler"]["book"]["gate"]["bank"]["flops"]
    made.load_state_dict(state)
    assert made.spent == {"gate": 0.0}
    assert made.cost.forwards == state["cost"][1] > 0


def test_every_kind_of_scoring_is_counted_in_operations(feed):
    made, jepa, windows, settings = feed("score=disagreement", "gate=true", "pool=2", "steps=9")
    draws = iter(made.sampler)
    optimizer = torch.optim.AdamW(parameter_groups(jepa, 0.0))
    for step in range(2):
        train_step(jepa, windows[next(draws)], made, optimizer, settings, step)
    kinds = {"teacher", "slow", "heads", "neighbours", "gate"}
    assert set(made.spent) == kinds
    assert made.spent["neighbours"] == 16 * 16 * (2 * 32 + 3)  # one draw among the one before
    moved = sum(w.numel() for w in jepa.parameters() if w.requires_grad)
    assert made.spent["slow"] == 2 * 3 * moved
    assert made.spent["teacher"] == 2 * flops.target(jepa, 8).total
    hidden = forward(jepa, windows[[0] * 8], settings, 0).features.shape[1]
    weights = 4 * 16 * 16 + 16
    learnt = 4 * 8 * hidden * weights + ADAMW * weights
    used = 2 * 8 * hidden * 4 * 16 * 16  # what the heads say of a batch, for its score
    assert made.spent["heads"] == 2 * (learnt + used)


def test_the_work_of_scoring_is_logged_beside_its_forwards(recipe, train, tmp_path):
    for name, more in {"plain": (), "guarded": ("guard_every=8",)}.items():
        train(recipe("policy=uniform", *more), tmp_path / name)
    plain, guarded = (rows(tmp_path / name)[-1] for name in ("plain", "guarded"))
    assert (plain["scoring_forwards"], plain["scoring_flops"]) == (0, 0)
    assert guarded["scoring_flops"] > 0


def test_a_gate_is_told_of_progress_and_variation_at_refreshes(feed, monkeypatch):
    made, jepa, _, _ = feed("gate=true", "rescore_every=1")
    told = []
    monkeypatch.setattr(
        made.sampler, "record", lambda ids, scores, vectors, **more: told.append((vectors, more))
    )
    made.refresh(jepa, 1)
    vectors, more = told[0]
    evidence = more["evidence"]
    assert vectors.shape[1] == 32  # mean and deviation of 16 dimensions
    assert more["sample"] is False
    np.testing.assert_allclose(evidence.progress, 0, atol=1e-5)  # nothing was learnt so far
    assert (evidence.variation > 0).all()
    assert ((evidence.faults >= 0) & (evidence.faults <= 1)).all()


def test_a_gated_run_is_another_one(recipe, train, tmp_path):
    changes = ("steps=40", "min_effective=10", "rescore_every=4")
    for gate in ("true", "false"):
        train(recipe(f"gate={gate}", *changes), tmp_path / gate)
    with_gate, without = (rows(tmp_path / gate)[-1] for gate in ("true", "false"))
    assert with_gate["scoring_forwards"] > without["scoring_forwards"] > 0


def test_a_shared_mask_is_the_same_for_all(feed):
    _, jepa, _, settings = feed()
    mask = shared_mask(jepa, 5, settings, 3)
    assert mask.context.shape[0] == mask.target.shape[0] == 5
    assert (mask.target == mask.target[0]).all()
    other = shared_mask(jepa, 5, replace(settings, seed=99), 3)
    assert not torch.equal(mask.target, other.target) or jepa.tokens < 4


def test_a_review_is_followed_from_the_next_start_on(recipe, train, tmp_path, store):
    chosen = recipe("steps=12", "checkpoint_every=6")
    write_review(tmp_path, Review(banned=frozenset(range(100))))
    train(chosen, tmp_path)
    state = checkpoint.load_state(checkpoint.latest(tmp_path))
    windows = build_windows(chosen, store, "train")
    sampler = build_curriculum(chosen, windows).sampler
    sampler.load_state_dict(state["feed"]["sampler"])
    assert (sampler.probabilities()[:100] == 0).all()
    assert sampler.probabilities().sum() == pytest.approx(1)


def test_novelty_is_the_log_distance_to_the_fifth_nearest():
    novelty = Novelty()
    line = torch.arange(10.0)[:, None] * torch.tensor([[1.0, 0.0]])
    assert novelty(line).isnan().all()
    found = novelty(torch.tensor([[100.0, 0.0], [4.0, 0.0]]))
    expected = torch.tensor([95.0, 2.0]).log()  # 9, 8, 7, 6, 5; 4 itself, 3, 5, 2, 6
    torch.testing.assert_close(found, expected.double())
    assert NEIGHBOUR == 5


def test_novelty_forgets_and_is_not_poisoned():
    novelty = Novelty()
    novelty(torch.full((40, 3), math.nan))
    novelty(torch.randn(40, 3, generator=torch.Generator().manual_seed(0)))
    twin = Novelty()
    twin.load_state_dict(novelty.state_dict())
    probe = torch.ones(2, 3)
    torch.testing.assert_close(novelty(probe), twin(probe))
    assert novelty(probe).isfinite().all()
    for _ in range(30):
        novelty(torch.zeros(64, 3))
    assert novelty(torch.full((1, 3), 2.0)).item() == pytest.approx(math.log(math.sqrt(12)))
