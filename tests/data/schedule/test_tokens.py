import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data import DataError
from bandpass.data.schedule.records import runs_of
from bandpass.data.schedule.tokens import (
    AMOUNTS,
    CODE,
    EMPTY,
    FEATURES,
    FLAGS,
    HOLIDAY,
    RUN,
    SCALE,
    SLOTS,
    TASK,
    dense,
    faults,
    runs_of_slots,
    sparse,
)

some = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("strategies.py"))))


def rebuilt(runs: np.ndarray, window: np.ndarray, windows: int) -> np.ndarray:
    return dense(runs, window, np.full((windows, SLOTS, len(FEATURES)), np.nan, np.float32))


def test_an_empty_window_says_where_its_slots_are_and_nothing_else():
    window = rebuilt(np.zeros(0, RUN), np.zeros(0, np.int64), 1)[0]
    assert (window[:, 0] == window[:, 1]).all()
    np.testing.assert_allclose(window[:, 0], np.arange(96) / 95, rtol=1e-6)
    assert not window[:, 2:].any()


def test_a_run_fills_its_slots_and_no_others():
    run = np.zeros(1, RUN)
    run["slot"], run["slots"], run["what"] = 36, 3, TASK | CODE
    run["priority"], run["source_confidence"] = 500, 850
    window = rebuilt(run, np.array([1]), 2)
    assert np.flatnonzero(window[1, :, 2:].any(axis=1)).tolist() == [36, 37, 38]
    assert not window[0, :, 2:].any()
    told = dict(zip(FEATURES, window[1, 37].tolist(), strict=True))
    assert {name for name, value in told.items() if value == 1} == {"task", "code_activity"}
    assert told["priority"] == 0.5
    assert told["source_confidence"] == pytest.approx(0.85)


def test_a_whole_day_is_one_run_of_96_slots():
    window = EMPTY.copy()[None]
    window[0, :, FEATURES.index("holiday")] = window[0, :, FEATURES.index("duration")] = 1
    runs, of = sparse(window)
    assert (runs["slot"].tolist(), runs["slots"].tolist(), of.tolist()) == ([0], [96], [0])
    assert (runs["what"].tolist(), runs["duration"].tolist()) == ([HOLIDAY], [SCALE])


slots = st.integers(0, 127).flatmap(
    lambda what: st.tuples(st.just(what), *[st.sampled_from([0, 0, 1, 999, 1000])] * len(AMOUNTS))
)


@st.composite
def windows_of_slots(draw: st.DrawFn) -> np.ndarray:
    """(B, 96, 7): stretches of equal slots, in one of several windows."""
    found = np.zeros((draw(st.integers(1, 4)), SLOTS, 1 + len(AMOUNTS)), np.uint16)
    for _ in range(draw(st.integers(0, 12))):
        window, slot = draw(st.integers(0, len(found) - 1)), draw(st.integers(0, SLOTS - 1))
        found[window, slot : slot + draw(st.integers(1, SLOTS))] = draw(slots)
    return found


@given(windows_of_slots())
def test_windows_survive_as_runs_to_the_bit(given_slots):
    runs, of = runs_of_slots(given_slots)
    tokens = rebuilt(runs, of, len(given_slots))
    again, of_again = sparse(tokens)
    assert again.tobytes() == runs.tobytes()
    assert of_again.tolist() == of.tolist()
    what = given_slots[:, :, :1] >> np.arange(len(FLAGS)) & 1
    assert (tokens[:, :, 2:9] == what).all()
    assert (np.rint(tokens[:, :, 9:15] * SCALE) == given_slots[:, :, 1:]).all()
    assert not tokens[:, :, 15].any()


@given(windows_of_slots())
def test_runs_are_as_few_as_can_be_and_in_order(given_slots):
    runs, of = runs_of_slots(given_slots)
    start = of * SLOTS + runs["slot"]
    assert (np.diff(start) > 0).all()
    assert (runs["slots"] > 0).all()
    assert (runs["slot"].astype(int) + runs["slots"] <= SLOTS).all()
    touching = (start[1:] == start[:-1] + runs["slots"][:-1]) & (of[1:] == of[:-1])
    values = [runs[name] for name in ("what", *AMOUNTS)]
    differ = np.any([value[1:] != value[:-1] for value in values], axis=0)
    assert (differ | ~touching).all()


@given(some.some_records())
def test_what_the_store_rebuilds_is_a_window(records):
    runs = runs_of(some.packed(records))
    tokens = rebuilt(runs, np.arange(len(runs)), len(runs))
    assert not any(where.any() for where in faults(tokens).values())


def test_rounding_is_to_thousandths():
    window = EMPTY.copy()[None]
    window[0, 5, FEATURES.index("text_length")] = 0.1236
    runs, _ = sparse(window)
    assert runs["text_length"].tolist() == [124]


@pytest.mark.parametrize(
    ("feature", "value", "wrong"),
    [
        ("duration", np.nan, "duration nan is not in [0, 1]"),
        ("duration", 1.01, "duration 1.0099999904632568 is not in [0, 1]"),
        ("priority", -1, "priority -1.0 is not in [0, 1]"),
        ("slot_position", 0.5, "slot_position 0.5 is not i / 95 in slot i"),
        ("task", 0.5, "task 0.5 is neither 0 nor 1"),
        ("reserved", 1, "reserved 1.0 is not 0, and it is reserved"),
    ],
)
def test_what_is_no_window_is_refused_with_its_place(feature, value, wrong):
    windows = np.stack([EMPTY, EMPTY])
    windows[1, 7, FEATURES.index(feature)] = value
    with pytest.raises(DataError) as error:
        sparse(windows)
    assert str(error.value) == f"window 1, slot 7: {wrong}"


def test_another_shape_is_refused():
    with pytest.raises(DataError, match=r"tokens have shape \(95, 16\), a window is \(96, 16\)"):
        sparse(np.zeros((2, 95, 16)))
