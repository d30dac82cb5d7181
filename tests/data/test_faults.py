import numpy as np
import pytest

from bandpass.data import Windows, prepare
from bandpass.data.corruption import FAULTS
from bandpass.data.faults import RULES, evidence, judge, suspicion, usual
from bandpass.data.sources import SOURCES

ROWS, CHANNELS = 128, 6


def natural(n: int, seed: int = 0) -> np.ndarray:
    """Slow waves with a little noise: (n, ROWS, CHANNELS)."""
    generator = np.random.default_rng(seed)
    phase = generator.uniform(0, 2 * np.pi, (n, 1, CHANNELS))
    wave = np.sin(2 * np.pi * np.arange(ROWS)[None, :, None] / 30 + phase)
    return (wave + 0.1 * generator.standard_normal(wave.shape)).astype(np.float32)


def with_fault(kind: str, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    values = natural(n, seed=1)
    for i, window in enumerate(values):
        generator = np.random.default_rng(i)
        hit = generator.permutation(CHANNELS)[:4]
        window[40:100] = FAULTS[kind](window[40:100], hit, generator)
    observed = ~np.isnan(values)
    return np.where(observed, values, 0), observed


def clip(values: np.ndarray) -> np.ndarray:
    """Saturate half of the channels."""
    return np.where(np.arange(CHANNELS) < 3, np.minimum(values, 0.5), values)


SEEN = np.ones((400, ROWS, CHANNELS), dtype=bool)


def found(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Suspicion and rule of windows that are judged with 400 natural ones around them."""
    stream = natural(400)
    typical = usual(stream, SEEN)
    both = np.concatenate([evidence(stream, SEEN, typical), evidence(values, observed, typical)])
    faults, rule = suspicion(both, np.zeros(len(both), np.int64))
    return faults[400:], rule[400:]


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("dropout", "missing"), ("stuck", "stuck"), ("noise-burst", "noise"), ("clock", "clock")],
)
def test_a_fault_convicts_by_its_own_rule(kind, rule):
    faults, strongest = found(*with_fault(kind))
    assert np.median(faults) > 0.99
    assert np.bincount(strongest, minlength=len(RULES)).argmax() == RULES.index(rule)


def test_a_gain_that_drops_is_suspected():
    values = natural(20, seed=1)
    values[:, 40:100, :4] /= 6
    faults, strongest = found(values, SEEN[:20])
    assert (faults > 0.9).all()
    assert set(strongest) <= {RULES.index("scale"), RULES.index("noise")}


def test_clipping_convicts():
    faults, strongest = found(clip(natural(20, seed=1)), SEEN[:20])
    assert (faults > 0.99).all()
    assert set(strongest) <= {RULES.index("clipped"), RULES.index("stuck")}


def test_natural_windows_are_not_suspected():
    faults, _ = found(natural(200, seed=2), SEEN[:200])
    assert (faults > 0.9999).mean() == 0
    assert (faults > 0.9).mean() < 0.05


def test_an_event_is_not_convicted():
    values = natural(20, seed=1)
    values[:, 60:, :4] += 2.0  # a step of the level
    ringing = np.sin(np.arange(ROWS - 60) / 5) * np.linspace(0, 3, ROWS - 60)
    values[:, 60:, 2:] += ringing.astype(np.float32)[:, None]
    faults, _ = found(values, SEEN[:20])
    assert (faults < 0.9999).all()


def test_what_a_channel_always_does_is_usual():
    stream = natural(400)
    stream[..., 0] = 0  # a dead gauge
    observed = SEEN.copy()
    observed[..., 1] = False  # one that was never there
    stream[..., 1] = 0
    ours = evidence(stream, observed, usual(stream, observed))
    stuck, missing = RULES.index("stuck"), RULES.index("missing")
    assert ours[:, [stuck, missing]].max() == 0


def test_evidence_is_finite_where_nothing_was_seen():
    values, nothing = np.zeros((4, ROWS, CHANNELS), np.float32), ~SEEN[:4]
    assert np.isfinite(evidence(values, nothing, usual(natural(400), SEEN))).all()
    assert np.isfinite(evidence(values, nothing, usual(values, nothing))).all()


def test_the_order_of_windows_does_not_matter():
    stream = natural(50)
    typical = usual(stream, SEEN[:50])
    order = np.random.default_rng(0).permutation(50)
    there = evidence(stream, SEEN[:50], typical)
    np.testing.assert_array_equal(there[order], evidence(stream[order], SEEN[:50], typical))


@pytest.mark.parametrize("rows", [3, 5, 20, 130])
def test_any_length_will_do(rows):
    values = np.random.default_rng(0).standard_normal((30, rows, 2)).astype(np.float32)
    seen = np.ones(values.shape, dtype=bool)
    assert evidence(values, seen, usual(values, seen)).shape == (30, len(RULES))


def test_corrupt_windows_of_the_plant_are_suspected_and_events_spared(tmp_path):
    store = prepare(
        SOURCES["plant"],
        tmp_path,
        tmp_path / "store",
        series=4,
        corrupt=0.04,
        failure_rate=0.2,
    )
    windows = Windows(store, 128, 32, "train")
    faults, rule = judge(windows)
    assert faults.dtype == np.float32
    assert rule.dtype == np.uint8
    corrupt, event = windows.corruptions() > 0, windows.labels() == 1
    assert faults.min() >= 0
    assert faults.max() <= 1
    assert (faults[corrupt] > 0.9999).mean() > 0.25
    assert (faults[event & ~corrupt] > 0.9999).mean() < 0.01
    assert (faults[~event & ~corrupt] > 0.9999).mean() < 0.001
