"""Guards weaken the band when what it must not cost is lost, and forgive when it is back."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bandpass.curriculum.balance import Balance
from bandpass.curriculum.guards import Guards, GuardSettings, Reading, moves

HEALTHY = Reading(
    rank=20.0,
    isotropy={0: 0.4, 1: 0.2},
    coverage=0.8,
    similarity=0.3,
    position=0.05,
    sample=0.1,
    scale=0.2,
    retention=0.3,
    tail=0.5,
)
BREACHES = {
    "effective rank": {"rank": 11.0},
    "isotropy of regime 1": {"isotropy": {0: 0.4, 1: 0.09}},
    "coverage of the tail slice": {"coverage": 0.39},
    "tail-slice probe AP": {"tail": 0.34},
    "positive-pair similarity": {"similarity": 0.51},
    "collapse over samples": {"position": 0.31},
    "collapse over time": {"sample": 0.36},
    "collapse in scale": {"scale": 0.91},
    "normal retention loss": {"retention": 0.41},
}


def judged(*readings: Reading, settings: GuardSettings | None = None) -> list[float]:
    guards = Guards(settings or GuardSettings())
    return [guards.judge(reading).factor for reading in readings]


def but(**changes: object) -> Reading:
    return dataclasses.replace(HEALTHY, **changes)


@pytest.mark.parametrize("name", BREACHES)
def test_each_breach_acts_and_is_named_with_its_figures(name):
    guards = Guards()
    assert guards.judge(HEALTHY).factor == 1
    decision = guards.judge(but(**BREACHES[name]))
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith(name)
    (value,) = BREACHES[name].values()
    value = value[1] if isinstance(value, dict) else value
    assert f"to {value:.3g} (limit" in decision.reasons[0]
    assert decision.off == (name == "normal retention loss")
    assert decision.factor == (0 if decision.off else 0.5)


def test_a_breach_of_normal_retention_is_for_good():
    factors = judged(HEALTHY, but(retention=0.6), *[HEALTHY] * 9)
    assert factors == [1, *[0] * 10]


def test_every_breach_weakens_and_patience_recovers():
    bad = but(rank=5.0)
    assert judged(HEALTHY, *[bad] * 5) == [1, 0.5, 0.25, 0.125, 0, 0]
    assert judged(HEALTHY, bad, bad, *[HEALTHY] * 5) == [1, 0.5, 0.25, 0.25, 0.5, 0.5, 1, 1]


def test_it_comes_back_from_nought():
    bad = but(rank=5.0)
    factors = judged(HEALTHY, *[bad] * 4, *[HEALTHY] * 10)
    assert factors[4] == 0
    assert factors[-1] == 1


def test_between_calm_and_limit_nothing_changes():
    """Hysteresis: a reading that hovers at the limit must not make the band flap."""
    hovering = but(rank=20 * 0.65)  # the limit is 0.6, calm ends at 0.72
    assert set(judged(HEALTHY, but(rank=5.0), *[hovering] * 20)[1:]) == {0.5}
    assert judged(HEALTHY, *[hovering] * 5) == [1] * 6


def test_patience_is_of_readings_in_a_row():
    bad, near = but(rank=5.0), but(rank=13.0)
    assert judged(HEALTHY, bad, *[HEALTHY, near] * 10)[-1] == 0.5


def test_two_breaches_at_a_time_weaken_once():
    assert judged(HEALTHY, but(rank=5.0, coverage=0.1))[-1] == 0.5


def test_what_is_not_measured_is_no_breach():
    empty = Reading()
    assert judged(HEALTHY, empty, empty) == [1, 1, 1]
    assert judged(empty, but(rank=0.1)) == [1, 1]
    assert not list(moves(HEALTHY, empty, GuardSettings()))


better = st.floats(1.0, 3.0)


@given(better, better)
def test_what_gets_better_never_weakens(more, less):
    improved = but(
        rank=HEALTHY.rank * more,
        coverage=HEALTHY.coverage * more,
        tail=HEALTHY.tail * more,
        retention=HEALTHY.retention / less,
        position=HEALTHY.position / less,
    )
    assert judged(HEALTHY, improved) == [1, 1]


@given(st.lists(st.sampled_from([*BREACHES.values(), {}]), max_size=30))
def test_the_factor_stays_in_range_and_resumes_exactly(changes):
    readings = [HEALTHY, *(but(**change) for change in changes)]
    whole = judged(*readings)
    assert all(0 <= factor <= 1 for factor in whole)
    half = len(readings) // 2
    first, second = Guards(), Guards()
    for reading in readings[:half]:
        first.judge(reading)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert [second.judge(reading).factor for reading in readings[half:]] == whole[half:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 1.0}, r"rank must be in \(0, 1\), got 1.0"),
        ({"down": 0.0}, r"down must be in \(0, 1\)"),
        ({"retention": 0.0}, "retention must be over 0"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_refuses_settings(change, message):
    with pytest.raises(ValueError, match=message):
        GuardSettings(**change)


POPULATION = np.array([600, 300, 100])


def shares(multiple: np.ndarray) -> np.ndarray:
    return multiple * POPULATION / POPULATION.sum()


def test_a_bucket_that_is_lost_gets_more():
    balance = Balance(POPULATION)
    np.testing.assert_allclose(balance.update({0: 0.0, 1: 0.0, 2: 0.0}), 1)
    found = balance.update({0: 0.0, 1: 0.0, 2: 0.55})
    assert found[2] > 1 > found[0]
    assert found[0] == pytest.approx(found[1])
    assert shares(found).sum() == pytest.approx(1)
    np.testing.assert_allclose(balance.excess, [0, 0, 0.5])


def test_by_hand():
    """pi <- pi exp(eta excess), normalised, then mixed."""
    balance = Balance(np.array([1, 1]), eta=2.0, delta=0.1, mix=0.2)
    balance.update({0: 1.0, 1: 1.0})
    raised = np.array([1.0, np.exp(2 * 0.4)])
    wanted = 0.8 * raised / raised.mean() + 0.2
    np.testing.assert_allclose(balance.update({0: 1.0, 1: 1.5}), wanted)


def test_within_delta_of_the_best_nothing_happens():
    balance = Balance(POPULATION, delta=0.1)
    balance.update({0: 0.0, 1: 0.0, 2: 0.0})
    np.testing.assert_allclose(balance.update({0: 0.0, 1: 0.0, 2: 0.09}), 1)


def test_it_returns_to_the_natural_shares():
    balance = Balance(POPULATION)
    balance.update({0: 0.0, 1: 0.0, 2: 0.0})
    lost = balance.update({2: 1.0})
    back = [balance.update({2: 0.0}) for _ in range(60)]
    assert lost[2] > 1.5
    np.testing.assert_allclose(back[-1], 1, atol=0.01)


losses = st.dictionaries(
    st.integers(0, 2), st.floats(allow_nan=True, allow_infinity=True, width=16), max_size=3
)


@given(st.lists(losses, max_size=20))
def test_shares_sum_to_one_whatever_comes_in_and_resume(sequence):
    whole, first, second = Balance(POPULATION), Balance(POPULATION), Balance(POPULATION)
    wanted = [whole.update(entry) for entry in sequence]
    for multiple in wanted:
        assert (multiple > 0).all()
        assert shares(multiple).sum() == pytest.approx(1)
    half = len(sequence) // 2
    for entry in sequence[:half]:
        first.update(entry)
    second.load_state_dict(first.state_dict())
    for entry, multiple in zip(sequence[half:], wanted[half:], strict=True):
        np.testing.assert_array_equal(second.update(entry), multiple)


@given(st.permutations(range(3)), st.lists(losses, min_size=1, max_size=5))
def test_buckets_may_be_renumbered(order, sequence):
    plain, renamed = Balance(POPULATION), Balance(POPULATION[order])
    place = {bucket: position for position, bucket in enumerate(order)}
    for entry in sequence:
        one = plain.update(entry)
        other = renamed.update({place[bucket]: loss for bucket, loss in entry.items()})
    np.testing.assert_allclose(one[order], other)


@pytest.mark.parametrize("population", [np.zeros(3, int), np.ones((2, 2), int), np.array([-1, 5])])
def test_refuses_a_population(population):
    with pytest.raises(ValueError, match="population must be"):
        Balance(population)
