import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.training.lr_schedule import cosine, linear, warmup_cosine

fractions = st.floats(0, 1)


@pytest.mark.parametrize(
    ("fraction", "multiplier"),
    [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.55, 0.505), (1.0, 0.01)],
)
def test_warmup_then_cosine(fraction, multiplier):
    assert warmup_cosine(fraction, warmup=0.1, final=0.01) == pytest.approx(multiplier)


def test_without_warmup_it_starts_at_the_peak():
    assert warmup_cosine(0.0, warmup=0.0, final=0.1) == 1.0


@given(fractions, fractions, st.floats(0, 0.9), st.floats(0, 1))
def test_never_rises_after_warmup(one, other, warmup, final):
    early, late = sorted((max(one, warmup), max(other, warmup)))
    at = [warmup_cosine(fraction, warmup=warmup, final=final) for fraction in (early, late)]
    assert at[0] >= at[1] - 1e-12
    assert final - 1e-12 <= at[1] <= 1


@pytest.mark.parametrize("schedule", [cosine, linear])
@given(start=st.floats(-5, 5), end=st.floats(-5, 5))
def test_moves_from_start_to_end_and_stays(schedule, start, end):
    values = [schedule(fraction, start=start, end=end) for fraction in (0, 0.5, 1, 1.5)]
    assert values == pytest.approx([start, (start + end) / 2, end, end])
