import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.evaluation import Items, retrieval


def items(features, labels, recordings=None) -> Items:
    recordings = np.arange(len(labels)) if recordings is None else np.array(recordings)
    return Items(np.array(features, float), np.array(labels), recordings)


def at_angles(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_golden_ranking():
    # Ranked 0: b a b a; relevant at ranks 2 and 4: AP (1/2 + 2/4) / 2. Second query: AP 1.
    gallery = items(at_angles(5, 10, 20, 40), [1, 0, 1, 0], [10, 11, 12, 13])
    found = retrieval(items(at_angles(0, 44), [0, 0]), gallery, seed=0)
    second = (1 / 1 + 2 / 3) / 2  # 40 (a), 20 (b), 10 (a), 5 (b)
    assert found["recall_at_1"].value == 0.5
    assert found["recall_at_5"].value == 1.0
    assert found["mean_average_precision"].value == pytest.approx((0.5 + second) / 2)
    assert found["chance"].value == 0.5
    assert found["chance"].count == 2


def test_length_of_an_embedding_does_not_count():
    gallery = items(at_angles(5, 50) * [[100.0], [0.01]], [1, 0], [10, 11])
    found = retrieval(items(at_angles(60), [0]), gallery, seed=0)
    assert found["recall_at_1"].value == 1.0


def test_items_of_the_same_recording_are_not_shown():
    gallery = items(at_angles(0, 30, 60), [0, 1, 0], [0, 1, 2])
    found = retrieval(items(at_angles(0), [0], [0]), gallery, seed=0)
    assert found["recall_at_1"].value == 0.0
    assert found["mean_average_precision"].value == 0.5


def test_unknown_items_neither_ask_nor_answer():
    gallery = items(at_angles(0, 30), [-1, 0], [10, 11])
    found = retrieval(items(at_angles(0, 0), [0, -1]), gallery, seed=0)
    assert found["recall_at_1"].value == 1.0
    assert found["recall_at_1"].count == 1


def test_an_encoder_that_embeds_everything_alike_finds_nothing():
    labels = [0] + [1] * 9
    gallery = items(np.ones((10, 3)), labels, range(10, 20))
    found = retrieval(items(np.ones((1, 3)), [0]), gallery, seed=0)
    assert found["recall_at_5"].value == 0.0
    assert found["mean_average_precision"].value == pytest.approx(0.1)


def test_nothing_to_find_is_said():
    found = retrieval(items(at_angles(0), [0]), items(at_angles(0), [1], [5]), seed=0)
    assert np.isnan(found["mean_average_precision"].value)
    assert "no query" in found["mean_average_precision"].note


@given(st.integers(0, 100))
def test_random_embeddings_come_out_near_chance(seed):
    generator = np.random.default_rng(seed)
    cloud, labels = generator.normal(size=(400, 8)), generator.integers(0, 4, 400)
    queries = Items(cloud[:200], labels[:200], np.arange(200))
    gallery = Items(cloud[200:], labels[200:], np.arange(200, 400))
    found = retrieval(queries, gallery, seed=seed, resamples=50)
    assert found["recall_at_1"].value == pytest.approx(found["chance"].value, abs=0.16)
    assert found["mean_average_precision"].low < found["mean_average_precision"].high


def test_columns_have_to_match():
    with pytest.raises(ValueError, match="gallery must have 2 columns"):
        retrieval(items(at_angles(0), [0]), items(np.ones((1, 3)), [0], [9]), seed=0)
