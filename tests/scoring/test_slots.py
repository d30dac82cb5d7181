import numpy as np
import pytest
import torch

from bandpass.data import DataError
from bandpass.data.schedule.tokens import CALENDAR, EMPTY, FEATURES, RUN, TASK, dense
from bandpass.models import JEPA, Mask
from bandpass.recipes import build_jepa, find, override
from bandpass.scoring import SlotEncoder, write_in
from bandpass.scoring.frozen import BATCH, POOLINGS

PATCHES = [1, 4, 8]
DIM = 16


def model(patch: int, *changes: str) -> JEPA:
    small = (f"encoder.patch={patch}", f"encoder.dim={DIM}", "encoder.heads=2", "predictor.dim=12")
    jepa = build_jepa(override(find("schedule-base"), [*small, *changes]), len(FEATURES)).eval()
    with torch.no_grad():  # an untrained teacher is a copy, and biases are zero: nothing would show
        for weight in jepa.parameters():
            weight.add_(
                0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
            )
    return jepa


def events(*places: tuple[int, int, int]) -> np.ndarray:
    runs = np.zeros(len(places), RUN)
    for run, (slot, slots, what) in zip(runs, places, strict=True):
        run["slot"], run["slots"], run["what"] = slot, slots, what
    runs["priority"] = 500
    return runs


def long() -> np.ndarray:
    runs = events((5, 1, TASK))
    runs["duration"] = 1001
    return runs


def days(count: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    runs = events(*((int(slot), 3, TASK) for slot in generator.integers(0, 93, count)))
    return dense(runs, np.arange(count), np.empty((count, *EMPTY.shape), np.float32))


@pytest.fixture(params=PATCHES)
def encoder(request) -> SlotEncoder:
    return SlotEncoder(model(request.param))


def direct(encoder: SlotEncoder, tokens: np.ndarray) -> torch.Tensor:
    values = torch.from_numpy(tokens)
    return model(encoder.patch).embed(values, torch.ones_like(values, dtype=torch.bool))


def test_windows_are_pooled_tokens_of_the_encoder(encoder):
    tokens = days(3)
    found = encoder.windows(tokens)
    assert (found.shape, found.dtype) == ((3, 3 * encoder.dim), np.float32)
    expected = POOLINGS["mean+std+max"](direct(encoder, tokens)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_many_windows_are_embedded_as_each_alone(encoder):
    tokens = days(BATCH + 3)
    found = encoder.windows(tokens)
    np.testing.assert_allclose(found[-1:], encoder.windows(tokens[-1:]), rtol=1e-4, atol=1e-5)


def test_a_slot_is_the_token_that_covers_it(encoder):
    tokens, slots = days(2), [95, 0, 3, 4]
    found = encoder.slots(tokens, slots)
    assert found.shape == (2, 4, encoder.dim)
    expected = direct(encoder, tokens)[:, [slot // encoder.patch for slot in slots]].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_what_is_foreseen_depends_on_the_rest_of_the_day_alone(encoder):
    day, span = days(1), range(32, 40)
    other = write_in(day[0], events((33, 4, CALENDAR)))
    elsewhere = write_in(day[0], events((80, 4, CALENDAR)))
    found = encoder.foreseen(day, span)
    assert found.shape == (1, 8 // encoder.patch, encoder.dim)
    if day[0, span, 2:].any():
        pytest.fail("the day must be empty in the span for this to be fair")
    np.testing.assert_allclose(encoder.foreseen(other, span), found, atol=1e-6)
    assert np.abs(encoder.foreseen(elsewhere, span) - found).max() > 1e-4


def test_surprise_is_the_loss_of_training_with_that_span_hidden(encoder):
    tokens, patch = days(3), encoder.patch
    found = encoder.surprise(tokens, range(32, 48))
    jepa, values = model(patch), torch.from_numpy(tokens)
    hidden = torch.arange(32 // patch, 48 // patch)
    seen = torch.tensor([i for i in range(96 // patch) if i not in hidden.tolist()])
    mask = Mask(seen.expand(3, -1), hidden.expand(3, -1))
    with torch.no_grad():
        loss = jepa(values, torch.ones_like(values, dtype=torch.bool), mask).prediction
    assert (found.shape, found.dtype) == ((3,), np.float32)
    np.testing.assert_allclose(found, loss.numpy(), rtol=1e-4)
    assert (found > 0).all()


def test_every_window_may_have_a_span_of_its_own_and_of_any_length(encoder):
    tokens = days(4)
    spans = [range(0, 8), range(30, 31), range(40, 48), range(20, 96)]
    found = encoder.surprise(tokens, spans)
    alone = [encoder.surprise(tokens[i : i + 1], span)[0] for i, span in enumerate(spans)]
    np.testing.assert_allclose(found, alone, rtol=1e-4)


def test_a_span_grows_to_whole_tokens():
    encoder, tokens = SlotEncoder(model(4)), days(2)
    assert encoder.foreseen(tokens, range(7, 9)).shape == (2, 2, DIM)
    np.testing.assert_array_equal(
        encoder.surprise(tokens, range(7, 9)), encoder.surprise(tokens, range(4, 12))
    )


def test_candidates_are_the_day_with_each_event_in_it(encoder):
    day, runs = days(1)[0], events((10, 2, TASK), (50, 6, CALENDAR))
    found = encoder.candidates(day, runs)
    written = write_in(day, runs)
    np.testing.assert_array_equal(found, encoder.windows(written))
    assert np.abs(found[0] - found[1]).max() > 1e-4


def test_nothing_in_gives_nothing_of_the_right_shape(encoder):
    none = np.zeros((0, *EMPTY.shape), np.float32)
    assert encoder.windows(none).shape == (0, 3 * encoder.dim)
    assert encoder.slots(none, [1, 2]).shape == (0, 2, encoder.dim)
    assert encoder.surprise(none, []).shape == (0,)
    assert encoder.candidates(EMPTY, events()).shape == (0, 3 * encoder.dim)


def test_an_event_is_written_over_what_is_there():
    day = write_in(EMPTY, events((10, 4, TASK)))[0]
    (both,) = write_in(day, events((12, 4, CALENDAR)))
    task, calendar = both[:, FEATURES.index("task")], both[:, FEATURES.index("calendar_event")]
    assert np.flatnonzero(task).tolist() == [10, 11, 12, 13]
    assert np.flatnonzero(calendar).tolist() == [12, 13, 14, 15]
    assert (both[:, :2] == EMPTY[:, :2]).all()
    assert both[10:16, FEATURES.index("priority")].tolist() == [0.5] * 6


def test_events_need_not_lie_side_by_side_in_memory():
    runs = events((10, 2, TASK), (50, 6, CALENDAR), (60, 1, TASK))
    np.testing.assert_array_equal(write_in(EMPTY, runs[::2]), write_in(EMPTY, runs)[::2])


def test_memory_that_may_not_be_written_is_read(encoder):
    tokens = days(1)
    tokens.flags.writeable = False
    assert np.isfinite(encoder.windows(tokens)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.windows(EMPTY), r"tokens have shape \(96, 16\), windows \(B, 96, 16\)"),
        (lambda e: e.slots(days(1), [96]), r"slots \[96\] are not all in 0 \.\. 95"),
        (lambda e: e.slots(days(1), [-1]), r"slots \[-1\] are not all in 0 \.\. 95"),
        (lambda e: e.slots(days(1), []), "no slot is asked for: name at least one"),
        (lambda e: e.foreseen(days(1), range(5, 5)), r"range\(5, 5\) is no span of slots"),
        (lambda e: e.foreseen(days(1), range(90, 97)), "is no span of slots"),
        (lambda e: e.foreseen(days(1), range(0, 9, 2)), "is no span of slots"),
        (lambda e: e.surprise(days(1), range(96)), "hides the whole day"),
        (lambda e: e.surprise(days(2), [range(4)]), "there are 1 spans for 2 windows"),
        (lambda e: e.candidates(EMPTY, events((95, 2, TASK))), "not within the 96 slots"),
        (lambda e: e.candidates(EMPTY, events((5, 0, TASK))), "or has none"),
        (
            lambda e: e.candidates(EMPTY, events((5, 1, 1), (5, 1, 128))),
            "event 1, .* flags that mean",
        ),
        (
            lambda e: e.candidates(EMPTY, long()),
            "event 0, .* has a duration above 1000 thousandths",
        ),
        (lambda e: e.candidates(EMPTY, np.zeros(2)), r"events are float64 of shape \(2,\)"),
        (lambda e: e.candidates(days(1), events()), r"a day has shape \(96, 16\)"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call(SlotEncoder(model(4)))


def test_a_model_that_predicts_no_latents_is_refused():
    with pytest.raises(DataError, match="foresees nothing"):
        SlotEncoder(model(4, "model.latent=false"))
