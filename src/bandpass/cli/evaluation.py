"""What `bandpass evaluate` prints of a run."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandpass.cli.progress import comparison
from bandpass.evaluation import videos
from bandpass.evaluation.schedules import REPLACED
from bandpass.report import blocks, schedule_losses, schedule_probes
from bandpass.report.probes import SUPERVISED
from bandpass.report.tables import read_run, rows
from bandpass.runs.tasks import Row

CONTROLS = (
    *(videos.RANDOM, videos.RAW_PATCH),
    *(videos.MOTION, videos.MEAN_FRAME, videos.GRID, videos.TRIVIAL),
)
MARKS = {"yes": "+", "no": "-", "open": "?"}


def tables(run: Path, measured: Sequence[Row]) -> Group:
    """What is said of a run of any kind that was just evaluated.

    Args:
        run: Its directory.
        measured: The rows of its evaluation.
    """
    found = read_run(run)
    if found.of_schedules:
        shown: RenderableType = schedule_tables(run)
    elif of_videos(measured):
        shown = video_tables(measured)
    else:
        shown = comparison({"run": list(measured)})
    return Group(shown, SUPERVISED) if found.supervised else Group(shown)


def schedule_tables(run: Path) -> Group:
    """Probes against encoders, held-out losses below, and what both say."""
    found = read_run(run)
    asked = schedule_probes.asked_of(found.evaluation)
    shown: list[RenderableType] = [_probes(asked)]
    verdicts = [schedule_probes.verdict(asked)]
    if rows(found.losses):
        shown.append(_plain(schedule_losses.table_of(found.losses)))
        verdicts.append(schedule_losses.verdict(found.losses))
    lines = [
        Text.assemble((f"{MARKS[each.outcome]} {each.label}. ", "bold"), each.sentence)
        for each in verdicts
    ]
    return Group(*shown, *lines)


def _probes(asked: list[schedule_probes.Asked]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))  # narrow: numbers must not break on 80 columns
    encoders = schedule_probes.encoders_of(asked)
    for head in ("probe", "", *(name.replace("-", "-\n") for name in encoders), "beats all"):
        table.add_column(head, no_wrap=True)
    for probe in asked:
        cells = [probe.answers.get(name) for name in encoders]
        values = [str(cell).partition(" ")[0] if cell else "n/a" for cell in cells]
        verdict = "yes" if probe.beats else "no" if probe.counts else "not asked"
        result = REPLACED if probe.note.startswith(REPLACED) else verdict
        table.add_row(probe.task, probe.metric, *values, result)
    return table


def _plain(content: blocks.Table) -> Table:
    table = Table(*content.head, title=content.caption, title_justify="left", box=None)
    table.caption, table.caption_justify = content.note, "left"
    for row in content.body:
        table.add_row(*(Text(cell.text) for cell in row))
    return table


def of_videos(measured: Sequence[Row]) -> bool:
    """Whether rows of an evaluation are those of a run on videos."""
    return any(row["encoder"] == videos.MEAN_FRAME for row in measured)


def side_by_side(found: dict[str, list[Row]]) -> Table:
    """The encoders of several runs against the controls of the first, task by task."""
    first = next(iter(found))
    if not of_videos(found[first]):
        return comparison(found)
    by_run = {run: videos.counted(measured) for run, measured in found.items()}
    tasks: dict[str, dict[str, videos.Row]] = {}
    for task, own in by_run[first].items():
        trained = {run: each[task].get(videos.PRETRAINED) for run, each in by_run.items()}
        tasks[task] = own | {run: row for run, row in trained.items() if row is not None}
    return _against(tasks, [*found, *CONTROLS])


def video_tables(measured: Sequence[Row]) -> Group:
    """Every task against the controls; below, what the pooling of the tokens makes of it."""
    found = videos.counted(measured)
    return Group(_against(found, [videos.PRETRAINED, *CONTROLS]), _poolings(measured, found))


def _against(found: dict[str, dict[str, videos.Row]], encoders: Sequence[str]) -> Table:
    """Tasks against encoders, those that were asked anything."""
    present = [name for name in encoders if any(name in own for own in found.values())]
    against = Table(box=None, padding=(0, 1, 0, 0))
    for head in ("task", "", *(name.replace("-", "-\n") for name in present)):
        against.add_column(head)
    for task, own in found.items():
        metric = next(iter(own.values()))["metric"]
        values = [_number(own.get(name)) for name in present]
        against.add_row(task, str(metric), *values)
    return against


def _poolings(measured: Sequence[Row], found: dict[str, dict[str, videos.Row]]) -> Table:
    """Headline metrics of the pretrained encoder in each pooling."""
    names = (videos.SPREAD, videos.PLACE, videos.ATTENTIVE)
    heads = [f"{name} *" if name == videos.PRIMARY else name for name in names]
    table = Table("pretrained, pooling", *heads, box=None, padding=(0, 1, 0, 0))
    table.caption, table.caption_justify = "* counts, in the table above", "left"
    for task, own in found.items():
        if videos.PRETRAINED not in own or task == videos.FRAMES:
            continue
        metric = own[videos.PRETRAINED]["metric"]
        key = (videos.PRETRAINED, task, metric)
        by_pooling = {
            row["pooling"]: row
            for row in measured
            if (row["encoder"], row["task"], row["metric"]) == key
        }
        table.add_row(task, *(_number(by_pooling.get(name)) for name in names))
    return table


def _number(row: videos.Row | None) -> str:
    return "" if row is None else "n/a" if row["value"] != row["value"] else f"{row['value']:.3f}"
