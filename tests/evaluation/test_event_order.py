import numpy as np
import pytest

from bandpass.evaluation import event_order, successive


def test_every_event_is_paired_with_the_next_that_begins_after_it():
    recordings = np.array([0, 0, 0, 0, 1])
    starts, stops = np.array([0, 5, 10, 8, 12]), np.array([6, 9, 12, 11, 20])
    assert successive(recordings, starts, stops).tolist() == [[0, 3], [1, 2]]


def test_events_that_touch_follow_each_other():
    assert successive(np.zeros(2, int), np.array([4, 0]), np.array([8, 4])).tolist() == [[1, 0]]


def pairs(count: int, drift: float, seed: int):
    generator = np.random.default_rng(seed)
    earlier = generator.normal(size=(count, 6))
    later = generator.normal(size=(count, 6))
    later[:, 2] += drift
    return earlier, later


def test_what_changes_from_event_to_event_tells_the_order():
    found = event_order(pairs(200, 3, 0), pairs(300, 3, 1), seed=0)
    assert found.value > 0.9
    assert found.low < found.value


def test_without_any_change_the_order_is_a_guess():
    found = event_order(pairs(300, 0, 0), pairs(300, 0, 1), seed=0)
    assert found.value == pytest.approx(0.5, abs=0.09)
    assert found.low < 0.5 < found.high


def test_equal_embeddings_count_half():
    alike = np.ones((10, 3))
    assert event_order(pairs(50, 4, 0), (np.ones((4, 6)), np.ones((4, 6))), seed=0).value == 0.5
    assert event_order((alike, alike), (alike, alike), seed=0).value == 0.5


def test_no_pair_is_said():
    nothing = (np.empty((0, 6)), np.empty((0, 6)))
    assert "0 to score on" in event_order(pairs(5, 1, 0), nothing, seed=0).note


def test_what_differs_by_rounding_alone_is_equal():
    generator = np.random.default_rng(0)
    one = generator.normal(size=(200, 6)).astype(np.float32)
    other = np.nextafter(one, one + generator.choice([-1, 1], one.shape)).astype(np.float32)
    assert event_order((one[:100], other[:100]), (one[100:], other[100:]), seed=0).value == 0.5
