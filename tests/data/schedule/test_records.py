import runpy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data import DataError
from bandpass.data.schedule.record import (
    LAST_DAY,
    SAMPLES,
    UNDATED,
    Malformed,
    Record,
    participants,
    span,
    text,
    when,
)
from bandpass.data.schedule.records import MOST_DAYS, Hasher, by_day, merge, pack, runs_of
from bandpass.data.schedule.tokens import (
    CALENDAR,
    CODE,
    EMAIL,
    EMPTY,
    FEATURES,
    HOLIDAY,
    PROJECT,
    SLOTS,
    TASK,
    dense,
)

some = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("strategies.py"))))


def tokens_of(record: Record) -> np.ndarray:
    out = np.empty((1, SLOTS, len(FEATURES)), np.float32)
    return dense(runs_of(some.packed([record])), np.array([0]), out)[0]


def record(**changes: object) -> Record:
    return Record("id", ("u:1",), 19_000, 600, 0, TASK, 0, 0, 0, 0, 0.8)._replace(**changes)


GOLDEN = {
    "all-day holiday": (
        record(minute=0, minutes=1440, what=CALENDAR | HOLIDAY, confidence=1.0),
        range(96),
        {"calendar_event": 1, "holiday": 1, "duration": 1, "source_confidence": 1},
    ),
    "OpenProject task created 14:01": (
        record(minute=841, what=TASK | PROJECT, priority=0.5, text=text(228), confidence=0.85),
        [56],
        {"task": 1, "project_activity": 1, "priority": 0.5, "text_length": 0.114}
        | {"source_confidence": 0.85},
    ),
    "Jira 06:48": (
        record(minute=408, what=TASK | PROJECT, text=text(38)),
        [27],
        {"task": 1, "project_activity": 1, "text_length": 0.019, "source_confidence": 0.8},
    ),
    "mail 20:51": (
        record(minute=1251, what=EMAIL, participants=participants(2), text=text(786)),
        [83],
        {"email_activity": 1, "participant_count": 0.08, "text_length": 0.393}
        | {"source_confidence": 0.8},
    ),
    "GitHub event at midnight": (
        record(minute=0, what=PROJECT | CODE, text=text(8), confidence=0.9),
        [0],
        {"project_activity": 1, "code_activity": 1, "text_length": 0.004}
        | {"source_confidence": 0.9},
    ),
    "MS-LaTTE morning task": (
        record(
            **{"day": UNDATED, "minute": 540, "priority": 0.5, "participants": 0.6},
            **{"text": text(16), "confidence": 0.9},
        ),
        [36],
        {"task": 1, "priority": 0.5, "participant_count": 0.6, "text_length": 0.008}
        | {"source_confidence": 0.9},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_worked_examples_come_out_to_the_digit(name):
    one, slots, values = GOLDEN[name]
    tokens = tokens_of(one)
    expected = np.zeros((SLOTS, len(FEATURES)), np.float32)
    expected[:, :2] = (np.arange(SLOTS, dtype=np.float32) / np.float32(95))[:, None]
    for feature, value in values.items():
        expected[list(slots), FEATURES.index(feature)] = value
    np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize(
    ("minute", "minutes", "slots"),
    [
        (0, 0, [0]),
        (14, 1, [0]),
        (14, 2, [0, 1]),
        (15, 15, [1]),
        (600, 46, [40, 41, 42, 43]),
        (1439, 0, [95]),
        (1430, 600, [95]),
    ],
)
def test_a_record_is_in_every_slot_that_it_touches(minute, minutes, slots):
    tokens = tokens_of(record(minute=minute, minutes=minutes))
    assert np.flatnonzero(tokens[:, FEATURES.index("task")]).tolist() == slots


def test_moments_with_a_zone_go_to_utc_and_others_are_as_written():
    assert when(datetime(1970, 1, 2, 23, 30)) == (1, 1410)
    west = timezone(timedelta(hours=-7))
    assert when(datetime(1970, 1, 2, 23, 30, tzinfo=west)) == (2, 390)
    assert when(datetime(9999, 12, 31, 23, 30, tzinfo=west)) == (LAST_DAY, 1410)
    assert when(datetime(1, 1, 1, tzinfo=UTC)) == (-719162, 0)


def test_minutes_round_up_and_know_what_is_negative():
    start = datetime(2020, 1, 1)
    assert span(start, start) == 0
    assert span(start, start + timedelta(seconds=61)) == 2
    assert span(start, start - timedelta(minutes=5)) == -5


def test_amounts_are_capped_at_one():
    assert (participants(26), text(2001)) == (1.0, 1.0)


def test_malformed_counts_all_and_keeps_a_few():
    malformed = Malformed()
    for number in range(SAMPLES + 5):
        malformed.add(f"file:{number}", "no date")
    assert malformed.counts == {"no date": SAMPLES + 5}
    assert malformed.samples[-1] == (f"file:{SAMPLES - 1}", "no date")


def test_hashes_depend_on_the_key_and_the_dataset_and_on_nothing_else():
    one = Hasher(b"key", "a")
    assert one(["x"]) == Hasher(b"key", "a")(["x"]) == one.known(["x"])
    others = [Hasher(b"kez", "a"), Hasher(b"key", "b")]
    assert len({int(hasher(["x"])[0]) for hasher in [one, *others]}) == 3
    assert one.known(["x", "y", "x"]).tolist() == one(["x", "y", "x"]).tolist()


def test_the_first_actor_owns_the_record_and_nobody_owns_one_without():
    hasher = Hasher(b"key", "a")
    packed = pack([record(actors=("u:1", "p:2", "u:1")), record(actors=())], hasher)
    assert packed.records["owner"].tolist() == [int(hasher(["u:1"])[0]), 0]
    assert packed.actors.tolist() == hasher(["u:1", "p:2"]).tolist()
    assert packed.of.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("field", "value"), [("priority", 1.5), ("text", float("nan")), ("minute", 1440), ("what", 128)]
)
def test_numbers_that_no_record_holds_are_refused(field, value):
    with pytest.raises(DataError, match=r"record 'id': \w+ is"):
        some.packed([record(**{field: value})])


def test_a_record_over_midnight_is_part_of_both_days():
    runs, of, day = by_day(some.packed([record(minute=1380, minutes=120)]))
    assert (of.tolist(), day.tolist()) == ([0, 0], [19_000, 19_001])
    assert (runs["slot"].tolist(), runs["slots"].tolist()) == ([92, 0], [4, 4])
    assert runs["duration"].tolist() == [83, 83]  # of the whole record, on both days


@given(some.some_records())
def test_days_of_a_record_follow_each_other_and_hold_all_its_minutes(records):
    packed = some.packed(records)
    runs, of, day = by_day(packed)
    for number, one in enumerate(records):
        own = of == number
        if one.day == UNDATED:
            assert not own.any()
            continue
        assert day[own].tolist() == list(range(one.day, one.day + own.sum()))
        assert day[own].max() <= LAST_DAY
        whole = -(-max(one.minute + one.minutes, one.minute + 1) // 15) - one.minute // 15
        if own.sum() < MOST_DAYS and day[own].max() < LAST_DAY:
            assert runs["slots"][own].sum(dtype=int) == whole
        assert (runs["slots"][own][1:-1] == SLOTS).all()
        for name in ("what", "priority", "completion"):
            assert (runs[name][own] == packed[name][number]).all()


@given(some.some_records(), st.integers(1, 3), st.randoms())
def test_a_merged_window_is_the_largest_of_its_records_in_every_slot(records, windows, random):
    runs = runs_of(some.packed(records))
    window = np.array([random.randrange(windows) for _ in runs], np.int64)
    alone = dense(runs, np.arange(len(runs)), np.empty((len(runs), SLOTS, 16), np.float32))
    merged, of = merge(runs, window, windows)
    found = dense(merged, of, np.empty((windows, SLOTS, 16), np.float32))
    for number in range(windows):
        own = alone[window == number]
        expected = own.max(axis=0) if len(own) else EMPTY
        np.testing.assert_array_equal(found[number], expected)
    assert (np.diff(of) >= 0).all()
