"""The chapter on the probes of a schedule run: every one beside its controls, and in pairs."""

from dataclasses import dataclass

import numpy as np

from bandpass.evaluation.schedules import (
    HOURLY,
    PRETRAINED,
    RANDOM,
    RAW,
    RAW_PATCH,
    REPLACED,
    RIVALS,
)
from bandpass.report.blocks import (
    Block,
    Cell,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
    Verdict,
    Verdicts,
)
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.tables import Columns, Run, rows

PAINT = {PRETRAINED: "c1", RANDOM: "c0", RAW_PATCH: "c3", RAW: "c5", HOURLY: "c2"}
"""Encoders in the order they are shown in, and their colours."""

METRICS = {"auroc": "AUROC", "r2": "R2", "accuracy": "accuracy", "mrr": "mean reciprocal rank"}
_SPLITS = {
    "honest": "Test windows are of actors and of a time that no fit window is of.",
    "random": (
        "The split is random: windows of one actor, and an actor's day and a record of that day, "
        "may lie on both sides, which flatters every row. split=honest keeps them apart."
    ),
}


@dataclass(frozen=True)
class Answer:
    """One number with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "n/a"
        known = np.isfinite([self.low, self.high]).all()
        return f"{self.value:.3f}" + (f" [{self.low:.3f}, {self.high:.3f}]" if known else "")


@dataclass(frozen=True)
class Asked:
    """One probe: its metric, the answer of each encoder, and the paired differences.

    Attributes:
        task: Name of the probe.
        metric: How it is scored; higher is better.
        answers: By encoder.
        differences: Pretrained minus each of ``RIVALS``.
        count: Windows it was scored on.
        note: Why it is missing, or replaced.
    """

    task: str
    metric: str
    answers: dict[str, Answer]
    differences: dict[str, Answer]
    count: int
    note: str

    @property
    def counts(self) -> bool:
        """Whether it says anything about the encoder."""
        known = all(name in self.differences for name in RIVALS)
        return known and not self.note

    @property
    def beats(self) -> bool:
        """Whether the pretrained encoder beats every rival: the interval excludes 0."""
        return self.counts and all(self.differences[name].low > 0 for name in RIVALS)


def asked_of(table: Columns) -> list[Asked]:
    """The probes of an evaluation table, in its order."""
    found = []
    for task in dict.fromkeys(table["task"].tolist()):
        own = np.flatnonzero(table["task"] == task)
        answers: dict[str, Answer] = {}
        differences: dict[str, Answer] = {}
        metric, count, note = "", 0, ""
        for i in own:
            name, _, rival = str(table["metric"][i]).partition(" - ")
            answer = Answer(*(float(table[part][i]) for part in ("value", "low", "high")))
            if not rival:
                answers[str(table["encoder"][i])] = answer
                metric, count, note = name, int(table["count"][i]), str(table["note"][i])
            elif table["encoder"][i] == PRETRAINED:
                differences[rival] = answer
        found.append(Asked(task, metric, answers, differences, count, note))
    return found


def encoders_of(asked: list[Asked]) -> list[str]:
    """Encoders that any probe was asked of, in the order they are shown in."""
    return [name for name in PAINT if any(name in probe.answers for probe in asked)]


def verdict(asked: list[Asked]) -> Verdict:
    """On how many probes the pretrained encoder beats every rival."""
    counted = [probe for probe in asked if probe.counts]
    won = [probe.task for probe in counted if probe.beats]
    worse = [
        probe.task
        for probe in counted
        if any(difference.high < 0 for difference in probe.differences.values())
    ]
    says = f"It beats every control on {len(won)} of {len(counted)} probes"
    says += f" ({', '.join(won)})" if won else ""
    says += f"; it is worse than one of them on {len(worse)} ({', '.join(worse)})" if worse else ""
    easy = [probe.task for probe in asked if probe.note.startswith(REPLACED)]
    says += f". Left out, since a control answers it: {', '.join(easy)}" if easy else ""
    outcome = "yes" if counted and 2 * len(won) > len(counted) else "open" if won else "no"
    label = {"yes": "Yes, on most probes", "open": "On some probes", "no": "Not on this evidence"}
    return Verdict(outcome, f"Does it beat its controls? {label[outcome]}", f"{says}.")


def schedule_probes_section(run: Run) -> tuple[Section, Verdict | None]:
    """Verdict, one figure a probe, the paired differences, and all numbers."""
    section = ("evaluation", "Frozen probes")
    if rows(run.evaluation) == 0:
        absent = "This run has not been evaluated yet: `bandpass evaluate` fills this chapter."
        return Section(*section, absent, ()), None
    asked = asked_of(run.evaluation)
    found = verdict(asked)
    drawn = [
        probe for probe in asked if np.isfinite([a.value for a in probe.answers.values()]).any()
    ]
    blocks: list[Block] = [Verdicts([found])]
    if any(probe.counts for probe in drawn):
        blocks.append(Pictures([_differences([probe for probe in drawn if probe.counts])]))
    blocks += [Pictures([_dots(probe) for probe in drawn]), table_of(asked)]
    split = str(run.recipe.get("schedule", {}).get("split", ""))
    blocks += [Text(_SPLITS[split])] if split in _SPLITS else []
    lead = (
        "The encoder is frozen and a linear readout is fitted on its pooled tokens; the same is "
        "done with untrained encoders, with a raw-patch regression of the same budget if the run "
        "trained one, with raw features pooled over the day, and with these and hourly sums. What "
        "carries the answer is zeroed in the input of all. Intervals are of 95% and come from "
        "resampling actors, the same ones for all rows, so differences are paired."
    )
    return Section(*section, lead, blocks), found


def table_of(asked: list[Asked]) -> Table:
    """Probes against encoders, and the differences."""
    encoders = encoders_of(asked)
    body = []
    for probe in asked:
        cells = [_cell(probe.answers.get(name)) for name in encoders]
        cells += [_cell(probe.differences.get(name), judged=True) for name in RIVALS]
        scored = f"{METRICS.get(probe.metric, probe.metric)}, {probe.count:,} windows"
        body.append([Cell(probe.task, scored if probe.count else ""), *cells, Cell(probe.note)])
    head = ("probe", *encoders, *(f"pretrained - {name}" for name in RIVALS), "note")
    note = "Higher is better everywhere. Bold differences have an interval above 0."
    return Table("All probes", head, body, note)


def _cell(answer: Answer | None, *, judged: bool = False) -> Cell:
    if answer is None or not np.isfinite(answer.value):
        return Cell("n/a")
    value, _, detail = str(answer).partition(" ")
    return Cell(value, detail, strong=judged and answer.low > 0)


def _dots(probe: Asked) -> Picture:
    """Every encoder's value and interval, one under the other."""
    shown = [name for name in PAINT if name in probe.answers]
    with panel(height=0.8 + 0.25 * len(shown)) as (figure, axes):
        for y, name in enumerate(reversed(shown)):
            answer, paint = probe.answers[name], colour(PAINT[name])
            if np.isfinite([answer.low, answer.high]).all():
                axes.hlines(y, answer.low, answer.high, color=paint, linewidth=2.2, alpha=0.6)
            marker = "o" if name == PRETRAINED else "D"
            axes.plot(answer.value, y, marker=marker, markersize=5.5, color=paint)
        axes.set_yticks(range(len(shown)), shown[::-1])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=METRICS.get(probe.metric, probe.metric), ylim=(-0.6, len(shown) - 0.4))
        svg = to_svg(figure, f"Probe {probe.task}: every encoder with its 95% interval")
    title = f"{probe.task}: does pretrained lie to the right of its controls?"
    return Picture(title, svg, probe.note)


def _differences(asked: list[Asked]) -> Picture:
    """Pretrained minus each rival, probe by probe."""
    with panel(width=6.4, height=0.9 + 0.34 * len(asked)) as (figure, axes):
        axes.axvline(0, color=colour("muted"), linewidth=0.9)
        for y, probe in enumerate(reversed(asked)):
            for shift, name in zip(np.linspace(0.2, -0.2, len(RIVALS)), RIVALS, strict=True):
                answer, paint = probe.differences[name], colour(PAINT[name])
                axes.hlines(y + shift, answer.low, answer.high, color=paint, linewidth=2.2)
                label = f"pretrained - {name}" if y == 0 else None
                axes.plot(answer.value, y + shift, "o", markersize=5, color=paint, label=label)
        names = [f"{probe.task} ({METRICS.get(probe.metric, probe.metric)})" for probe in asked]
        axes.set_yticks(range(len(asked)), names[::-1])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="difference, 95% interval", ylim=(-0.6, len(asked) - 0.4))
        figure.legend(loc="outside lower center", ncols=2)
        minus = " and ".join(f"minus {name}" for name in RIVALS)
        svg = to_svg(figure, f"Pretrained {minus}, by probe")
    return Picture("Do all intervals lie to the right of 0?", svg)
