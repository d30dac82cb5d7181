import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.evaluation import Stretches, proposals, segment_ap
from bandpass.evaluation.localisation import TIOU, overlap


def stretches(*rows: tuple[int, float, float]) -> Stretches:
    table = np.array(rows, float).reshape(-1, 3)
    return Stretches(table[:, 0].astype(int), table[:, 1], table[:, 2])


def activitynet(found: Stretches, scores, truth: Stretches, level: float) -> float:
    """The loops of ActivityNet's eval_detection.py, written out again."""
    order = sorted(range(len(scores)), key=lambda row: -scores[row])
    taken: set[int] = set()
    true = np.zeros(len(scores))
    for rank, row in enumerate(order):
        own = [e for e in range(len(truth.starts)) if truth.recordings[e] == found.recordings[row]]
        ends = float(found.starts[row]), float(found.stops[row])
        share = {e: overlap(*ends, truth.starts[[e]], truth.stops[[e]])[0] for e in own}
        for event in sorted(own, key=lambda e: -share[e]):
            if share[event] < level:
                break
            if event not in taken:
                taken.add(event)
                true[rank] = 1
                break
    hits = np.cumsum(true)
    precision = np.hstack([[0], hits / np.arange(1, len(scores) + 1), [0]])
    recall = np.hstack([[0], hits / len(truth.starts), [1]])
    for i in range(len(precision) - 1)[::-1]:
        precision[i] = max(precision[i], precision[i + 1])
    steps = np.where(recall[1:] != recall[:-1])[0] + 1
    return float(((recall[steps] - recall[steps - 1]) * precision[steps]).sum())


def test_overlap_by_hand():
    found = overlap(0.0, 10.0, np.array([5.0, 10.0, -5.0, 2.0]), np.array([15.0, 20.0, 20.0, 4.0]))
    assert found == pytest.approx([5 / 15, 0, 10 / 25, 2 / 10])


def test_golden_average_precision():
    truth = stretches((0, 0, 10), (1, 0, 10))
    # Best first: true in 0; a second one of the same event, false; true in 1 only up to .5.
    found = stretches((0, 0, 10), (0, 1, 9), (1, 0, 5))
    ap = segment_ap(found, np.array([0.9, 0.8, 0.7]), truth, seed=0)
    assert ap["segment_ap_at_0.5"].value == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert ap["segment_ap"].count == 2
    short = segment_ap(
        found._replace(stops=np.array([10, 9, 4.0])), np.array([3, 2, 1.0]), truth, seed=0
    )
    assert short["segment_ap_at_0.5"].value == pytest.approx(0.5)
    assert short["segment_ap_at_0.4"].value == pytest.approx(0.5 + 0.5 * 2 / 3)


stretch = st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 9)).map(
    lambda each: (each[0], each[1], each[1] + each[2])
)


@given(
    st.lists(st.tuples(stretch, st.integers(0, 10_000)), min_size=1, max_size=15),
    st.lists(stretch, min_size=1, max_size=6, unique=True),
)
def test_agrees_with_activitynet(found, truth):
    where = stretches(*(row for row, _ in found))
    scores = np.array([score for _, score in found], float)
    ap = segment_ap(where, scores, stretches(*truth), seed=0, resamples=2)
    for level in TIOU:
        expected = activitynet(where, scores, stretches(*truth), level)
        assert ap[f"segment_ap_at_{level}"].value == pytest.approx(expected)


def test_no_event_and_no_proposal():
    nothing = stretches()
    assert (
        "no event"
        in segment_ap(stretches((0, 0, 1)), np.ones(1), nothing, seed=0)["segment_ap"].note
    )
    assert segment_ap(nothing, np.empty(0), stretches((0, 0, 1)), seed=0)["segment_ap"].value == 0


def test_recordings_are_resampled():
    truth = stretches((0, 0, 10), (1, 0, 10), (2, 0, 10), (3, 0, 10))
    found = stretches((0, 0, 10), (1, 0, 10), (2, 20, 30), (3, 20, 30))
    ap = segment_ap(found, np.array([0.9, 0.8, 0.85, 0.7]), truth, seed=0)["segment_ap"]
    assert ap.low < ap.value < ap.high
    lone = segment_ap(found, np.ones(4), stretches((0, 0, 10)), seed=0)["segment_ap"]
    assert np.isnan(lone.low)
    assert "1 recording" in lone.note


def sliding(count: int, recording: int = 0, stride: int = 4, length: int = 16) -> Stretches:
    starts = np.arange(count) * stride
    return Stretches(np.full(count, recording), starts, starts + length)


def test_a_peak_of_the_probe_becomes_one_proposal_in_the_right_place():
    clips = sliding(50)
    centre = clips.starts + 8
    inside = (centre >= 80) & (centre < 120)
    where, scores = proposals(clips, np.where(inside, 0.9, 0.1))
    best = int(scores.argmax())
    assert (where.starts[best], where.stops[best]) == (78, 118)  # half a stride about the centres
    assert scores[best] == pytest.approx(0.8)
    assert len(scores) == 1


def test_of_nested_proposals_the_one_at_the_steepest_edge_wins():
    probability = np.concatenate(
        [np.full(20, 0.1), [0.3], np.full(8, 0.8), [0.3], np.full(20, 0.1)]
    )
    where, scores = proposals(sliding(50), probability)
    best = int(scores.argmax())
    assert (where.stops[best] - where.starts[best]) / 4 == 8


def test_proposals_stay_within_a_recording_and_a_gap_ends_them():
    two = [sliding(10, 0), sliding(10, 1)]
    clips = Stretches(*(np.concatenate(columns) for columns in zip(*two, strict=True)))
    probability = np.full(20, 0.1)
    probability[[8, 9, 10, 11]] = 0.9
    where, _ = proposals(clips, probability)
    assert sorted(where.recordings) == [0, 1]
    gap = sliding(10)._replace(starts=np.array([0, 4, 8, 12, 16, 96, 100, 104, 108, 112]))
    gap = gap._replace(stops=gap.starts + 16)
    probability = np.full(10, 0.1)
    probability[[3, 4, 5, 6]] = 0.9
    where, _ = proposals(gap, probability)
    assert sorted(zip(where.starts, where.stops, strict=True)) == [(18, 26), (102, 110)]


def test_a_probe_that_says_the_same_of_every_clip_proposes_nothing():
    where, scores = proposals(sliding(10), np.full(10, 0.4))
    assert len(scores) == len(where.starts) == 0
