import copy
import pickle

import numpy as np
import pytest

from bandpass.curriculum.draws import Draw, Schedule, philox


def make(number: int) -> Draw:
    return Draw([number, number + 1], number, np.array([0.25, 0.75]))


@pytest.mark.parametrize("through", [copy.deepcopy, lambda draw: pickle.loads(pickle.dumps(draw))])
def test_draw_survives_the_trip_through_a_worker(through):
    there_and_back = through(make(3))
    assert type(there_and_back) is Draw
    assert there_and_back == [3, 4]
    assert there_and_back.number == 3
    np.testing.assert_array_equal(there_and_back.p, [0.25, 0.75])


def test_draw_indexes_arrays_like_a_list():
    np.testing.assert_array_equal(np.arange(10)[make(3)], [3, 4])


def test_philox_depends_on_both_keys_and_nothing_else():
    first = philox(1, 2).random(4)
    np.testing.assert_array_equal(first, philox(1, 2).random(4))
    assert not np.array_equal(first, philox(2, 1).random(4))
    assert not np.array_equal(first, philox(1, 3).random(4))


def test_philox_is_that_of_numpy_under_the_same_key():
    key = np.array([1, 2**63 + 5], dtype=np.uint64)
    expected = np.random.Generator(np.random.Philox(key=key)).random(4)
    np.testing.assert_array_equal(philox(1, 2**63 + 5).random(4), expected)


def test_length_is_what_iterating_yields():
    schedule = Schedule(5)
    run = schedule.run(make)
    first, second = next(run), next(run)
    schedule.settle(first.number)
    assert len(schedule) == 4
    assert [draw.number for draw in schedule.run(make)] == [1, 2, 3, 4]
    schedule.settle(second.number)
    assert len(schedule) == 3


def test_draws_in_flight_come_again_first_after_a_resume():
    schedule = Schedule(6)
    run = schedule.run(make)
    drawn = [next(run) for _ in range(4)]
    schedule.settle(drawn[1].number)  # out of order
    resumed = Schedule(6)
    resumed.load_state_dict(schedule.state_dict())
    again = list(resumed.run(make))
    assert [draw.number for draw in again] == [0, 2, 3, 4, 5]
    assert again[:3] == [drawn[0], drawn[2], drawn[3]]
    np.testing.assert_array_equal(again[1].p, drawn[2].p)


def test_a_saved_account_does_not_change_with_the_live_one():
    schedule = Schedule(3)
    draw = next(schedule.run(make))
    state = schedule.state_dict()
    draw.p[:] = 0
    assert state["p"][0].tolist() == [0.25, 0.75]


def test_a_run_can_be_extended_but_not_cut_below_what_was_drawn():
    schedule = Schedule(3)
    list(schedule.run(make))
    longer, shorter = Schedule(4), Schedule(2)
    longer.load_state_dict(schedule.state_dict())
    assert len(longer) == 4
    with pytest.raises(ValueError, match="3 draws, this run only 2"):
        shorter.load_state_dict(schedule.state_dict())


@pytest.mark.parametrize(
    ("draw", "text"),
    [(make(7), "draw 7 is not in flight"), (Draw([5, 6], 0, np.ones(2)), "other ids")],
)
def test_strange_draws_are_refused(draw, text):
    schedule = Schedule(3)
    next(schedule.run(make))
    with pytest.raises(ValueError, match=text):
        schedule.check(draw)


def test_a_plain_list_is_no_draw():
    with pytest.raises(TypeError):
        Schedule(3).check([0, 1])


def test_no_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Schedule(0)
