"""The chapter on the probes of a video run: every question beside all its controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandpass.evaluation import videos
from bandpass.report.blocks import Block, Cell, Folded, Pictures, Section, Table, Verdict, Verdicts
from bandpass.report.evaluation import forest, task_table
from bandpass.report.probes import Score, apart, interval, qualified, scores_of, words
from bandpass.report.tables import Run

FIRST = (videos.ACTION, videos.EVENTS, videos.STATE, videos.FRAMES)
"""The primary question is the first of these that a store knows the answers to."""

CONTROLS = (*videos.RIVALS, videos.RAW_PATCH, videos.TRIVIAL)


@dataclass(frozen=True)
class Question:
    """One task in its headline metric.

    Attributes:
        task: What was asked.
        ours: The pretrained encoder, in the pooling that counts.
        controls: What it has to beat: each control that was asked, in the pooling that counts.
    """

    task: str
    ours: Score
    controls: tuple[Score, ...]

    @property
    def complete(self) -> bool:
        """Whether all controls that need to be beaten were measured, and the encoder too."""
        known = {score.encoder for score in self.controls}
        if self.task == videos.FRAMES:  # ranked by surprise: features have none
            return {videos.RANDOM, videos.TRIVIAL} <= known
        return set(videos.RIVALS) <= known

    @property
    def best(self) -> Score:
        """The strongest control."""
        return max(self.controls, key=lambda score: score.value)

    @property
    def open(self) -> tuple[Score, ...]:
        """Controls that the intervals do not show to be beaten."""
        return tuple(score for score in self.controls if not apart(self.ours, score))

    @property
    def outcome(self) -> str:
        """``yes`` if all controls are beaten, ``no`` if one is better, else ``open``."""
        if any(apart(score, self.ours) for score in self.controls):
            return "no"
        return "yes" if self.complete and not self.open else "open"


def video_probes_section(runs: Sequence[Run]) -> tuple[Section, Verdict | None]:
    """Verdict, the primary question first, one table a question; and the summary for the top."""
    section = ("evaluation", "Frozen probes")
    scores = scores_of(runs)
    if not scores:
        absent = "This run has not been evaluated yet: `bandpass evaluate` fills this chapter."
        return Section(*section, absent, ()), None
    asked = questions(scores)
    tasks = list(dict.fromkeys(score.task for score in scores))
    tasks.sort(key=lambda task: FIRST.index(task) if task in FIRST else len(FIRST))
    by_task = {task: [score for score in scores if score.task == task] for task in tasks}
    found = [qualified(runs[0], each) for each in verdict(asked)]
    primary = [qualified(runs[0], each) for each in _primary(asked)]
    blocks: list[Block] = [Verdicts([*primary, *found])]
    blocks += [summary(asked)] if asked else []
    judged = {question.task: by_task[question.task] for question in asked}
    first = next(iter(judged), None)
    if first is not None:
        blocks += [Pictures([forest(first, judged[first])]), task_table(first, judged[first])]
    tables = [task_table(task, by_task[task]) for task in tasks if task != first]
    blocks += [Folded(table.caption, table) for table in tables]
    lead = (
        "The encoder is frozen and a linear probe is fitted on clips of the training side; the "
        "same is done with untrained encoders, with a raw-patch regression if the run trained one, "
        f"and with features made by hand. Of tokens the pooling “{videos.PRIMARY}” counts, which "
        "was declared before; of features made by hand the one that scores highest, which favours "
        "them. Brackets are 95% intervals from resampled stretches of recordings."
    )
    return Section(*section, lead, blocks), found[0] if found else None


def questions(scores: Sequence[Score]) -> list[Question]:
    """Every task that the pretrained encoder was judged by, the primary one first."""
    plain = [
        {
            "encoder": score.encoder,
            "pooling": score.pooling,
            "task": score.task,
            "metric": score.metric,
            "value": score.value,
            "score": score,
        }
        for score in scores
        if score.row == score.encoder and np.isfinite(score.value)  # of the run itself
    ]
    found = []
    for task, own in videos.counted(plain).items():
        controls = tuple(own[name]["score"] for name in CONTROLS if name in own)
        if videos.PRETRAINED in own and controls:
            found.append(Question(task, own[videos.PRETRAINED]["score"], controls))
    return sorted(found, key=lambda q: FIRST.index(q.task) if q.task in FIRST else len(FIRST))


def verdict(asked: Sequence[Question]) -> list[Verdict]:
    """On how many questions the encoder beats every control."""
    counts = {each: sum(q.outcome == each for q in asked) for each in ("yes", "no", "open")}
    if not asked:
        return []
    sentence = (
        f"By their intervals it beats every control on {counts['yes']} of {len(asked)} questions, "
        f"is worse than one on {counts['no']}, and is not told apart from one on {counts['open']}."
    )
    if counts["yes"] == len(asked):
        return [Verdict("yes", "Does it beat all controls? Yes", sentence)]
    some = counts["yes"] > 0
    label = "On some questions" if some else "Not on this evidence"
    return [Verdict("open" if some else "no", f"Does it beat all controls? {label}", sentence)]


def _primary(asked: Sequence[Question]) -> list[Verdict]:
    """The verdict on the first question."""
    if not asked:
        return []
    question = asked[0]
    ours, best = question.ours, question.best
    says = (
        f"{words(ours.metric)}, {ours.pooling}: {interval(ours)}; the best control, {_name(best)}: "
        f"{interval(best)}."
    )
    label = {
        "yes": "beats every control",
        "no": "worse than a control",
        "open": "not shown to beat every control",
    }[question.outcome]
    if question.open:
        says += f" Not beaten: {', '.join(_name(score) for score in question.open)}."
    if not question.complete:
        says += " Some controls were not measured."
    return [Verdict(question.outcome, f"{question.task.capitalize()}: {label}", says)]


def summary(asked: Sequence[Question]) -> Table:
    """Every question: the pretrained encoder beside each control, in its headline metric."""
    present = [
        name for name in CONTROLS if any(name == s.encoder for q in asked for s in q.controls)
    ]
    said = {"yes": "yes", "no": "no, worse than one", "open": "not shown"}
    body = []
    for question in asked:
        controls = {score.encoder: score for score in question.controls}
        cells = [_cell(question.ours, strong=question.outcome == "yes")]
        cells += [_cell(controls.get(name), strong=False) for name in present]
        name = Cell(question.task, words(question.ours.metric))
        body.append([name, *cells, Cell(said[question.outcome])])
    head = ("question", videos.PRETRAINED, *present, "beats all")
    note = (
        "Higher is better everywhere. Bold: above every control, intervals apart. One run cannot "
        "show more: paired differences over seeds decide."
    )
    return Table("All questions", head, body, note)


def _cell(score: Score | None, *, strong: bool) -> Cell:
    if score is None:
        return Cell("n/a")
    known = np.isfinite([score.low, score.high]).all()
    detail = f"[{score.low:.3f}, {score.high:.3f}]" if known else ""
    return Cell(f"{score.value:.3f}", detail, strong=strong)


def _name(score: Score) -> str:
    return f"{score.encoder} ({score.pooling})"
