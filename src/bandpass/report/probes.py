"""The probe tables: every encoder beside its controls, and what the intervals allow to say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bandpass.report.blocks import Verdict
from bandpass.report.tables import Columns, Run, rows

PRETRAINED, RANDOM = "pretrained", "random-init"
ORDER = (PRETRAINED, RANDOM, "raw-patch", "raw-features", "persistence")
HIGHER = (
    *("average_precision", "ap", "auprc", "auroc", "recall", "precision", "f1", "accuracy", "r2"),
    *("skill", "correlation"),
)
_SPELLED = {"f1": "F1", "auroc": "AUROC", "auprc": "AUPRC", "ap": "AP", "r2": "R2", "ece": "ECE"}
SUPERVISED = "It was trained on labels: not comparable with label-free controls."
LOWER = ("brier", "ece", "false_alarm", "mse", "mae", "rmse", "nll", "loss", "error")


@dataclass(frozen=True)
class Score:
    """One measured number with its 95% interval.

    Attributes:
        row: Which encoder (of which run) was measured, as the table names it.
        encoder: The encoder alone.
        pooling: How its tokens were pooled.
        task: What the probe predicts.
        metric: How it is scored.
        value: The score.
        low: Lower end of the interval, NaN if none was computed.
        high: Upper end.
        count: Windows it was measured on.
    """

    row: str
    encoder: str
    pooling: str
    task: str
    metric: str
    value: float
    low: float
    high: float
    count: int


def direction(metric: str) -> int:
    """1 if higher is better, -1 if lower is, 0 if the metric describes and does not judge."""
    words = metric.lower().replace("-", "_").replace(" ", "_")
    parts = words.split("_")

    def named(known: Sequence[str]) -> bool:
        return any(name in parts or ("_" in name and name in words) for name in known)

    if named(LOWER):
        return -1
    return 1 if named(HIGHER) else 0


def scores_of(runs: Sequence[Run]) -> list[Score]:
    """All scores of the first run, then the pretrained encoders of the others."""
    scores = []
    for position, run in enumerate(runs):
        table = run.evaluation
        for i in range(rows(table)):
            encoder = str(table["encoder"][i])
            if position > 0 and encoder != PRETRAINED:
                continue  # its controls are those of the first run
            row = encoder if position == 0 else f"{encoder} ({run.name})"
            scores.append(_score(table, i, row))
    return sorted(scores, key=_rank)


def _score(table: Columns, i: int, row: str) -> Score:
    return Score(
        row=row,
        encoder=str(table["encoder"][i]),
        pooling=str(table["pooling"][i]),
        task=str(table["task"][i]),
        metric=str(table["metric"][i]),
        value=float(table["value"][i]),
        low=float(table["low"][i]),
        high=float(table["high"][i]),
        count=int(table["count"][i]),
    )


def _rank(score: Score) -> int:
    return ORDER.index(score.encoder) if score.encoder in ORDER else len(ORDER)


def apart(better: Score, worse: Score) -> bool:
    """Whether ``better`` lies wholly on the good side of ``worse``: intervals do not meet."""
    sign = direction(better.metric)
    if sign == 0 or not np.isfinite([better.low, better.high, worse.low, worse.high]).all():
        return False
    return better.low > worse.high if sign > 0 else better.high < worse.low


def best(scores: Sequence[Score]) -> Score | None:
    """The score that is better than those of all other rows, None if the intervals do not say."""
    judged = [score for score in scores if np.isfinite(score.value)]
    if len({score.row for score in judged}) < 2 or direction(judged[0].metric) == 0:
        return None
    top = max(judged, key=lambda score: direction(score.metric) * score.value)
    rivals = [score for score in judged if score.row != top.row]
    return top if all(apart(top, rival) for rival in rivals) else None


def primary(scores: Sequence[Score]) -> str | None:
    """The metric a task is judged by: its first with a direction, with an interval if any has."""
    judged = [s for s in scores if direction(s.metric) != 0 and np.isfinite(s.value)]
    with_interval = [s for s in judged if np.isfinite(s.low) and np.isfinite(s.high)]
    order = [s.metric for s in with_interval or judged]
    logged = list(dict.fromkeys(s.metric for s in scores))
    return min(order, key=logged.index) if order else None


def verdict(task: str, scores: Sequence[Score], rival: str = RANDOM) -> Verdict:
    """Say in words whether the pretrained encoder beats the row ``rival`` on ``task``.

    With several poolings the one where the rival is strongest is compared, so that the verdict
    is never won by a pooling that merely hurts the control.
    """
    name = "random init" if rival == RANDOM else rival
    metric = primary(scores)
    pairs = _pairs([s for s in scores if s.metric == metric], rival) if metric else []
    if not pairs:
        missing = f"There is no pretrained row beside a row of {name} with the same pooling."
        return Verdict("open", f"{_title(task)}: not compared with {name}", missing)
    ours, control = max(pairs, key=lambda pair: direction(pair[1].metric) * pair[1].value)
    outcome, label, reason = _compare(ours, control)
    sentence = (
        f"{words(ours.metric)}, {ours.pooling} pooling: {interval(ours)} against "
        f"{interval(control)}; {reason}."
    )
    if rival == RANDOM:
        sentence += _stronger(ours, scores)
    return Verdict(outcome, f"{_title(task)}: {label} {name}", sentence)


def _pairs(scores: Sequence[Score], rival: str) -> list[tuple[Score, Score]]:
    finite = [s for s in scores if np.isfinite(s.value)]
    ours = {s.pooling: s for s in finite if s.row == PRETRAINED}
    control = {s.pooling: s for s in finite if s.row == rival}
    return [(ours[pooling], control[pooling]) for pooling in ours if pooling in control]


def _compare(ours: Score, control: Score) -> tuple[str, str, str]:
    if apart(ours, control):
        return "yes", "beats", "the intervals lie apart"
    if apart(control, ours):
        return "no", "worse than", "the intervals lie apart"
    if not np.isfinite([ours.low, ours.high, control.low, control.high]).all():
        return "open", "not shown to beat", "without intervals the difference says nothing"
    return "open", "not shown to beat", "the intervals overlap"


def _stronger(ours: Score, scores: Sequence[Score]) -> str:
    """Name the strongest other control where it scores above the pretrained encoder."""
    sign = direction(ours.metric)
    controls = [
        s
        for s in scores
        if s.metric == ours.metric
        and s.encoder not in (PRETRAINED, RANDOM)
        and np.isfinite(s.value)
    ]
    if not controls:
        return ""
    top = max(controls, key=lambda s: sign * s.value)
    if sign * top.value <= sign * ours.value:
        return f" No other control scores better (the best, {top.encoder}: {interval(top)})."
    how = "clearly better" if apart(top, ours) else "better, within the intervals"
    return f" But {top.encoder} scores {how}: {interval(top)}."


def headline(verdicts: Sequence[Verdict]) -> Verdict:
    """All verdicts in one sentence."""
    count = {outcome: sum(v.outcome == outcome for v in verdicts) for outcome in ("yes", "no")}
    total = len(verdicts)
    tasks = "task" if total == 1 else "tasks"
    says = f"The pretrained encoder beats random init on {count['yes']} of {total} {tasks}"
    says += f" and is worse on {count['no']}" if count["no"] else ""
    rest = total - count["yes"] - count["no"]
    says += f"; on {rest} the intervals overlap or are missing." if rest else "."
    if count["yes"] == 0:
        return Verdict("no", "Does it beat random init? Not on this evidence", says)
    label = "Does it beat random init? Yes" if count["yes"] == total else "On some tasks"
    prefix = "" if count["yes"] == total else "Does it beat random init? "
    return Verdict("yes" if count["yes"] == total else "open", prefix + label, says)


def qualified(run: Run, verdict: Verdict) -> Verdict:
    """Decide nothing by beating controls that saw no label, where the run was trained on them."""
    if not run.supervised:
        return verdict
    return replace(verdict, outcome="open", sentence=f"{verdict.sentence} {SUPERVISED}")


def words(name: str) -> str:
    """A metric's name as one reads it."""
    parts = [_SPELLED.get(part, part) for part in name.split("_")]
    text = " ".join(parts).replace("macro F1", "macro-F1")
    return _title(text)


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def interval(score: Score) -> str:
    """Value and interval, ``0.712 [0.690, 0.734]``."""
    if not (np.isfinite(score.low) and np.isfinite(score.high)):
        return f"{score.value:.3f} (no interval)"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
