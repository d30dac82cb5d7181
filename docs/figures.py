"""Draws the pictures of docs/curriculum.md from a run: `python docs/figures.py RUN`.

RUN is a run of the surprise band with `gate=true` that has kept a checkpoint from between warm-up
and cool-down, on a store with injected corruption; curriculum.md names the commands. Pictures are
SVG, in the colours of the report, and follow the reader's colour scheme by themselves.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from bandpass.curriculum import SurpriseBand
from bandpass.curriculum.histogram import BINS, WIDTH
from bandpass.curriculum.table import HELD, OPEN, PROBATION, ROW, STEPS_PER_BIN, UNSCORED
from bandpass.curriculum.triage import TriageSettings, decode_suspicion
from bandpass.data import Windows
from bandpass.recipes import Recipe, build_curriculum, build_windows
from bandpass.report.drawing import TOKENS, colour, panel, percent_axis, thin, to_svg
from bandpass.runs import open_run
from bandpass.training import checkpoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUT = Path(__file__).parent / "figures"
MOST_POINTS = 100
SLICES = {"rare": "c3", "normal": "c0", "corrupt": "c2"}
VERDICTS = {
    "open": ("c1", "o", (UNSCORED, OPEN)),
    "probation": ("c5", "s", (PROBATION,)),
    "held": ("warn", "X", (HELD,)),
}


@dataclass(frozen=True)
class Moment:
    """A run as it stood at one checkpoint.

    Attributes:
        path: Of the run.
        recipe: Of the run.
        windows: Its training windows.
        band: Its sampler.
        names: Of the buckets.
        step: Steps done.
    """

    path: Path
    recipe: Recipe
    windows: Windows
    band: SurpriseBand
    names: tuple[str, ...]
    step: int


def at_work(path: Path) -> Moment:
    """Open a run at its newest checkpoint between warm-up and cool-down."""
    run = open_run(path)
    settings, steps = run.recipe.band, run.recipe.train.steps
    found = [
        each
        for each in sorted((path / "checkpoints").glob("step-*"))
        if settings.active(checkpoint.step_of(each), steps)
    ]
    if not found:
        raise SystemExit(f"{path} has no checkpoint from between warm-up and cool-down: keep=5")
    windows = build_windows(run.recipe, run.open_store(), "train")
    curriculum = build_curriculum(run.recipe, windows)
    if not isinstance(curriculum.sampler, SurpriseBand) or not curriculum.plan.gate:
        raise SystemExit(f"{path} is no run of the surprise band with gate=true")
    curriculum.sampler.load_state_dict(checkpoint.load_state(found[-1])["feed"]["sampler"])
    names, step = curriculum.plan.names, checkpoint.step_of(found[-1])
    return Moment(path, run.recipe, windows, curriculum.sampler, names, step)


def band(moment: Moment) -> str:
    """Recent scores of one bucket above, how often a window of each score is drawn below."""
    columns, settings = moment.band.snapshot(), moment.recipe.band
    bucket = int(np.bincount(columns["bucket"]).argmax())  # the one with scores in most bins
    here = columns["bucket"] == bucket
    score, mass = columns["score"][here], columns["mass"][here]
    rank = np.cumsum(mass) - mass / 2
    state = moment.band.state_dict()
    aim, start = state["selector"]["aim"], state["book"]["histogram"]["start"]
    reach = aim["location"] + settings.extreme * aim["scale"]
    extreme = start + WIDTH * float(reach[bucket])
    with panel(6.4, 4.2) as (figure, _):
        top, below = _two(figure, (1, 1.25))
        edges = np.append(score - WIDTH / 2, score[-1] + WIDTH / 2)
        top.stairs(mass / WIDTH, edges, fill=True, color=colour("c1"), alpha=0.6)
        top.set(ylabel="density of scores")
        weight = columns["weight"][here]
        drawn = weight > 0  # no window that may be drawn by its score has any other
        below.plot(score[drawn], weight[drawn], color=colour("band"))
        for value, word in ((settings.cap, "cap"), (1, "uniform"), (settings.floor, "floor")):
            below.axhline(value, color=colour("muted"), linewidth=1, linestyle=(0, (4, 3)))
            _say(below, (1.0, value), f"{word} {value:g}/N", ("right", "bottom"), across=True)
        below.set(yscale="log", ylim=(settings.floor / 1.6, settings.cap * 2.2))
        below.set(xlabel="surprise (log loss)", ylabel="probability, times N")
        below.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        high = score[rank < 0.9995][-1] + 0.1
        below.set_xlim(score[rank > 5e-4][0], high)
        for u in (0.5, settings.surprising):
            at = float(np.interp(u, rank, score))
            _line(top, below, at, f"u = {u:g}")
        if extreme < high:
            _line(top, below, extreme, f"z = {settings.extreme:g}", "warn")
        else:
            text = f"z = {settings.extreme:g} lies at {extreme:.1f}"
            _say(top, (high, 1.0), text, ("right", "bottom"), down=True)
        return to_svg(figure, f"Scores of {moment.names[bucket]} and the band over them")


def strength(moment: Moment) -> str:
    """Strength and effective sample size over the run."""
    columns = ["step", "lambda_", "ess"]
    table = pq.read_table(moment.path / "metrics.parquet", columns=columns).to_pydict()
    step, settings = np.array(table["step"]), moment.recipe.band
    steps = moment.recipe.train.steps
    with panel(6.4, 3.4) as (figure, _):
        top, below = _two(figure, (1, 1))
        for axes, name in ((top, "lambda_"), (below, "ess")):
            axes.plot(step, table[name], color=colour("band"))
            axes.axvspan(0, settings.warm_up * steps, color=colour("c0"), alpha=0.18, linewidth=0)
            cool = (1 - settings.cool_down) * steps
            axes.axvspan(cool, steps, color=colour("c0"), alpha=0.18, linewidth=0)
        _say(top, (settings.warm_up * steps / 2, 0.93), "warm-up", ("center", "top"), down=True)
        _say(top, ((cool + steps) / 2, 0.93), "cool-down", ("center", "top"), down=True)
        below.axhline(settings.ess, color=colour("muted"), linewidth=1, linestyle=(0, (4, 3)))
        _say(below, (1.0, settings.ess), f"ess={settings.ess:g}", ("right", "bottom"), across=True)
        top.set(ylabel="lambda", ylim=(0, 1.15 * max(table["lambda_"])))
        below.set(ylabel="ESS / N", xlabel="step", ylim=(0, 1.08), xlim=(0, steps))
        return to_svg(figure, "Strength and effective sample size over the run")


def gate(moment: Moment) -> str:
    """Judged windows by surprise and suspicion, a panel for each slice, marked by verdict."""
    state = moment.band.state_dict()
    rows = state["book"]["table"]["rows"].numpy().view(ROW)[:, 0]
    aim = state["selector"]["aim"]
    bucket = state["book"]["table"]["bucket_of"].numpy()[rows["prototype"]]
    u = aim["rank"].numpy()[bucket, np.minimum(rows["score"] // STEPS_PER_BIN, BINS - 1)]
    suspicion = decode_suspicion(rows["suspicion"])
    judged = np.isfinite(suspicion) & (u > moment.recipe.band.surprising)
    slices = moment.windows.slices()
    with panel(6.4, 2.9) as (figure, axes):
        axes.remove()
        plots = figure.subplots(1, len(SLICES), sharex=True, sharey=True)
        for axes, name in zip(plots, SLICES, strict=True):
            inside = np.flatnonzero(judged & slices[name])
            verdict = rows["verdict"]
            held = (verdict[inside] == HELD).mean()
            axes.set_title(f"{name}: {held:.0%} of {len(inside)} held", fontsize=9)
            shown = inside[thin(len(inside), MOST_POINTS)]
            for word, (token, marker, codes) in VERDICTS.items():
                of = shown[np.isin(verdict[shown], codes)]
                style = {"color": colour(token), "marker": marker, "label": word}
                axes.scatter(u[of], suspicion[of], s=17, linewidths=0, alpha=0.8, **style)
            line = TriageSettings().isolated
            axes.axhline(line, color=colour("muted"), linewidth=1, linestyle=(0, (4, 3)))
            axes.set(xlabel="surprise rank u", ylim=(-0.03, 1.03))
        plots[0].set(ylabel="suspicion c")
        figure.legend(*plots[-1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return to_svg(figure, "Rare, normal and corrupt windows by surprise and suspicion")


def slots(moment: Moment) -> str:
    """Share of every slice and kind of fault among the windows, and in the next draw."""
    members = {name: moment.windows.slices()[name] for name in SLICES}
    codes, names = moment.windows.classes(np.arange(len(moment.windows)))["corrupt"]
    kinds = {name: codes == code for code, name in names.items() if code}
    members |= {f"  {name}": kind & members["corrupt"] for name, kind in kinds.items()}
    p = moment.band.probabilities()
    with panel(6.4, 3.2) as (figure, axes):
        for line, (name, inside) in enumerate(members.items()):
            natural, drawn = inside.mean(), p[inside].sum()
            token = SLICES.get(name, SLICES["corrupt"])
            axes.plot([natural, drawn], [line, line], color=colour(token), linewidth=2, alpha=0.5)
            hollow = {"markerfacecolor": "none", "markeredgecolor": colour(token)}
            axes.plot(natural, line, "o", markersize=6, **hollow)
            axes.plot(drawn, line, "o", markersize=6, color=colour(token))
            _say(axes, (1.02, line), f"{drawn / natural:.2f}x", ("left", "center"), across=True)
        axes.set_yticks(range(len(members)), list(members))
        axes.set(xscale="log", xlabel="share: hollow of the windows, filled of the slots")
        percent_axis(axes.xaxis)
        axes.invert_yaxis()
        return to_svg(figure, "Slot shares, natural against sampled")


def _two(figure: "Figure", heights: tuple[float, float]) -> "tuple[Axes, Axes]":
    figure.clear()
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    return top, below


def _line(top: "Axes", below: "Axes", at: float, text: str, token: str = "muted") -> None:
    for axes in (top, below):
        axes.axvline(at, color=colour(token), linewidth=1, linestyle=(0, (1, 2)))
    _say(top, (at, 1.0), text, ("center", "bottom"), down=True)


def _say(
    axes: "Axes",
    at: tuple[float, float],
    text: str,
    align: tuple[str, str],
    *,
    across: bool = False,
    down: bool = False,
) -> None:
    """Write small text at data coordinates, or at a share of the width or the height."""
    transform = axes.get_yaxis_transform() if across else axes.transData
    transform = axes.get_xaxis_transform() if down else transform
    style = {"ha": align[0], "va": align[1], "fontsize": 8, "color": colour("muted")}
    axes.text(*at, text, transform=transform, **style)


def standalone(svg: str) -> str:
    """Make an inline SVG a file: its namespace, the colours it refers to, short ids."""
    for place, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', svg))):
        svg = re.sub(rf'(id="|#){name}\b', rf"\g<1>i{place}", svg)
    light, dark = (
        ";".join(f"--{name}:{values[place]}" for name, values in TOKENS.items() if name in svg)
        for place in (0, 1)
    )
    style = f"svg{{{light}}}@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
    head, _, body = svg.partition(">")
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{head}><style>{style}text{{font-family:system-ui,sans-serif}}</style>{body}\n"


def main() -> None:
    """Draw all four."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    moment = at_work(parser.parse_args().run)
    OUT.mkdir(exist_ok=True)
    for draw in (band, strength, gate, slots):
        (OUT / f"{draw.__name__}.svg").write_text(standalone(draw(moment)))
    print(f"{moment.path} at step {moment.step}: {OUT}/{{band,strength,gate,slots}}.svg")


if __name__ == "__main__":
    main()
