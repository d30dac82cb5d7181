"""Modes, coverage and what may be asked of a band in the midst of a run."""

import numpy as np
import pytest
import torch

from bandpass.curriculum import BandSettings, Gate, SurpriseBand
from bandpass.curriculum.histogram import LogHistogram, WindowHistogram

N = 600
IDS = np.arange(N)
RARE = IDS < 12
LEVEL = np.random.default_rng(0).lognormal(0, 0.5, N) * np.where(RARE, 6.0, 1.0)


def eager(**given) -> BandSettings:
    usual = {"warm_up": 0.0, "cool_down": 0.0, "staleness": 1e9, "refresh": 1}
    return BandSettings(**(usual | given))


def told(level: np.ndarray = LEVEL, *, rounds: int = 3, **given) -> SurpriseBand:
    """A band that was told every window's score `rounds` times, and has drawn as often."""
    settings = given.pop("settings", eager())
    band = SurpriseBand(len(level), 32, steps=1000, settings=settings, **given)
    for number, _ in zip(range(rounds), band, strict=False):
        noise = np.random.default_rng(number).normal(0, 0.1, len(level))
        band.record(np.arange(len(level)), torch.from_numpy(np.log(level) + noise))
    return band


def trained(band: SurpriseBand, level: np.ndarray, steps: int) -> SurpriseBand:
    for draw in band:
        noise = np.random.default_rng(draw.number).lognormal(0, 0.1, len(draw))
        band.step(draw, torch.from_numpy(level[draw] * noise))
        if draw.number + 1 >= steps:
            break
    return band


def share(band: SurpriseBand, chosen: np.ndarray) -> float:
    return float(band.probabilities()[chosen].sum())


def test_shadow_draws_uniformly_while_it_reports_the_band():
    live, shadow = told(), told(settings=eager(mode="shadow"))
    np.testing.assert_allclose(shadow.probabilities(), 1 / N)
    np.testing.assert_array_equal(shadow.intended(), live.intended())
    np.testing.assert_array_equal(live.intended(), live.probabilities())
    assert shadow.intended()[RARE].sum() > 0.08
    assert np.ptp(next(iter(shadow)).p) == 0


def test_shuffled_has_the_probabilities_of_the_band_and_knows_nothing():
    live, shuffled = told(), told(settings=eager(mode="shuffled"))
    p, q = live.probabilities(), shuffled.probabilities()
    np.testing.assert_array_equal(np.sort(p), np.sort(q))
    score = live.score(IDS)
    assert np.corrcoef(score, p)[0, 1] > 0.6
    assert abs(np.corrcoef(score, q)[0, 1]) < 0.15
    again = told(settings=eager(mode="shuffled")).probabilities()
    np.testing.assert_array_equal(again, q)
    other = told(settings=eager(mode="shuffled"), seed=1).probabilities()
    assert not np.array_equal(other, q)


@pytest.mark.parametrize(
    ("steps", "clustered", "coverage"),
    [(60, True, "table"), (40, True, "blend"), (19, True, "prototype"), (1, False, "table")],
)
def test_coverage_goes_by_the_visits_to_be_expected(steps, clustered, coverage):
    prototypes = IDS % 7 if clustered else None
    band = SurpriseBand(N, 30, steps=steps, prototypes=prototypes)  # kappa = steps / 20
    assert band.coverage == coverage


def test_prototype_coverage_without_prototypes_is_refused():
    with pytest.raises(ValueError, match="needs prototypes"):
        SurpriseBand(N, 32, steps=9, settings=BandSettings(coverage="prototype"))


@pytest.mark.parametrize("coverage", ["table", "blend", "prototype"])
def test_windows_that_were_never_seen_weigh_as_their_prototype(coverage):
    prototypes = np.where(RARE, 5, IDS % 5)
    band = SurpriseBand(N, 32, steps=9, prototypes=prototypes, settings=eager(coverage=coverage))
    seen = IDS[::2]
    for _, _ in zip(range(3), band, strict=False):
        band.record(seen, torch.from_numpy(np.log(LEVEL[seen])))
    p, unseen = band.probabilities(), IDS % 2 == 1
    assert np.isnan(band.score(IDS[unseen])).all()
    assert p[RARE & unseen].min() > 1.5 * p[~RARE & unseen].max()
    if coverage == "prototype":
        np.testing.assert_array_equal(p[::2][:6], p[1::2][:6])


def test_where_windows_are_hardly_seen_prototypes_find_a_rare_kind_and_the_table_cannot():
    n, steps, batch = 20_000, 60, 16  # kappa = .048
    kind = np.arange(n) % 50  # one of fifty is surprising: 2%
    level = np.random.default_rng(0).lognormal(0, 0.3, n) * np.where(kind == 7, 6.0, 1.0)
    found = {}
    for coverage in ("auto", "table"):
        settings = eager(coverage=coverage, min_effective=50.0)
        band = SurpriseBand(n, batch, steps=steps + 1, prototypes=kind, settings=settings)
        if coverage == "table":  # by its own scores alone
            band = SurpriseBand(n, batch, steps=steps + 1, settings=settings)
        found[coverage] = share(trained(band, level, steps), kind == 7)
    assert found["auto"] > 3 * 0.02
    assert found["table"] < found["auto"] / 2


def test_a_thin_bucket_borrows_from_its_parent_before_the_pool():
    """Bucket 2 was hardly seen; its parent's other child is loud, the rest of the fleet quiet."""
    bucket = np.where(IDS < 10, 2, IDS % 2)
    level = np.where(bucket > 0, 8.0, 1.0) * np.random.default_rng(0).lognormal(0, 0.3, N)
    level[:10] = 8.0
    low, high = (
        share(told(level, buckets=bucket, parents=parents), bucket == 2)
        for parents in ([0, 1, 1], None)
    )
    assert low < 0.7 * high, "among its siblings it is ordinary, in the pool it is surprising"


def test_recent_scores_may_be_decayed_a_window_or_the_whole_table():
    """What was scored last is louder: ordinary among its like, surprising among all."""
    late, relative = IDS >= 300, {}
    for recent in ("decayed", "window", "table"):
        settings = eager(
            rule="power", recent=recent, window=300, decay=0.9, min_effective=50.0, floor=0.01
        )
        band = SurpriseBand(N, 32, steps=1000, settings=settings)
        for part, rise in ((~late, 0.0), (late, 1.0)):
            scores = np.random.default_rng(0).normal(rise, 0.3, 300)
            for ids, values in zip(IDS[part].reshape(30, 10), scores.reshape(30, 10), strict=True):
                band.record(ids, torch.from_numpy(values))
        p = band.probabilities()
        low = band.score(IDS) < 1
        relative[recent] = p[late & low].mean() / p[late & ~low].mean()
    assert relative["window"] == pytest.approx(1 / 3, abs=0.1), "ranks of 1/4 and 3/4"
    assert relative["decayed"] == pytest.approx(1 / 3, abs=0.1)
    assert relative["table"] == pytest.approx(5 / 7, abs=0.1), "ranks of 5/8 and 7/8"


def test_a_moving_window_forgets_all_at_once():
    moving, decayed = WindowHistogram(1, 4, 1.0), LogHistogram(1, 0.99, 1.0)
    for bins in ([3.0, 3.0], [5.0, 5.0], [9.0, 9.0]):
        for histogram in (moving, decayed):
            histogram.add(np.zeros(2, int), np.array(bins), np.ones(2))
    np.testing.assert_allclose(moving.counts()[0, [3, 5, 9]], [0, 2, 2], atol=0.01)
    np.testing.assert_allclose(
        decayed.counts()[0, [3, 5, 9]], [2 * 0.99**2, 2 * 0.99, 2], atol=0.01
    )
    again = WindowHistogram(1, 4, 1.0)
    again.load_state_dict(moving.state_dict())
    for histogram in (moving, again):
        histogram.add(np.zeros(3, int), np.full(3, 7.0), np.ones(3))
    np.testing.assert_array_equal(again.counts(), moving.counts())


def test_merged_histograms_are_one_over_both_streams():
    rng = np.random.default_rng(0)
    left, right, both = (LogHistogram(2, 0.9, 10.0) for _ in range(3))
    scores = rng.normal(size=(20, 2, 16))
    for histogram in (left, right, both):
        histogram.bins(scores[0].ravel())  # one axis
    for pair in scores:
        bins, bucket = both.bins(pair.ravel()), rng.integers(0, 2, 32)
        both.add(bucket, bins, np.ones(32))
        left.add(bucket[:16], bins[:16], np.ones(16))
        right.add(bucket[16:], bins[16:], np.ones(16))
    left.merge(right)
    np.testing.assert_allclose(left.counts(), both.counts(), atol=1e-3)
    stranger = LogHistogram(2, 0.9, 10.0)
    stranger.bins(np.ones(3))
    for other, error in ((stranger, ValueError), (LogHistogram(1, 0.9, 10.0), ValueError)):
        with pytest.raises(error, match="different axes"):
            left.merge(other)
    with pytest.raises(TypeError, match="cannot be merged"):
        WindowHistogram(1, 4, 1.0).merge(left)


def test_a_released_window_is_held_back_no_more_and_a_banned_one_never_drawn():
    level = LEVEL * np.where(IDS >= N - 4, 1e4, 1.0)
    band = told(level, rounds=4)
    broken = list(range(N - 4, N))
    assert {entry.id for entry in band.quarantine()} == set(broken)
    band.release(broken[:2])
    band.ban([0, 0, broken[3]])
    band.record(IDS, torch.from_numpy(np.log(level)))
    reasons = {entry.id: entry.reason for entry in band.quarantine()}
    assert reasons == {broken[2]: "extreme", 0: "banned by hand", broken[3]: "banned by hand"}
    p = band.probabilities()
    assert p[broken[0]] > 2 / N
    assert p[0] == p[broken[3]] == 0
    assert p.sum() == pytest.approx(1)
    band.release([0])
    assert band.probabilities()[0] > 0


@pytest.mark.parametrize("ids", [[-1], [3, N]])
@pytest.mark.parametrize("what", ["release", "ban", "score", "record"])
def test_ids_that_do_not_exist_are_refused(what, ids):
    band = told(rounds=1)
    more = (torch.zeros(len(ids)),) if what == "record" else ()
    with pytest.raises(ValueError, match=r"ids must lie in 0 \.\. 599"):
        getattr(band, what)(ids, *more)


def test_restraint_acts_from_the_next_draw_on_and_survives_a_resume():
    band, resumed = told(), told(rounds=0)
    full = band.lambda_
    band.restrain(0.5, "retention")
    assert band.lambda_ == pytest.approx(full / 2, rel=0.05)
    band.restrain(0.0, "breach")
    for one in (band, resumed):
        if one is resumed:
            one.load_state_dict(band.state_dict())
        assert one.restraint == (0.0, "breach")
        np.testing.assert_allclose(one.probabilities(), 1 / N)
    trained(resumed, LEVEL, 40)
    np.testing.assert_allclose(resumed.probabilities(), 1 / N)
    resumed.restrain(1.0)
    assert share(resumed, RARE) > 0.08
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 1.5"):
        band.restrain(1.5)


def test_buckets_are_reweighed_until_told_otherwise_even_over_a_resume():
    bucket = IDS % 3
    band, resumed = (told(rounds=r, buckets=bucket) for r in (3, 0))
    factors = np.array([1.0, 1.0, 2.0])
    before = band.expected_shares(bucket)
    band.reweigh(factors)
    factors[:] = 99.0  # the caller's array is the caller's
    after = band.expected_shares(bucket)
    assert after[2] > 1.3 * before[2]  # weights of 1, 1, 2 beside the floor: .46 of the slots
    resumed.load_state_dict(band.state_dict())
    np.testing.assert_array_equal(resumed.expected_shares(bucket), after)
    band.restrain(0.0, "off means uniform")
    np.testing.assert_allclose(band.probabilities(), 1 / N)
    for wrong in ([1.0, 1.0], [1.0, 0.0, 1.0], [1.0, np.nan, 1.0]):
        with pytest.raises(ValueError, match="finite and over 0"):
            band.reweigh(wrong)


def test_stale_names_the_old_and_the_probable_and_changes_nothing():
    band = told()
    for _ in range(20):  # the second half is fresh
        band.record(IDS[300:], torch.from_numpy(np.log(LEVEL[300:])))
    first = band.stale(60)
    assert first == band.stale(60) == sorted(set(first))
    assert len(first) == 60
    assert np.mean(np.array(first) < 300) > 0.8
    p = band.probabilities()
    assert p[first].mean() > 1.5 * p[:300].mean()
    assert np.isin(np.flatnonzero(RARE), first).mean() > 0.6


def test_a_chosen_sample_says_nothing_about_quantiles():
    fair, chosen = told(), told()
    before = fair.snapshot()
    top = np.argsort(LEVEL)[-60:]
    scores = torch.from_numpy(np.log(LEVEL[top]))
    for _ in range(20):
        chosen.record(top, scores, sample=False)
        fair.record(top, scores)
    for name in ("bucket", "score", "mass"):
        np.testing.assert_array_equal(chosen.snapshot()[name], before[name])
    mass = fair.snapshot()
    edge = np.log(np.quantile(LEVEL, 0.89))
    assert mass["mass"][mass["score"] > edge].sum() > 0.4, "a fair sample would have moved them"


def test_what_the_gate_remembers_holds_when_a_visit_comes_without_embeddings():
    """A replayed score, say: it must not clear a window that the gate has convicted."""
    band = told(gate=Gate(), rounds=0)
    draws = iter(band)
    rng = np.random.default_rng(0)
    alone = np.zeros(N, bool)
    alone[[50, 51 + 40]] = True
    level = LEVEL * np.where(alone, 6.0, 1.0)
    for number in range(12):
        next(draws)
        vectors = rng.normal(0, 0.05, (N, 4))
        vectors[alone] = rng.normal(0, 30, (2, 4))
        band.record(IDS, torch.from_numpy(np.log(level)), torch.from_numpy(vectors))
        if number == 11:
            held = {entry.id: entry.reason for entry in band.quarantine()}
    assert {held.get(50), held.get(91)} <= {"isolated", "extreme"}
    assert "isolated" in held.values()
    band.record(IDS, torch.from_numpy(np.log(level)))
    assert {entry.id: entry.reason for entry in band.quarantine()} == held
