"""What a schedule model says of days, of slots in them, and of events that might be put there.

This is what a scheduler calls: arrays in, arrays out, no training.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from bandpass.data import DataError
from bandpass.data.schedule.store import MODALITY
from bandpass.data.schedule.tokens import AMOUNTS, EMPTY, FLAGS, RUN, SCALE, SLOTS, dense
from bandpass.models import JEPA, Mask, TextJEPA
from bandpass.scoring.frozen import BATCH, POOLINGS, default_pooling


class SlotEncoder:
    """The frozen encoder and predictor of a schedule model.

    ``tokens`` is always (B, 96, 16): windows as `ScheduleStore.tokens` rebuilds them. A token of
    the model covers ``patch`` slots, from a multiple of ``patch`` on.

    Args:
        jepa: Trained on schedule windows.

    Attributes:
        patch: Slots of a token.
        dim: Width of a token.
    """

    def __init__(self, jepa: JEPA) -> None:
        if not jepa.settings.latent:
            raise DataError("a model without latent targets foresees nothing: train model.latent")
        if isinstance(jepa, TextJEPA):
            raise DataError("a model of answers foresees no slots: train another model.target")
        self._jepa = jepa.eval()
        self.patch, self.dim = jepa.settings.encoder.patch, jepa.settings.encoder.dim

    def windows(self, tokens: np.ndarray) -> np.ndarray:
        """Embed windows: mean, deviation and maximum of their tokens, (B, 3 dim) float32."""
        pool = POOLINGS[default_pooling(MODALITY)]
        return self._each(
            tokens, lambda values, seen, at: pool(self._jepa.embed(values, seen).float())
        )

    def slots(self, tokens: np.ndarray, slots: Sequence[int]) -> np.ndarray:
        """Embed slots in their windows, which are seen as a whole.

        Args:
            tokens: The windows.
            slots: (k,) of 0 .. 95, at least one, the same of every window.

        Returns:
            (B, k, dim) float32; slots of one token have the same.
        """
        if not len(slots):
            raise DataError(f"no slot is asked for: name at least one in 0 .. {SLOTS - 1}")
        if not all(0 <= slot < SLOTS for slot in slots):
            raise DataError(f"slots {list(slots)} are not all in 0 .. {SLOTS - 1}")
        own = torch.tensor([slot // self.patch for slot in slots], device=self._jepa.device)
        return self._each(tokens, lambda values, seen, at: self._jepa.embed(values, seen)[:, own])

    def foreseen(self, tokens: np.ndarray, span: range) -> np.ndarray:
        """Tell what the model expects in a span of slots that it does not see.

        Args:
            tokens: The windows; what they have in the span makes no difference.
            span: Slots, rounded outwards to whole tokens.

        Returns:
            (B, hidden, dim) float32, the predictor's output for each hidden token.
        """
        first, hidden = self._place(span)

        def predict(values: Tensor, seen: Tensor, at: slice) -> Tensor:
            mask = self._mask(np.full(len(values), first), hidden)
            return self._jepa.to_latent(self._jepa.foresee(values, seen, mask))

        return self._each(tokens, predict)

    def surprise(self, tokens: np.ndarray, spans: range | Sequence[range]) -> np.ndarray:
        """Measure how far what is in a span of slots is from what the model expects there.

        It is the loss of training, with the span in place of a random one: compare it with that of
        other days of the same person, since busy days have more of it.

        Args:
            tokens: The windows.
            spans: Slots, one for all windows or one for each, rounded outwards to whole tokens.

        Returns:
            (B,) float32.
        """
        each = [spans] * len(tokens) if isinstance(spans, range) else list(spans)
        if len(each) != len(tokens):
            raise DataError(f"there are {len(each)} spans for {len(tokens)} windows")
        places = np.array([self._place(span) for span in each], np.int64).reshape(-1, 2)
        found = np.empty(len(tokens), np.float32)
        for hidden in np.unique(places[:, 1]):  # masks of one size fit one batch
            own = np.flatnonzero(places[:, 1] == hidden)
            found[own] = self._errors(tokens[own], places[own, 0], int(hidden))
        return found

    def candidates(self, day: np.ndarray, runs: np.ndarray) -> np.ndarray:
        """Embed a day once for each event that might be put in it.

        Args:
            day: (96, 16), with what is fixed.
            runs: (n,) of ``RUN``, the events.

        Returns:
            (n, 3 dim) float32.
        """
        return self.windows(write_in(day, runs))

    def _errors(self, tokens: np.ndarray, first: np.ndarray, hidden: int) -> np.ndarray:
        def compare(values: Tensor, seen: Tensor, at: slice) -> Tensor:
            return self._jepa(values, seen, self._mask(first[at], hidden)).prediction

        return self._each(tokens, compare)

    def _place(self, span: range) -> tuple[int, int]:
        """First token of a span, and how many."""
        if span.step != 1 or not 0 <= span.start < span.stop <= SLOTS:
            raise DataError(f"{span} is no span of slots: take one in 0 .. {SLOTS}, of at least 1")
        first, stop = span.start // self.patch, -(-span.stop // self.patch)
        if stop - first == self._jepa.tokens:
            raise DataError(f"{span} hides the whole day: at least a token must be visible")
        return first, stop - first

    def _mask(self, first: np.ndarray, hidden: int) -> Mask:
        count = self._jepa.tokens
        position, start = torch.arange(count), torch.from_numpy(first)[:, None]
        is_hidden = (position >= start) & (position < start + hidden)
        order = is_hidden.to(torch.int8).argsort(dim=1, stable=True)
        return Mask(order[:, : count - hidden], order[:, count - hidden :]).to(self._jepa.device)

    @torch.no_grad()
    def _each(
        self, tokens: np.ndarray, make: Callable[[Tensor, Tensor, slice], Tensor]
    ) -> np.ndarray:
        """Concatenate what is made of some windows at a time: values, presence, which they are."""
        if tokens.shape[1:] != EMPTY.shape:
            raise DataError(f"tokens have shape {tokens.shape}, windows (B, {SLOTS}, 16)")
        if not len(tokens):  # nothing, of the shape that something would have
            return self._each(EMPTY[None], make)[:0]
        device = self._jepa.device
        found: list[np.ndarray] = []
        for start in range(0, len(tokens), BATCH):
            at = slice(start, start + BATCH)
            values = torch.from_numpy(np.array(tokens[at], np.float32)).to(device)
            seen = torch.ones(1, 1, 1, dtype=torch.bool, device=device).expand_as(values)
            found.append(make(values, seen, at).float().cpu().numpy())
        return np.concatenate(found)


def write_in(day: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Put each of some events into a copy of a day: the union of flags, and the largest amounts.

    Args:
        day: (96, 16).
        runs: (n,) of ``RUN``.

    Returns:
        (n, 96, 16) float32.

    Raises:
        DataError: If an event is none: names the first, and what is wrong.
    """
    if day.shape != EMPTY.shape:
        raise DataError(f"a day has shape {EMPTY.shape}, got {day.shape}")
    _check_events(runs)
    runs = np.ascontiguousarray(runs)
    alone = dense(runs, np.arange(len(runs)), np.empty((len(runs), *EMPTY.shape), np.float32))
    return np.maximum(alone, day.astype(np.float32))


def _check_events(runs: np.ndarray) -> None:
    """Refuse what `dense` would read past its end, or write as no feature of a window can be."""
    if runs.dtype != RUN or runs.ndim != 1:
        raise DataError(f"events are {runs.dtype} of shape {runs.shape}: make (n,) of tokens.RUN")
    end = runs["slot"].astype(np.int64) + runs["slots"]
    wrong = {
        f"is not within the {SLOTS} slots of a day, or has none": (runs["slots"] == 0)
        | (end > SLOTS),
        f"has flags that mean nothing: take a sum of flags, below {1 << len(FLAGS)}": (
            runs["what"] >> len(FLAGS) > 0
        ),
    }
    wrong |= {f"has a {name} above {SCALE} thousandths": runs[name] > SCALE for name in AMOUNTS}
    for what, where in wrong.items():
        if where.any():
            number = int(np.argmax(where))
            raise DataError(f"event {number}, {runs[number]}, {what}")
