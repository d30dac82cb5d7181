"""Weights of all cells: what is scored, unscored, on probation, held; and how strong it may be."""

import numpy as np
import pytest

from bandpass.curriculum.histogram import BINS
from bandpass.curriculum.selection import effective_share, mixture
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.table import BANNED, HELD, OPEN, PROBATION, STEPS_PER_BIN, UNSCORED, Table
from bandpass.curriculum.weighing import MARGIN, Order, Weighing, rank_within

N = 2000
IDS = np.arange(N)
PLAIN = BandSettings()


def scored(buckets: int = 1, *, unscored: int = 0) -> Table:
    """Windows with scores from a bell around bin 200, the first few without."""
    table = Table(IDS % buckets, np.arange(buckets))
    bins = np.random.default_rng(0).normal(200, 30, N)
    table.update(IDS, verdict=OPEN, score=(bins * STEPS_PER_BIN).astype(np.uint16))
    table.update(IDS[:unscored], verdict=UNSCORED)
    return table


def weighing(table: Table, positions=None, settings=PLAIN, **wanted) -> Weighing:
    order = {
        "fraction": 1.0,
        "restraint": 1.0,
        "guarded": True,
        "reweigh": np.ones(table.buckets),
        "probation": 1.5,
    }
    counts = table.counts[table.scored].reshape(-1, BINS) + 1e-9
    return Weighing(counts, table, positions, settings, Order(**(order | wanted)))


def shares(table: Table, h: np.ndarray, settings=PLAIN) -> np.ndarray:
    """(n,) probability of each window relative to uniform."""
    counts = table.drawable()
    p = np.where(counts > 0, mixture(h, counts, floor=settings.floor, cap=settings.cap), 0.0)
    return table.per_window(p) * table.population()


def test_verdicts_that_decide_alone():
    table = scored()
    table.update(IDS[:40], verdict=PROBATION)
    table.update(IDS[40:80], verdict=HELD)
    table.update(IDS[80:120], verdict=BANNED)
    relative = shares(table, weighing(table)(6.0))
    np.testing.assert_allclose(relative[:40], 1.5, rtol=0.03)
    np.testing.assert_allclose(relative[40:80], 0.25)
    assert (relative[80:120] == 0).all()


def test_probation_is_never_less_than_the_floor_and_uniform_without_strength():
    table = scored()
    table.update(IDS[:40], verdict=PROBATION)
    low = weighing(table, probation=0.1)
    np.testing.assert_allclose(shares(table, low(6.0))[:40], 0.25)
    np.testing.assert_allclose(shares(table, low(0.0)), 1.0)


@pytest.mark.parametrize("rule", ["top", "percentile"])
def test_where_the_rule_finds_nobody_the_held_stay_at_the_floor(rule):
    """A tenth is broken and is all of the top: the others share what the rule leaves."""
    table = scored()
    high = IDS >= 0.8 * N
    table.update(IDS[high], verdict=HELD)
    settings = BandSettings(rule=rule, top=0.1, low=0.97, high=0.98)
    counts = np.full((1, BINS), 1e-9)
    counts[0, [10, 500]] = 0.8, 0.2
    table.update(IDS[~high], score=10 * STEPS_PER_BIN)
    order = Order(fraction=1.0, restraint=1.0, guarded=True, reweigh=np.ones(1), probation=1.0)
    h = Weighing(counts, table, None, settings, order)(1.0)
    relative = shares(table, h)
    np.testing.assert_allclose(relative[high], 0.25)
    np.testing.assert_allclose(relative[~high], (1 - 0.2 * 0.25) / 0.8)


def test_buckets_are_reweighed_news_included_but_not_at_strength_zero():
    table = scored(2, unscored=200)
    plain, twice = weighing(table), weighing(table, reweigh=np.array([1.0, 2.0]))
    np.testing.assert_array_equal(twice(0.0), plain(0.0))
    before, after = (table.per_window(w(4.0)) for w in (plain, twice))
    odd = IDS % 2 == 1
    np.testing.assert_allclose(after[odd], 2 * before[odd])
    np.testing.assert_allclose(after[~odd], before[~odd])


def test_a_bucket_of_news_only_is_reweighed_as_well():
    table = scored(2)
    table.update(IDS[1::2], verdict=UNSCORED)
    before, after = (
        table.per_window(weighing(table, reweigh=factors)(4.0))
        for factors in (np.ones(2), np.array([1.0, 3.0]))
    )
    np.testing.assert_allclose(after[1::2], 3 * before[1::2])
    assert before[1] == pytest.approx(before[::2].mean())


def test_news_weigh_as_the_mean_of_their_bucket_or_as_the_greatest():
    table = scored(2, unscored=200)
    h = table.per_window(weighing(table)(4.0))
    news = IDS < 200
    for bucket in (0, 1):
        here = IDS % 2 == bucket
        np.testing.assert_allclose(h[here & news], h[here & ~news].mean())
    settings = BandSettings(unseen="max")
    h = table.per_window(weighing(table, settings=settings)(4.0))
    np.testing.assert_allclose(h[news], h[~news].max())


def test_news_weigh_by_their_prototype_where_there_are_any():
    table = Table(IDS % 4, np.zeros(4, int))
    positions = np.array([100.0, 150.0, 200.0, 250.0])
    settings = BandSettings(rule="power", exponent=1.0)
    h = table.per_window(weighing(table, positions, settings)(1.0))
    np.testing.assert_allclose(h[:4], [0.125, 0.375, 0.625, 0.875])


@pytest.mark.parametrize("rule", ["exponential", "two-level", "temperature"])
@pytest.mark.parametrize("ess", [0.15, 0.3, 0.5])
def test_the_effective_sample_size_is_reached(rule, ess):
    table = scored()
    settings = BandSettings(rule=rule, ess=ess, exponent=20.0)
    found = weighing(table, settings=settings)
    counts = table.drawable()
    p = mixture(found(found.strongest()), counts, floor=settings.floor, cap=settings.cap)
    share = effective_share(p, counts)
    # Least of all to be had: the cap, or the top tenth with all but the floor.
    least = {"two-level": 1 / (0.1 * 7.75**2 + 0.9 * 0.25**2)}.get(rule, 0.0)
    aimed = max(ess + MARGIN * (1 - ess), least)
    assert aimed <= share * (1 + 1e-9)
    assert share < aimed + 0.03


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_the_controller_reaches_its_target(fraction):
    table = scored()
    settings = BandSettings(mean_rank=0.7, ess=0.15)
    found = weighing(table, settings=settings, fraction=fraction)
    counts = table.drawable()
    p = mixture(found(found.strongest()), counts, floor=settings.floor, cap=settings.cap)
    rank = np.zeros(len(p))
    below = np.cumsum(counts[table.scored])
    rank[table.scored] = (below - counts[table.scored] / 2) / N
    mean = (counts * p) @ rank
    assert mean <= 0.5 + 0.2 * fraction + 1e-6
    assert mean == pytest.approx(0.5 + 0.2 * fraction, abs=0.01)


def test_ranks_within_buckets_with_ties_and_empty_prototypes():
    buckets = np.array([0, 1, 0, 0, 1, 0])
    positions = np.array([3.0, 9.0, 1.0, 3.0, 5.0, 2.0])
    counts = np.array([2, 1, 4, 2, 3, 0])
    expected = [6 / 8, 3.5 / 4, 2 / 8, 6 / 8, 1.5 / 4, 4 / 8]
    np.testing.assert_allclose(rank_within(buckets, positions, counts)[0], expected, atol=1e-6)


def test_ranks_of_buckets_do_not_tie_with_one_another():
    found, _ = rank_within(np.array([0, 1]), np.array([7.0, 7.0]), np.array([5, 1]))
    np.testing.assert_allclose(found, [0.5, 0.5])
    empty, _ = rank_within(np.array([0, 0]), np.array([7.0, 8.0]), np.array([0, 0]))
    np.testing.assert_allclose(empty, [0.25, 0.75])
