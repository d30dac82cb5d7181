"""What the surprise band promises beyond what every selection policy does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.curriculum import BandSettings, Draw, SurpriseBand
from bandpass.curriculum.histogram import WIDTH

EAGER = BandSettings(warm_up=0.1, cool_down=0.0)
IDS = np.arange(600)


def teach(
    band: SurpriseBand, level: np.ndarray, *, noise: float = 0.2, stop: int | None = None
) -> list[Draw]:
    """Step with losses of a fixed level per window and some noise per draw."""
    draws = []
    for draw in band:
        wobble = np.random.default_rng(draw.number).lognormal(0, noise, len(draw))
        band.step(draw, torch.from_numpy(level[draw] * wobble))
        draws.append(draw)
        if draw.number + 1 == stop:
            break
    return draws


def taught(
    level: np.ndarray, options: BandSettings = EAGER, *, steps: int = 400, **given
) -> SurpriseBand:
    """A band in the midst of its run, after `steps` batches of 32."""
    noise = given.pop("noise", 0.2)
    band = SurpriseBand(len(level), 32, steps=steps + 1, settings=options, **given)
    teach(band, level, noise=noise, stop=steps)
    return band


def lognormal(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 0.5, n)


@given(
    rule=st.sampled_from(["exponential", "two-level"]),
    ess=st.floats(0.15, 0.9),
    floor=st.floats(0.05, 0.5),
    cap=st.floats(3, 40),
    buckets=st.integers(1, 4),
    seed=st.integers(0, 5),
)
@settings(max_examples=4)
def test_floor_cap_sum_and_sample_size_hold_at_every_draw(rule, ess, floor, cap, buckets, seed):
    n = 200
    options = BandSettings(rule=rule, ess=ess, floor=floor, cap=cap, warm_up=0.2, refresh=5)
    band = SurpriseBand(
        n, 16, steps=50, seed=seed, buckets=np.arange(n) % buckets, settings=options
    )
    for draw in band:
        losses = torch.from_numpy(lognormal(n, seed)[draw])
        losses[np.array(draw) % 50 == 3] = torch.inf
        band.step(draw, losses)
        p = band.probabilities()
        live = p[p > 0]
        assert p.sum() == pytest.approx(1, abs=1e-12)
        assert (live >= floor / len(live) * (1 - 1e-9)).all()
        assert (live <= cap / len(live) * (1 + 1e-9)).all()
        assert 1 / (len(live) * (p**2).sum()) >= ess * (1 - 1e-9)


@pytest.mark.parametrize("rule", ["exponential", "two-level"])
def test_a_rare_surprising_slice_is_enriched_and_the_rest_keeps_its_floor(rule):
    rare = IDS < 12
    level = lognormal(600) * np.where(rare, 6.0, 1.0)
    band = taught(level, BandSettings(rule=rule, cool_down=0.0))
    assert band.expected_shares(rare.astype(int))[1] > 4 * 0.02
    assert band.probabilities().min() >= 0.25 / 600 * (1 - 1e-9)
    assert band.quarantine() == []


def test_two_level_gives_a_rare_slice_more_than_exponential_at_equal_sample_size():
    rare = IDS < 12
    level = lognormal(600) * np.where(rare, 6.0, 1.0)
    share = {
        rule: taught(level, BandSettings(rule=rule, top=0.05, cool_down=0.0)).expected_shares(
            rare.astype(int)
        )[1]
        for rule in ("exponential", "two-level")
    }
    assert share["two-level"] > share["exponential"]


def test_extremes_are_quarantined_with_their_reason_at_the_floor():
    broken = IDS < 6
    band = taught(lognormal(600) * np.where(broken, 1e4, 1.0))
    held = band.quarantine()
    assert {entry.id for entry in held} == set(np.flatnonzero(broken))
    assert {entry.reason for entry in held} == {"extreme"}
    assert all(entry.z > 8 and entry.visits > 0 and entry.step >= 40 for entry in held)
    p = band.probabilities()
    np.testing.assert_allclose(p[broken], 0.25 / 600)
    assert p[~broken].min() >= 0.25 / 600 * (1 - 1e-9)


def test_a_quarantined_window_that_turns_ordinary_is_released():
    level = lognormal(100)
    level[:4] *= 1e4
    band = SurpriseBand(100, 32, steps=600, settings=EAGER)
    teach(band, level, stop=150)
    assert {entry.id for entry in band.quarantine()} == {0, 1, 2, 3}
    level[:2] /= 1e4
    teach(band, level)
    assert {entry.id for entry in band.quarantine()} == {2, 3}


def test_the_rare_states_of_a_signal_poor_stream_are_not_taken_for_corruption():
    """85% still background, 15% that moves: the MAD of the whole is the background's."""
    rng = np.random.default_rng(0)
    moving = IDS < 90
    level = np.where(moving, rng.lognormal(2.5, 0.4, 600), rng.lognormal(0, 0.08, 600))
    band = taught(level, noise=0.02)
    assert band.quarantine() == []
    assert band.expected_shares(moving.astype(int))[1] > 2 * 0.15
    whole = BandSettings(warm_up=0.1, cool_down=0.0, surprising=0.0)
    assert len(taught(level, whole, noise=0.02).quarantine()) > 45


def test_a_window_without_a_finite_loss_is_never_drawn_again():
    n = 100
    band = SurpriseBand(n, 16, steps=300, settings=EAGER)
    last = {}
    for draw in band:
        losses = torch.from_numpy(lognormal(n)[draw])
        losses[np.array(draw) < 2] = torch.nan
        band.step(draw, losses)
        last |= {i: draw.number for i in draw}
    held = band.quarantine()
    assert {(entry.id, entry.reason) for entry in held} == {(0, "not finite"), (1, "not finite")}
    assert {last[entry.id] for entry in held} == {entry.step for entry in held}
    assert (band.probabilities()[:2] == 0).all()
    assert np.isfinite(band.score(np.arange(2, n))).all()


def test_what_is_not_finite_never_reaches_the_scores():
    n = 60
    band = SurpriseBand(n, 8, steps=100, settings=EAGER)
    for draw in band:
        losses = torch.from_numpy(lognormal(n)[draw])
        vectors = torch.randn(8, 3, generator=torch.Generator().manual_seed(draw.number))
        losses[np.array(draw) == 0] = torch.inf
        vectors[np.array(draw) == 1] = torch.nan
        band.step(draw, losses, vectors)
    assert {entry.id for entry in band.quarantine()} == {0, 1}
    assert np.isfinite(band.score(np.arange(2, n))).all()
    assert np.isfinite(band.snapshot()["score"]).all()


def test_all_windows_banned_is_an_error_not_a_loop():
    band = SurpriseBand(2, 4, steps=50, settings=EAGER)
    with pytest.raises((RuntimeError, FloatingPointError)):  # noqa: PT012
        for draw in band:
            losses = torch.ones(4)
            losses[np.array(draw) == draw[0]] = torch.nan
            band.step(draw, losses)


def test_warm_up_and_cool_down_are_uniform():
    band = SurpriseBand(500, 16, steps=400)
    draws = teach(band, lognormal(500))
    spread = np.array([np.ptp(draw.p) for draw in draws])
    assert (spread[:40] == 0).all()
    assert (spread[360:] < 1e-15).all()
    assert (spread[40:360] > 0).mean() > 0.95


def test_unseen_windows_get_the_mean_weight_of_their_bucket():
    n = 4000
    band = SurpriseBand(n, 16, steps=200, settings=BandSettings(warm_up=0.0, cool_down=0.0))
    teach(band, lognormal(n), stop=120)
    p, unseen = band.probabilities(), np.isnan(band.score(np.arange(n)))
    assert 0 < unseen.sum() < n
    assert np.ptp(p[unseen]) == 0
    assert p[unseen][0] == pytest.approx(p[~unseen].mean(), rel=0.15)
    assert p[~unseen].max() > 3 * p[unseen][0]


def test_the_histogram_shows_the_population_not_the_bands_own_taste():
    level = lognormal(600)
    edge = np.quantile(level, 0.8)
    band = taught(level, noise=0.01)
    rows = band.snapshot()
    assert rows["mass"][rows["score"] < np.log(edge)].sum() == pytest.approx(0.8, abs=0.05)
    drawn = band.expected_shares((level > edge).astype(int))[1]
    assert drawn > 0.5, "plain counts would have been off"


def test_the_scale_of_the_loss_does_not_matter():
    n = 300
    bands = [SurpriseBand(n, 16, steps=200, settings=EAGER) for _ in range(2)]
    draws = [
        teach(band, factor * lognormal(n)) for band, factor in zip(bands, (1, 2.0**20), strict=True)
    ]
    assert draws[0] == draws[1]


def test_surprise_is_ranked_within_a_bucket():
    bucket = IDS % 2
    level = lognormal(600) * np.where(bucket == 1, 50.0, 1.0)
    apart, pooled = taught(level, buckets=bucket), taught(level)
    assert apart.expected_shares(bucket)[1] == pytest.approx(0.5, abs=0.06)
    assert pooled.expected_shares(bucket)[1] > 0.7


def test_embeddings_put_buckets_of_different_scale_on_one_axis():
    bucket = IDS % 2
    spread = np.where(bucket == 1, 10.0, 1.0)
    band = SurpriseBand(600, 64, steps=200, buckets=bucket, settings=EAGER)
    for draw in band:
        rng = np.random.default_rng(draw.number)
        z = rng.normal(size=(64, 4)) * spread[draw, None]
        losses = lognormal(600)[draw] * spread[draw] ** 2
        band.step(draw, torch.from_numpy(losses), torch.from_numpy(z))
    score = band.score(IDS)
    assert np.nanmean(score[bucket == 1]) == pytest.approx(np.nanmean(score[bucket == 0]), abs=0.2)


def test_embeddings_are_given_at_every_step_or_at_none():
    band = SurpriseBand(10, 4, steps=5)
    draws = iter(band)
    band.step(next(draws), torch.ones(4), torch.randn(4, 2))
    with pytest.raises(ValueError, match="at every step or at none"):
        band.step(next(draws), torch.ones(4))


def test_a_score_that_is_not_renewed_fades_to_the_middle():
    """In a large corpus most windows wait for long; theirs are the scores to look at."""
    n, batch = 3000, 4
    quick = BandSettings(staleness=0.05, warm_up=1.0, cool_down=0.0)  # tau = 37 steps
    level = lognormal(n)
    band = SurpriseBand(n, batch, steps=400, settings=quick)
    last = {i: draw.number for draw in teach(band, level) for i in draw}
    ids = np.array(list(last))
    age = 400 - np.array(list(last.values()))
    middle = np.log(np.median(level))
    left = np.abs(band.score(ids) - middle) / np.abs(np.log(level[ids]) - middle).clip(0.3)
    assert np.median(left[age < 15]) > 0.6
    assert np.median(left[age > 120]) < 0.25


def test_scores_are_averaged_half_and_half():
    band = SurpriseBand(1, 2, steps=3, settings=BandSettings(staleness=1e9))
    draws = iter(band)
    for loss in (np.e, np.e**3, np.e**2):
        band.step(next(draws), torch.full((2,), loss, dtype=torch.float64))
    assert band.score([0])[0] == pytest.approx(2, abs=1e-3)  # 1, then (1 + 3) / 2, then 2


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_weights_undo_the_probabilities_to_the_power_beta(beta):
    n = 300
    band = SurpriseBand(
        n, 16, steps=300, settings=BandSettings(beta=beta, warm_up=0.1, cool_down=0.0)
    )
    teach(band, lognormal(n), stop=200)
    draw = next(iter(band))
    losses = torch.from_numpy(lognormal(n)[draw])
    weights = (1 / (n * draw.p)) ** beta
    weights /= weights.mean()
    expected = (weights * losses.numpy()).mean()
    assert np.ptp(draw.p) > 0
    assert band.step(draw, losses).item() == pytest.approx(expected)


def renamed(state: dict, new: np.ndarray) -> dict:
    """The state of a band whose window i is called new[i]."""
    table = state["book"]["table"]
    for name in ("rows", "touched"):
        moved = torch.empty_like(table[name])
        moved[torch.from_numpy(new)] = table[name]
        table[name] = moved
    for entry in state["book"]["quarantine"]["held"]:
        entry["id"] = int(new[entry["id"]])
    return state


@given(st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=3)
def test_renaming_the_windows_renames_their_probabilities(random, buckets):
    n, slow = 60, BandSettings(staleness=1e9, cool_down=0.0)  # turns to fade go by id
    new = np.array(random.sample(range(n), n))
    level, bucket = lognormal(n), np.arange(n) % buckets
    level[3] *= 1e5
    renamed_bucket = np.empty_like(bucket)
    renamed_bucket[new] = bucket
    band = SurpriseBand(n, 16, steps=100, buckets=bucket, settings=slow)
    other = SurpriseBand(n, 16, steps=100, buckets=renamed_bucket, settings=slow)
    teach(band, level, stop=50)
    other.load_state_dict(renamed(band.state_dict(), new))
    for ids in np.random.default_rng(0).integers(0, n, (20, 16)):
        band.record(ids, torch.from_numpy(np.log(level[ids])))
        other.record(new[ids], torch.from_numpy(np.log(level[ids])))
        np.testing.assert_array_equal(other.probabilities()[new], band.probabilities())
    assert {entry.id for entry in other.quarantine()} == {new[3]}


def test_late_steps_in_any_order_are_taken():
    n = 200
    band = SurpriseBand(n, 8, steps=60, settings=EAGER)
    waiting = []
    for draw in band:
        waiting.append(draw)
        if len(waiting) == 5:
            for late in (waiting.pop(3), waiting.pop(0)):
                band.step(late, torch.from_numpy(lognormal(n)[late]))
    for late in reversed(waiting):
        band.step(late, torch.from_numpy(lognormal(n)[late]))
    assert len(band) == 0
    ids = np.arange(n)
    seen = ~np.isnan(band.score(ids))
    assert seen.mean() > 0.7


def test_snapshot_is_the_band():
    n = 500
    bucket = np.arange(n) % 2
    band = SurpriseBand(n, 32, steps=400, buckets=bucket, settings=EAGER)
    with pytest.raises(RuntimeError, match="no scores yet"):
        band.snapshot()
    teach(band, lognormal(n), stop=399)
    rows = band.snapshot()
    assert {len(column) for column in rows.values()} == {len(rows["bucket"])}
    np.testing.assert_allclose(np.bincount(rows["bucket"], weights=rows["mass"]), [1, 1])
    assert np.average(rows["weight"], weights=rows["mass"]) == pytest.approx(1, abs=0.25)
    p = band.probabilities()
    for window in np.flatnonzero(~np.isnan(band.score(np.arange(n))))[:50]:
        here = np.flatnonzero(rows["bucket"] == bucket[window])
        nearest = here[np.argmin(np.abs(rows["score"][here] - band.score([window])))]
        if abs(rows["score"][nearest] - band.score([window])[0]) < WIDTH / 2:
            assert rows["weight"][nearest] == pytest.approx(p[window] * n)


@pytest.mark.parametrize(
    ("buckets", "error", "text"),
    [
        (np.zeros(9, dtype=int), ValueError, r"shape \(10,\), one each, got \(9,\)"),
        (np.zeros(10), TypeError, "got float64"),
        (np.arange(10) - 1, ValueError, "got -1"),
    ],
)
def test_wrong_buckets_are_refused(buckets, error, text):
    with pytest.raises(error, match=text):
        SurpriseBand(10, 2, steps=1, buckets=buckets)


@pytest.mark.parametrize("mode", ["live", "shadow", "shuffled"])
def test_looking_leaves_no_trace_however_often_and_whenever(mode):
    """Between a draw and its step, too: what a step is judged by is what was drawn by."""
    n, options = 80, BandSettings(mode=mode, refresh=4, staleness=0.5, warm_up=0.1)
    watched, alone = (SurpriseBand(n, 16, steps=40, settings=options) for _ in range(2))
    level = lognormal(n) * np.where(np.arange(n) < 3, 1e4, 1.0)
    for a, b in zip(watched, alone, strict=True):
        assert a == b
        for band, draw in ((watched, a), (alone, b)):
            if band is watched:
                band.probabilities(), band.intended(), band.stale(5), band.quarantine()
            band.step(draw, torch.from_numpy(level[draw]))
            if band is watched and draw.number < 39:
                band.probabilities(), band.intended()
        assert watched.quarantine() == alone.quarantine()
    np.testing.assert_array_equal(watched.score(np.arange(n)), alone.score(np.arange(n)))


def test_banned_windows_do_not_count_in_the_sample_size():
    n = 200
    band = SurpriseBand(n, 16, steps=200, settings=BandSettings(ess=0.5, warm_up=0.1))
    band.ban(np.arange(0, n, 2))
    teach(band, lognormal(n), stop=100)
    p = band.probabilities()
    assert band.ess == pytest.approx(1 / (100 * (p**2).sum()), abs=0.03)
    assert band.ess >= 0.5
    assert band.lambda_ > 0


def test_more_windows_than_torch_multinomial_takes():
    n = 2**24 + 1
    band = SurpriseBand(n, 64, steps=10)
    for draw in band:
        band.step(draw, torch.rand(64))
    assert max(max(draw) for draw in [draw]) < n
    assert band.probabilities().sum() == pytest.approx(1, abs=1e-9)
