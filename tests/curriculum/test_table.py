"""The table: cells of rows, their counts, and draws with the cells' probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.curriculum.histogram import BINS
from bandpass.curriculum.table import (
    BANNED,
    HELD,
    OPEN,
    PINNED,
    PROBATION,
    ROW,
    STEPS_PER_BIN,
    UNSCORED,
    Table,
    to_score,
)

N = 40
VERDICTS = [UNSCORED, OPEN, PROBATION, HELD, BANNED, PINNED]
MIXED = {"verdict": OPEN, "score": np.arange(N, dtype=np.uint16) * 900}


def small() -> Table:
    """Five prototypes in two buckets."""
    return Table(np.arange(N) % 5, np.array([0, 0, 0, 1, 1]))


def read(table: Table, window: int) -> int:
    """The cell of a window in plain words."""
    row = table.rows[window]
    prototype, verdict = int(row["prototype"]), int(row["verdict"])
    prototypes = len(table.bucket_of)
    if verdict == UNSCORED:
        return prototype
    if verdict == OPEN:
        bucket = int(table.bucket_of[prototype])
        return prototypes + bucket * BINS + int(row["score"]) // STEPS_PER_BIN
    return prototypes + table.buckets * BINS + [PROBATION, HELD, BANNED, PINNED].index(verdict)


updates = st.lists(
    st.tuples(
        st.sets(st.integers(0, N - 1), min_size=1, max_size=8),
        st.sampled_from(VERDICTS),
        st.integers(0, 65535),
        st.integers(0, 255),
    ),
    max_size=12,
)


@given(updates)
def test_counts_are_those_of_the_cells_after_any_updates(changes):
    table = small()
    for ids, verdict, score, visits in changes:
        table.update(np.array(sorted(ids)), verdict=verdict, score=score, visits=visits)
    cells = table.cell(np.arange(N))
    np.testing.assert_array_equal(table.counts, np.bincount(cells, minlength=table.cells))
    assert table.population() == (table.rows["verdict"] != BANNED).sum()
    assert table.drawable().sum() == table.population()


@given(
    verdict=st.sampled_from(VERDICTS),
    score=st.sampled_from([0, 127, 128, 32767, 32768, 65535]),
    prototype=st.sampled_from([0, 1, 32767, 32768, 65535]),
    visits=st.sampled_from([0, 1, 255]),
    suspicion=st.sampled_from([0, 255]),
    progress=st.sampled_from([-128, -1, 127]),
)
@settings(max_examples=30)
def test_a_cell_is_read_off_the_fields_whatever_they_hold(prototype, **columns):
    table = Table(np.array([prototype, 0]), np.arange(1 << 16) % 7)
    table.update(np.array([0]), **columns)
    assert table.cell(np.array([0]))[0] == table.cell(slice(0, 1))[0] == read(table, 0)
    assert table.counts[read(table, 0)] >= 1


def test_twelve_bytes_a_window():
    table = small()
    assert ROW.itemsize + table.touched.itemsize == 12
    assert table.rows.nbytes + table.touched.nbytes == 12 * N


def test_windows_are_drawn_as_often_as_their_cells_say():
    table = small()
    table.update(np.arange(20), **{name: np.resize(v, 20) for name, v in MIXED.items()})
    table.update(np.arange(4), verdict=BANNED)
    table.update(np.arange(4, 8), verdict=HELD)
    weight = np.random.default_rng(0).lognormal(0, 1, table.cells)
    weight[table.state(BANNED)] = 0
    p = weight / (table.counts @ weight)
    size = 40_000
    ids, stated = table.draw(size, p, np.random.default_rng(1))
    per_window = table.per_window(p)
    np.testing.assert_array_equal(stated, per_window[ids])
    assert per_window.sum() == pytest.approx(1)
    found, expected = np.bincount(ids, minlength=N), size * per_window
    assert (found[:4] == 0).all()
    chi2 = ((found - expected)[4:] ** 2 / expected[4:]).sum()
    assert chi2 < 35 + 4 * np.sqrt(70)


def test_slots_are_independent():
    """The second of two slots is drawn as it would be alone, whatever the first one was."""
    table = Table(np.array([0, 1]), np.array([0, 0]))
    p = np.zeros(table.cells)
    p[:2] = 0.9, 0.1
    pairs = np.zeros((2, 2))
    for number in range(4000):
        (first, second), _ = table.draw(2, p, np.random.default_rng(number))
        pairs[first, second] += 1
    np.testing.assert_allclose(pairs / 4000, np.outer(p[:2], p[:2]), atol=0.02)


def test_state_survives_and_is_a_copy():
    table, other = small(), small()
    table.update(np.arange(N), **MIXED)
    table.touched[3] = 17
    state = table.state_dict()
    table.update(np.arange(3), verdict=BANNED)
    other.load_state_dict(state)
    assert other.population() == N
    assert other.touched[3] == 17
    np.testing.assert_array_equal(other.rows["score"], MIXED["score"])
    other.update(np.arange(5), verdict=HELD)
    np.testing.assert_array_equal(
        other.counts, np.bincount(other.cell(np.arange(N)), minlength=other.cells)
    )
    assert small().load_state_dict(state) is None, "loading must not have touched the state"


@pytest.mark.parametrize(
    "other",
    [
        Table(np.arange(N) % 5, np.array([0, 0, 1, 1, 1])),
        Table(np.arange(N) % 4, np.array([0, 0, 0, 1])),
        Table(np.arange(N)[::-1] % 5, np.array([0, 0, 0, 1, 1])),
    ],
    ids=["buckets", "fewer", "prototypes"],
)
def test_other_groupings_are_refused(other):
    with pytest.raises(ValueError, match="saved with other buckets or prototypes"):
        other.load_state_dict(small().state_dict())


def test_scores_are_kept_to_a_fraction_of_a_bin():
    bins = np.array([0.0, 0.0039, 255.5, BINS - 1e-3, BINS + 9.0, -1.0])
    np.testing.assert_allclose(
        to_score(bins) / STEPS_PER_BIN, np.clip(bins, 0, BINS - 1e-3), atol=0.008
    )
