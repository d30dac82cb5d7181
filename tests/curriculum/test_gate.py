import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bandpass.curriculum.gate import Evidence, Gate, GateSettings, Judgement
from bandpass.curriculum.triage import (
    FAULTY,
    IRREDUCIBLE,
    ISOLATED,
    OPEN,
    PROBATION,
    TriageSettings,
    blank,
    decode_progress,
    decode_suspicion,
    encode_progress,
    encode_suspicion,
    remember,
    triage,
)

WIDTH = 16
SMALL = GateSettings(size=512, recent=256)


class Stream:
    """A made-up stream of surprising windows: common, a rare cluster of 24, and 40 one-offs."""

    common, rare, single = (
        np.arange(0, 8000, 20),
        10_000 + 20 * np.arange(24),
        20_000 + np.arange(40) * 20,
    )

    def __init__(self, seed: int = 0) -> None:
        self.generator = np.random.default_rng(seed)
        self.ids = np.concatenate([self.common, self.rare, self.single])
        centre = np.zeros((len(self.ids), WIDTH))
        centre[self.kind(self.ids) == 1, 0] = 9.0
        alone = self.generator.standard_normal((len(self.single), WIDTH))
        centre[self.kind(self.ids) == 2] = 12 * alone / np.linalg.norm(alone, axis=1, keepdims=True)
        # A window looks nearly the same whenever it comes; the rare ones look alike.
        spread = np.where(self.kind(self.ids) == 1, 0.5, 1.0)[:, None]
        self.own = centre + spread * self.generator.standard_normal(centre.shape)

    def kind(self, ids: np.ndarray) -> np.ndarray:
        return np.searchsorted([10_000, 20_000], ids, side="right")

    def batch(self, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
        at = self.generator.integers(0, len(self.ids), size)
        jitter = 0.1 * self.generator.standard_normal((size, WIDTH))
        return self.ids[at], (self.own[at] + jitter).astype(np.float32)


def verdicts(steps: int, progress: float | None) -> tuple[Stream, np.ndarray, np.ndarray]:
    """Verdict of every window after a run of judgings, and how often each was judged."""
    stream, gate = Stream(), Gate(SMALL)
    c, gain = blank(30_000)
    visits = np.zeros(30_000, dtype=np.int64)
    for _ in range(steps):
        ids, vectors = stream.batch()
        told = None if progress is None else np.full(len(ids), progress)
        judgement = gate.judge(ids, vectors, np.ones(len(ids)), Evidence(progress=told))
        c[ids], gain[ids] = remember(c[ids], gain[ids], judgement)
        visits[ids] += np.isfinite(judgement.suspicion)
    mine = stream.ids
    found = triage(decode_suspicion(c[mine]), decode_progress(gain[mine]), visits[mine])
    return stream, found, visits[mine]


def test_a_repeated_rare_state_survives_and_one_offs_do_not():
    stream, found, visits = verdicts(400, progress=None)
    kind = stream.kind(stream.ids)
    assert visits[kind > 0].min() >= TriageSettings().visits
    assert set(found[kind == 1]) == {OPEN}
    assert (found[kind == 2] == ISOLATED).mean() > 0.9
    assert (found[kind == 0] == OPEN).mean() > 0.98


def test_what_is_being_learned_is_never_held_back():
    stream, found, _ = verdicts(400, progress=0.1)
    kind = stream.kind(stream.ids)
    assert set(found[kind == 1]) == {OPEN}
    assert (found[kind == 2] == PROBATION).mean() > 0.9
    assert set(found) <= {OPEN, PROBATION}


def test_only_surprising_windows_are_judged_and_admitted():
    gate = Gate(SMALL)
    ids, vectors = Stream().batch(100)
    u = np.linspace(0, 1, 100)
    evidence = Evidence(progress=np.ones(100), faults=np.linspace(1, 0, 100))
    judgement = gate.judge(ids, vectors, u, evidence)
    high = u > SMALL.surprising
    assert len(gate.bank) == len(set(ids[high].tolist()))
    for column in (judgement.suspicion, judgement.progress):
        np.testing.assert_array_equal(np.isfinite(column), high)


def test_a_window_drawn_twice_is_judged_once():
    gate = Gate(SMALL)
    judgement = gate.judge(
        np.array([7, 7, 9]),
        np.zeros((3, WIDTH)),
        np.ones(3),
        Evidence(faults=np.array([0.9, 0.9, 0.1])),
    )
    assert len(gate.bank) == 2
    assert judgement.suspicion.tolist() == [0.75, 0.75, 0.25]


def test_the_input_rules_can_only_raise_suspicion():
    stream, plain, told = Stream(), Gate(SMALL), Gate(SMALL)
    for _ in range(40):
        ids, vectors = stream.batch()
        faults = stream.generator.random(len(ids))
        one = plain.judge(ids, vectors, np.ones(len(ids)))
        two = told.judge(ids, vectors, np.ones(len(ids)), Evidence(faults=faults))
        known = np.isfinite(one.suspicion)
        assert (two.suspicion[known] >= one.suspicion[known]).all()
        assert np.isfinite(two.suspicion).all()


@pytest.mark.parametrize(("name", "sign"), [("variation", -1), ("progress", -1)])
def test_signals_count_where_they_are_asked_for(name, sign):
    gate = Gate(GateSettings(signals=(name,)))
    values = np.array([0.1, 0.3, 0.2, np.nan])
    judgement = gate.judge(
        np.arange(4), np.zeros((4, WIDTH)), np.ones(4), Evidence(**{name: values})
    )
    assert np.argsort(sign * values[:3]).tolist() == np.argsort(judgement.suspicion[:3]).tolist()
    assert np.isnan(judgement.suspicion[3])


def test_broken_numbers_leave_no_trace():
    one, two = Gate(SMALL), Gate(SMALL)
    stream = Stream()
    for step in range(30):
        ids, vectors = stream.batch()
        faults = stream.generator.random(len(ids))
        clean = np.arange(len(ids)) % 4 > 0 if step % 3 == 0 else np.ones(len(ids), bool)
        spoilt, wrong = vectors.copy(), faults.copy()
        spoilt[~clean], wrong[~clean] = np.nan, np.inf
        one.judge(ids, spoilt, np.where(clean, 1.0, 0.0), Evidence(faults=wrong))
        two.judge(ids, vectors, np.where(clean, 1.0, 0.0), Evidence(faults=faults))
        one.judge(
            ids[~clean] + 1, spoilt[~clean], np.ones((~clean).sum()), Evidence(faults=wrong[~clean])
        )
    ids, vectors = stream.batch()
    a, b = (
        g.judge(ids, vectors, np.ones(len(ids)), Evidence(faults=np.ones(16))) for g in (one, two)
    )
    assert np.isfinite(a.suspicion).all()
    np.testing.assert_array_equal(a.isolation, b.isolation)


def test_tensors_and_arrays_are_alike():
    ids, vectors = Stream().batch(100)
    faults = np.linspace(0, 1, 100)
    one = Gate(SMALL).judge(ids, vectors, np.ones(100), Evidence(faults=faults))
    two = Gate(SMALL).judge(
        ids, torch.tensor(vectors), np.ones(100), Evidence(faults=torch.tensor(faults))
    )
    np.testing.assert_array_equal(one.suspicion, two.suspicion)


def test_a_restored_gate_goes_on_alike(tmp_path):
    stream, one = Stream(), Gate(SMALL)
    for _ in range(30):
        ids, vectors = stream.batch()
        one.judge(ids, vectors, np.ones(16), Evidence(faults=stream.generator.random(16)))
    torch.save(one.state_dict(), tmp_path / "gate.pt")
    two = Gate(SMALL)
    two.load_state_dict(torch.load(tmp_path / "gate.pt", weights_only=True))
    for _ in range(30):
        ids, vectors = stream.batch()
        evidence = Evidence(faults=stream.generator.random(16))
        a, b = (gate.judge(ids, vectors, np.ones(16), evidence) for gate in (one, two))
        np.testing.assert_array_equal(a.suspicion, b.suspicion)


@pytest.mark.parametrize(
    ("vectors", "evidence", "message"),
    [
        (np.zeros((2, WIDTH)), Evidence(), r"embeddings must have shape \(3, E\), got \(2, 16\)"),
        (np.zeros(3), Evidence(), r"got \(3,\)"),
        (
            np.zeros((3, 2)),
            Evidence(faults=np.zeros(2)),
            r"faults must have shape \(3,\), got \(2,\)",
        ),
    ],
)
def test_wrong_shapes_are_refused(vectors, evidence, message):
    with pytest.raises(ValueError, match=message):
        Gate().judge(np.arange(3), vectors, np.ones(3), evidence)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (GateSettings, {"k": 0}, "k must be at least 1, got 0"),
        (GateSettings, {"size": 3}, "size must be over k = 3, got 3"),
        (GateSettings, {"signals": ("loss",)}, "signals must be of"),
        (TriageSettings, {"isolated": 1.0}, r"isolated must be in \(0, 1\), got 1.0"),
        (TriageSettings, {"probation": 3.0}, r"probation must be in \[1, 2\], got 3.0"),
    ],
)
def test_settings_are_checked(kind, wrong, message):
    with pytest.raises(ValueError, match=message):
        kind(**wrong)


NAN = np.nan


@pytest.mark.parametrize(
    ("c", "progress", "visits", "faults", "verdict"),
    [
        (0.2, 0.1, 9, 0.0, OPEN),
        (0.2, 0.0, 4, 0.0, IRREDUCIBLE),
        (0.2, -0.1, 3, 0.0, OPEN),
        (0.2, NAN, 9, 0.0, OPEN),
        (0.95, NAN, 3, 0.0, PROBATION),
        (0.95, -0.1, 3, 0.0, PROBATION),
        (0.95, 0.1, 9, 0.0, PROBATION),
        (0.95, 0.0, 4, 0.0, ISOLATED),
        (0.95, NAN, 4, 0.0, ISOLATED),
        (0.2, 0.1, 0, 1.0, FAULTY),
        (0.95, 0.1, 9, 1.0, FAULTY),
        (NAN, NAN, 0, NAN, OPEN),
        (NAN, -0.1, 9, 0.5, OPEN),
    ],
)
def test_the_table(c, progress, visits, faults, verdict):
    columns = (np.array([x], dtype=np.float64) for x in (c, progress))
    found = triage(*columns, np.array([visits]), np.array([faults]))
    assert found.dtype == np.uint8
    assert found.tolist() == [verdict]


@given(
    arrays(np.float64, 20, elements=st.floats(0, 1)),
    arrays(np.float64, 20, elements=st.floats(-0.5, 0.5)),
)
def test_codes_come_back(c, progress):
    np.testing.assert_allclose(decode_suspicion(encode_suspicion(c)), c, atol=0.5 / 254 + 1e-9)
    np.testing.assert_allclose(
        decode_progress(encode_progress(progress)), progress, atol=0.25 / 127 + 1e-9
    )


def test_what_is_unknown_stays_unknown_and_keeps_what_was_known():
    c, gain = blank(3)
    assert np.isnan([decode_suspicion(c), decode_progress(gain)]).all()
    nothing = Judgement(*np.full((3, 3), np.nan))
    some = Judgement(np.array([0.0, 1.0, NAN]), np.array([0.2, NAN, -0.2]), np.full(3, NAN))
    once = remember(c, gain, some)
    twice = remember(*once, nothing)
    assert np.array_equal(once, twice)
    assert decode_suspicion(once[0])[:2].tolist() == [0, 1]
    assert decode_progress(once[1]) == pytest.approx([0.2, NAN, -0.2], abs=0.01, nan_ok=True)


def test_memory_follows_the_visits():
    c, gain = blank(1)
    for value in [1.0] * 3 + [0.0] * 12:
        c, gain = remember(c, gain, Judgement(*np.full((3, 1), value)))
    assert decode_suspicion(c) < 0.01
