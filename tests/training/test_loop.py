import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.losses import REGULARISERS
from bandpass.recipes import build_jepa, build_sampler, build_windows
from bandpass.training import (
    DeviceError,
    Diverged,
    Feed,
    TrainSettings,
    checkpoint,
    parameter_groups,
    pick_device,
)
from bandpass.training.step import regularise, train_step


def metrics(run, name="metrics") -> list[dict]:
    return pq.read_table(run / f"{name}.parquet").to_pylist()


def test_learns(recipe, train, tmp_path):
    assert train(recipe("steps=60", "lr=0.01"), tmp_path)
    loss = [row["loss"] for row in metrics(tmp_path)]
    assert loss[-1] < 0.8 * loss[0]


def test_logs_every_so_many_steps_and_the_last(recipe, train, tmp_path):
    seen = []
    chosen = recipe("steps=11", "log_every=4")
    train(chosen, tmp_path, lambda row, log: seen.append(row["step"]))
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows] == seen == [4, 8, 11]
    assert [row["fraction"] for row in rows] == [4 / 11, 8 / 11, 1.0]
    assert all(row["windows_per_s"] > 0 for row in rows)


def test_schedules_go_by_the_fraction_of_the_budget(recipe, train, tmp_path):
    """Twice the steps: the same curves, drawn with twice the points."""
    found = []
    for steps in (12, 24):
        train(recipe(f"steps={steps}", "log_every=1"), tmp_path / str(steps))
        found.append({row["fraction"]: row for row in metrics(tmp_path / str(steps))})
    short, long = found
    shared = sorted(set(short) & set(long))
    assert len(shared) == 12
    for fraction in shared:
        assert short[fraction]["lr"] == pytest.approx(long[fraction]["lr"])
    momentum = [[row["momentum"] for row in one.values()] for one in found]
    assert momentum[0] == pytest.approx(momentum[1][::2])


@pytest.mark.parametrize("policy", ["uniform", "surprise-band"])
def test_every_window_has_its_draws_and_its_last_score(recipe, train, store, tmp_path, policy):
    chosen = recipe("log_every=4", "steps=9", f"policy={policy}")
    train(chosen, tmp_path)
    table = pq.read_table(tmp_path / "windows.parquet").to_pydict()
    windows = build_windows(chosen, store, "train")
    assert len(table["drawn"]) == len(windows)
    assert sum(table["drawn"]) == 9 * chosen.train.batch
    if policy == "uniform":
        assert np.isnan(table["score"]).all()
    else:
        seen = np.array(table["drawn"]) > 0
        np.testing.assert_array_equal(np.isfinite(table["score"]), seen)


def test_slots_are_the_draws_counted(recipe, train, store, tmp_path):
    chosen = recipe("log_every=1", "steps=9", "policy=uniform")
    draws: list[int] = []
    train(chosen, tmp_path)
    windows = build_windows(chosen, store, "train")
    sampler = build_sampler(chosen, windows)
    for draw in sampler:
        draws += draw
        sampler.step(draw, torch.ones(8))
    last = [row for row in metrics(tmp_path, "slots") if row["step"] == 9]
    by_name = {row["name"]: row for row in last if row["kind"] == "label"}
    labels = windows.labels(draws)
    every = windows.labels()
    assert by_name["event"]["drawn"] == (labels == 1).sum()
    assert by_name["normal"]["drawn"] == (labels == 0).sum()
    assert by_name["event"]["natural"] == pytest.approx((every == 1).mean())


def test_only_the_band_has_a_band(recipe, train, tmp_path):
    for policy in ("uniform", "surprise-band"):
        train(recipe(f"policy={policy}"), tmp_path / policy)
    assert not (tmp_path / "uniform/band.parquet").exists()
    assert all(math.isnan(row["lambda_"]) for row in metrics(tmp_path / "uniform"))
    band = metrics(tmp_path / "surprise-band", "band")
    mass = sum(row["mass"] for row in band if row["step"] == 24 and row["bucket"] == 0)
    assert mass == pytest.approx(1)
    assert all(0 < row["ess"] <= 1 for row in metrics(tmp_path / "surprise-band"))


def test_a_bucket_is_regularised_by_itself():
    """Two regimes, each collapsed to a point: together they have a spread, apart they have none."""
    tokens = torch.randn(16, 3, 8, generator=torch.Generator().manual_seed(0))
    tokens[:8], tokens[8:] = tokens[0], tokens[8]
    two, one, thin = np.repeat([0, 1], 8), np.zeros(16, int), np.arange(16)
    apart = TrainSettings(regulariser="sigreg", regulariser_within="bucket")
    together = replace(apart, regulariser_within="batch")
    whole = regularise(tokens, two, together, 0)
    assert regularise(tokens, two, apart, 0) / 8 > 1.5 * whole / 16  # T has a factor N
    assert regularise(tokens, one, apart, 0) == regularise(tokens, thin, apart, 0) == whole


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("target", ["ema", "same-encoder"])
def test_regulariser_reaches_the_weights(recipe, train, tmp_path, regulariser, target):
    found = []
    for weight in (0.0, 1.0):
        run = tmp_path / str(weight)
        changes = (f"regulariser={regulariser}", f"model.target={target}", "steps=3")
        train(recipe(*changes, f"regulariser_weight={weight}", "log_every=1"), run)
        found.append(checkpoint.load_weights(checkpoint.latest(run))["encoder.embed.weight"])
        assert all(row["regulariser"] > 0 for row in metrics(run))
    assert not torch.equal(*found)


def test_bf16_trains(recipe, train, tmp_path):
    assert train(recipe("precision=bf16", "steps=6"), tmp_path)
    assert all(math.isfinite(row["loss"]) for row in metrics(tmp_path))


@pytest.mark.parametrize("policy", ["uniform", "surprise-band"])
def test_divergence_is_named_and_leaves_the_checkpoint_before_it(recipe, train, tmp_path, policy):
    """Checkpoints at every step: none of them may hold what diverged."""
    chosen = recipe("lr=1e30", "warmup=0", "checkpoint_every=1", f"policy={policy}", "steps=60")
    with pytest.raises(Diverged, match=r"diverged at step \d+: .*last checkpoint.*lower lr"):
        train(chosen, tmp_path)
    newest = checkpoint.latest(tmp_path)
    if newest is not None:
        assert all(w.isfinite().all() for w in checkpoint.load_weights(newest).values())


def test_a_gradient_that_is_not_finite_is_no_checkpoint(recipe, train, tmp_path, monkeypatch):
    """The loss of the step before is still fine, the weights after it are not."""
    clip = torch.nn.utils.clip_grad_norm_
    calls = []

    def broken(parameters, limit):
        parameters = list(parameters)
        calls.append(None)
        if len(calls) == 6:
            next(p for p in parameters if p.grad is not None).grad.fill_(math.nan)
        return clip(parameters, limit)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", broken)
    with pytest.raises(Diverged, match="diverged at step 6: grad_norm is nan"):
        train(recipe("checkpoint_every=3"), tmp_path)
    newest = checkpoint.latest(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000003"


def test_collapse_is_seen_in_the_metrics(recipe, train, tmp_path, monkeypatch):
    """Targets that are the same for every window."""
    from bandpass.models.targets import EMATeacher

    same = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(0)).expand(8, -1, -1)
    monkeypatch.setattr(EMATeacher, "forward", lambda self, encoder, values, observed, keep: same)
    warnings = []
    train(recipe("steps=4"), tmp_path, lambda row, log: warnings.append(row["warning"]))
    assert all("collapse: tokens are nearly the same for every sample" in w for w in warnings)
    assert [row["warning"] for row in metrics(tmp_path)] == warnings
    assert all(row["collapse_position"] > 0.9 for row in metrics(tmp_path))


def test_a_step_moves_encoder_and_teacher_by_their_rules(recipe, store):
    chosen = recipe("policy=uniform", "momentum=0.5", "final_momentum=0.5")
    windows = build_windows(chosen, store, "train")
    jepa, sampler = build_jepa(chosen, 4), build_sampler(chosen, windows)
    slow = jepa.target.encoder.embed.weight.clone()
    optimizer = torch.optim.AdamW(parameter_groups(jepa, 0.1), lr=1.0)
    feed = Feed(sampler, jepa, windows, chosen.train)
    result = train_step(jepa, windows[next(iter(sampler))], feed, optimizer, chosen.train, 0)
    fast = jepa.encoder.embed.weight
    assert not torch.equal(fast, slow)
    torch.testing.assert_close(jepa.target.encoder.embed.weight, (slow + fast) / 2)
    assert result.lr == pytest.approx(chosen.train.lr / (24 * 0.2))
    assert all(group["lr"] == result.lr for group in optimizer.param_groups)


def test_only_matrices_decay(recipe):
    jepa = build_jepa(recipe(), 4)
    decayed, kept = parameter_groups(jepa, 0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in kept["params"]} == {1}
    trained = [p for p in jepa.parameters() if p.requires_grad]
    assert len(decayed["params"]) + len(kept["params"]) == len(trained)


def test_a_missing_gpu_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="'cuda' was asked for, but torch sees no GPU"):
        pick_device("cuda")


def test_a_checkpoint_without_counts_of_draws_is_continued(recipe, train, tmp_path):
    """Checkpoints from before ``windows.parquet`` have none: counting begins where it goes on."""
    chosen = recipe("steps=12", "checkpoint_every=6", "policy=uniform")

    def stop(row, log):
        if row["step"] > 6:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train(chosen, tmp_path, stop)
    newest = checkpoint.latest(tmp_path)
    weights, state = checkpoint.load_weights(newest), checkpoint.load_state(newest)
    done = state["step"]
    del state["log"]["times"]
    checkpoint.save(tmp_path, done, weights, state)
    assert train(chosen, tmp_path)
    drawn = pq.read_table(tmp_path / "windows.parquet")["drawn"].to_pylist()
    assert sum(drawn) == (12 - done) * chosen.train.batch
