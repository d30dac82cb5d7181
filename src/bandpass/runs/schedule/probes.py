"""Probes on frozen embeddings of schedule windows, every encoder beside the same controls."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from bandpass.data.schedule.tokens import SLOTS
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.evaluation import Estimate, interval
from bandpass.evaluation.schedules import HOURLY, RAW, REPLACED, RIVALS
from bandpass.evaluation.statistics import missing
from bandpass.runs.schedule.encoders import Encode, raw, raw_hourly
from bandpass.runs.schedule.questions import PROBES, Probe
from bandpass.runs.schedule.readout import READOUTS, Statistic
from bandpass.runs.schedule.sample import POPULATIONS, Sample

Row = dict[str, object]

WHOLE = ((), SLOTS)
"""The view that hides nothing."""

TOO_EASY = 0.98
"""What a control reaches where a probe says nothing about training."""

BATCH = 128
FEWEST = 20
"""Windows of a side without which a probe says nothing."""


def probe_table(
    encoders: Mapping[str, Encode | Sequence[Encode]],
    train: ScheduleWindows,
    test: ScheduleWindows,
    seed: int,
    on_task: Callable[[str], None] = lambda name: None,
    probes: Mapping[str, Probe] = PROBES,
) -> list[Row]:
    """Ask every encoder, and the raw controls, the same questions.

    Readouts are fitted on windows of ``train`` and scored on windows of ``test``. Intervals come
    from resampling the actors of the test windows, the same ones for every encoder, so that
    differences are paired.

    Args:
        encoders: By name; several under one name are scored one by one and averaged, such as
            ``random-init`` of three seeds. ``raw`` and ``raw+hourly`` are added.
        train: Both kinds, or the kinds that are to be asked about.
        test: Of the same split.
        seed: Of samples and bootstrap.
        on_task: Told which encoder answers which probes, for progress displays.
        probes: The questions by name.

    Returns:
        Rows (encoder, task, metric, value, low, high, count, note). The metrics of a probe are its
        own, such as ``auroc``, and, of encoders that are no controls, the paired differences, such
        as ``auroc - random-init``, one for each of ``RIVALS``. A probe that a control answers to
        ``TOO_EASY`` has a note that begins with ``REPLACED``.
    """
    every = {name: _members(found) for name, found in encoders.items()}
    every |= {RAW: [raw], HOURLY: [raw_hourly]}
    rows: list[Row] = []
    for population, draw in POPULATIONS.items():
        asked = {name: probe for name, probe in probes.items() if probe.population == population}
        if not asked:
            continue
        fit, on = (_Side(draw(windows, seed)) for windows in (train, test))
        questions = [_Question(name, probe, fit, on) for name, probe in asked.items()]
        for encoder, members in every.items():
            on_task(f"{encoder}: {', '.join(asked)}")
            for question in questions:
                question.ask(encoder, members)
            fit.forget()
            on.forget()
        for question in questions:
            rows += question.rows(seed)
    return rows


def _members(found: Encode | Sequence[Encode]) -> list[Encode]:
    return [found] if callable(found) else list(found)


class _Side:
    """A sample, and its vectors by encoder and view while one encoder is being asked."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._vectors: dict[tuple[Encode, object], np.ndarray] = {}

    def vectors(self, encode: Encode, probe: Probe) -> np.ndarray:
        """(n, d) float32; only windows that the view changes are encoded again."""
        key = (encode, probe.view)
        if key not in self._vectors:
            whole = self._vectors.get((encode, WHOLE))
            seen = probe.show(self.sample.values)
            changed = (seen != self.sample.values).any(axis=(1, 2))
            if whole is None:
                self._vectors[key] = _embed(encode, seen)
            elif changed.any():
                found = whole.copy()
                found[changed] = _embed(encode, seen[changed])
                self._vectors[key] = found
            else:
                self._vectors[key] = whole
        return self._vectors[key]

    def forget(self) -> None:
        self._vectors.clear()


class _Question:
    """One probe put to both sides, and the answers of the encoders."""

    def __init__(self, name: str, probe: Probe, fit: _Side, on: _Side) -> None:
        self.name, self.probe = name, probe
        self._sides = (fit, on)
        labels = [probe.labels(side.sample) for side in self._sides]
        self._rows = [np.flatnonzero(np.isfinite(each)) for each in labels]
        self._labels = [each[rows] for each, rows in zip(labels, self._rows, strict=True)]
        self._actors = on.sample.actors[self._rows[1]]
        self._answers: dict[str, list[Statistic]] = {}

    def ask(self, encoder: str, members: list[Encode]) -> None:
        """Fit a readout for every member."""
        self._answers[encoder] = []
        if self._reason():
            return
        readout = READOUTS[self.probe.kind]
        (fit, on), (of, to), (known, truth) = self._sides, self._rows, self._labels
        for member in members:
            a, b = fit.vectors(member, self.probe)[of], on.vectors(member, self.probe)[to]
            self._answers[encoder].append(readout(a, known, b, truth))

    def rows(self, seed: int) -> list[Row]:
        """Score all answers in the same resamples."""
        reason, metric = self._reason(), self.probe.metric
        if reason:
            return [self._row(name, metric, missing(reason)) for name in self._answers]
        names = list(self._answers)
        pairs = [(a, b) for a in names if a not in RIVALS for b in RIVALS if b in names]
        left, right = ([names.index(pair[k]) for pair in pairs] for k in (0, 1))

        def statistic(weights: np.ndarray) -> np.ndarray:
            values = [np.mean([answer(weights) for answer in own], axis=0) for own in answers]
            scores = np.stack(values, axis=1)
            return np.concatenate([scores, scores[:, left] - scores[:, right]], axis=1)

        answers = list(self._answers.values())
        values = statistic(np.ones((1, len(self._actors))))[0]
        strata = self._labels[1] == 1 if self.probe.kind == "binary" else None
        low, high = interval(statistic, self._actors, strata=strata, seed=seed)
        best = max((values[k], name) for k, name in enumerate(names) if name in RIVALS)
        note = f"{REPLACED}: {best[1]} reaches {best[0]:.3f}" if best[0] >= TOO_EASY else ""
        titles = [(name, metric) for name in names] + [(a, f"{metric} - {b}") for a, b in pairs]
        return [
            self._row(*title, Estimate(float(at), float(a), float(b), len(self._actors), note))
            for title, at, a, b in zip(titles, values, low, high, strict=True)
        ]

    def _row(self, encoder: str, metric: str, found: Estimate) -> Row:
        return {"encoder": encoder, "task": self.name, "metric": metric} | found._asdict()

    def _reason(self) -> str:
        """Why the sample does not let itself be asked; empty if it does."""
        least = min(len(rows) for rows in self._rows)
        if least < FEWEST:
            return f"{least} {self.probe.population} to ask on a side, {FEWEST} are needed"
        spread = self._labels[1:] if self.probe.kind == "retrieval" else self._labels
        alike = any(len(np.unique(labels)) < 2 for labels in spread)
        return "all windows of a side have the same answer" if alike else ""


def _embed(encode: Encode, values: np.ndarray) -> np.ndarray:
    parts = [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
    with torch.no_grad():
        return np.concatenate([encode(torch.from_numpy(part)).numpy() for part in parts])
