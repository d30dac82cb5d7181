"""The chapter on capacity against motion: does a clip get more slots because more moves in it?"""

from collections.abc import Sequence

import numpy as np

from bandpass.report.blocks import Cell, Picture, Pictures, Section, Table
from bandpass.report.drawing import colour, panel, percent_axis, to_svg
from bandpass.report.slots import TIMES
from bandpass.report.tables import Run, rows

SLICES = ("rare", "corrupt")


def motion_section(runs: Sequence[Run]) -> Section:
    """Bars of slots by decile of motion, and a table with the slices that a run is judged by."""
    run, known = runs[0], [each for each in runs if _known(each)]
    section = ("motion", "Where the slots went, by motion")
    if not _known(run):
        absent = (
            "How much moves in each clip is not known yet: `bandpass evaluate` fills this chapter."
            if rows(run.windows)
            else "This run did not log how often it drew each clip."
        )
        return Section(*section, absent, ())
    rank = spearman(run.clips["motion"], run.windows["drawn"])
    lead = (
        "Motion is the mean absolute difference of a frame to the one before. A tenth of the clips "
        "is in each bar: a curriculum that chases motion fills the right ones, and one that finds "
        f"rare events need not. Motion and times drawn: rank correlation {rank:+.2f}."
    )
    return Section(*section, lead, [Pictures([_bars(run)]), _table(known)])


def shares(run: Run) -> dict[str, tuple[float, float]]:
    """Natural share and share of the slots of each decile of motion, and of each slice."""
    drawn = run.windows["drawn"] / max(run.windows["drawn"].sum(), 1)
    inside = {f"motion {10 * i}-{10 * i + 10}%": run.clips["decile"] == i for i in range(10)}
    slices = {name: run.clips[name].astype(bool) for name in SLICES}
    slices["normal"] = ~slices["rare"] & ~slices["corrupt"]
    inside |= {name: clips for name, clips in slices.items() if clips.any()}
    return {
        name: (float(clips.mean()), float(drawn[clips].sum())) for name, clips in inside.items()
    }


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of (n,) with (n,), ties at their mean rank; 0 if one does not vary.

    NaN is left out, with what it stands beside: nothing is known of how that clip moves.
    """
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if not known.any():
        return 0.0
    ranks = [_ranks(each) for each in (one, other)]
    ranks = [each - each.mean() for each in ranks]
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]


def _known(run: Run) -> bool:
    return rows(run.clips) > 0 and rows(run.clips) == rows(run.windows)


def _bars(run: Run) -> Picture:
    found = list(shares(run).values())[:10]
    natural, drawn = (np.array(part) for part in zip(*found, strict=True))
    with panel(height=2.6) as (figure, axes):
        at = np.arange(10)
        axes.bar(at - 0.2, natural, 0.36, color=colour("muted"), alpha=0.45)
        axes.bar(at + 0.2, drawn, 0.36, color=colour("c1"))
        axes.grid(visible=False, axis="x")
        axes.set_xticks(at, ["least", *[""] * 8, "most"])
        axes.tick_params(axis="x", length=0)
        axes.set(xlabel="tenths of the clips, by motion", ylabel="share of the slots")
        percent_axis(axes.yaxis)
        svg = to_svg(figure, f"Share of the slots by tenths of motion, {run.name}")
    note = "Grey: natural share. Blue: share of all slots."
    return Picture("Do the blue bars rise with motion?", svg, note)


def _table(runs: Sequence[Run]) -> Table:
    found = [shares(run) for run in runs]
    body = []
    for name, (natural, _) in found[0].items():
        cells = [Cell(name), Cell(f"{natural:.1%}")]
        cells += [_cell(*own[name]) if name in own else Cell("not known") for own in found]
        body.append(cells)
    head = ("clips", "natural", *(f"drawn: {run.name}" for run in runs))
    note = f"{TIMES}: drawn relative to natural. Rare, corrupt and normal are as for series."
    return Table("Slot shares by motion and by slice, whole run", head, body, note)


def _cell(natural: float, drawn: float) -> Cell:
    return Cell(f"{drawn:.1%}", f"{TIMES}{drawn / natural:.2f}" if natural > 0 else "")
