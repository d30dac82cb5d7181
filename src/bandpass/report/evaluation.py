"""The chapter on evaluation: verdicts in words, intervals as figures, every number in tables."""

from collections.abc import Sequence

import numpy as np

from bandpass.report.blocks import (
    Block,
    Cell,
    Folded,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
    Verdict,
    Verdicts,
)
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.probes import (
    PRETRAINED,
    Score,
    best,
    direction,
    headline,
    primary,
    qualified,
    scores_of,
    verdict,
    words,
)
from bandpass.report.tables import Run

_ARROWS = {1: " ↑", -1: " ↓", 0: ""}


def evaluation_section(runs: Sequence[Run]) -> tuple[Section, Verdict | None]:
    """Judge and tabulate every task; also return the one-sentence summary for the page's top."""
    section = ("evaluation", "Frozen probes")
    scores = scores_of(runs)
    if not scores:
        absent = "This run has not been evaluated yet: `bandpass evaluate` fills this chapter."
        return Section(*section, absent, ()), None
    tasks = list(dict.fromkeys(score.task for score in scores))
    by_task = {task: [score for score in scores if score.task == task] for task in tasks}
    judged = {task: by_task[task] for task in tasks if primary(by_task[task])}
    verdicts = [verdict(task, of_task) for task, of_task in judged.items()]
    run = runs[0]
    blocks: list[Block] = [Verdicts([qualified(run, each) for each in verdicts])]
    rivals = dict.fromkeys(s.row for s in scores if s.encoder == PRETRAINED != s.row)
    if rivals:
        blocks.append(Text("The same encoder against those of the runs compared with:"))
        against = [verdict(task, by, rival) for rival in rivals for task, by in judged.items()]
        blocks.append(Verdicts([qualified(run, each) for each in against]))
    blocks.append(Pictures([forest(task, of_task) for task, of_task in judged.items()]))
    blocks += [task_table(task, of_task) for task, of_task in judged.items()]
    rest = [task_table(task, by_task[task]) for task in tasks if task not in judged]
    blocks += [Folded(f"{table.caption} (describes, does not judge)", table) for table in rest]
    lead = (
        "The encoder is frozen and a small probe is fitted on its embeddings; the same is done "
        "with an untrained encoder, raw features and other controls of the same budget. Brackets "
        "are 95% intervals. Bold is the best row, and only where its interval lies apart from all "
        "others. Overlapping intervals do not prove equality; a paired test over seeds decides."
    )
    summary = qualified(run, headline(verdicts)) if verdicts else None
    return Section(*section, lead, blocks), summary


def task_table(task: str, scores: Sequence[Score]) -> Table:
    """Every row and metric of one task; bold is the best row, where the intervals say so."""
    metrics = list(dict.fromkeys(score.metric for score in scores))
    bold = {metric: best([s for s in scores if s.metric == metric]) for metric in metrics}
    body = []
    for row, pooling in dict.fromkeys((score.row, score.pooling) for score in scores):
        mine = {s.metric: s for s in scores if (s.row, s.pooling) == (row, pooling)}
        cells = [_cell(mine.get(metric), bold[metric]) for metric in metrics]
        body.append([Cell(row), Cell(pooling), *cells])
    counts = sorted({score.count for score in scores})
    sizes = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    head = ("encoder", "pooling", *(words(m) + _ARROWS[direction(m)] for m in metrics))
    note = f"Measured on {sizes} windows. ↑ higher is better, ↓ lower is better."
    return Table(f"Task: {task}", head, body, note)


def _cell(score: Score | None, bold: Score | None) -> Cell:
    if score is None or not np.isfinite(score.value):
        return Cell("n/a")
    known = np.isfinite(score.low) and np.isfinite(score.high)
    detail = f"[{score.low:.3f}, {score.high:.3f}]" if known else ""
    return Cell(f"{score.value:.3f}", detail, strong=score is bold)


def forest(task: str, scores: Sequence[Score]) -> Picture:
    """Every row's value and interval for the task's metric, one under the other."""
    metric = primary(scores)
    assert metric is not None  # the caller asks for tasks that have one
    chosen = [s for s in scores if s.metric == metric and np.isfinite(s.value)]
    with panel(height=0.8 + 0.27 * len(chosen)) as (figure, axes):
        for y, score in zip(range(len(chosen) - 1, -1, -1), chosen, strict=True):
            ours = score.encoder == PRETRAINED
            paint = colour(("c1" if score.row == PRETRAINED else "c2") if ours else "muted")
            if np.isfinite(score.low) and np.isfinite(score.high):
                axes.hlines(y, score.low, score.high, color=paint, linewidth=2.2, alpha=0.6)
            axes.plot(score.value, y, marker="o" if ours else "D", markersize=5.5, color=paint)
        axes.set_yticks(range(len(chosen) - 1, -1, -1), [f"{s.row} · {s.pooling}" for s in chosen])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=words(metric), ylim=(-0.6, len(chosen) - 0.4))
        svg = to_svg(figure, f"{words(metric)} with 95% intervals by encoder, task {task}")
    side = "right" if direction(metric) > 0 else "left"
    return Picture(f"{task}: does pretrained lie to the {side} of its controls?", svg)
