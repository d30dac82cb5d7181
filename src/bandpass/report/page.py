"""Put the chapters together and write the page, whole or not at all."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from bandpass.data import Clips
from bandpass.report.band import band_section
from bandpass.report.blocks import Section, Verdict
from bandpass.report.drawing import TOKENS
from bandpass.report.embedding_map import map_section
from bandpass.report.enrichment import enrichment_section
from bandpass.report.evaluation import evaluation_section
from bandpass.report.facts import facts_section
from bandpass.report.filmstrips import films_section, held_films
from bandpass.report.footage import damage, footage
from bandpass.report.glance import glance_section
from bandpass.report.motion_slots import motion_section
from bandpass.report.quarantine import quarantine_section
from bandpass.report.schedule_losses import losses_section
from bandpass.report.schedule_probes import schedule_probes_section
from bandpass.report.slots import slots_section
from bandpass.report.surprise_curve import surprise_section
from bandpass.report.tables import ReportError, Run, read_runs
from bandpass.report.training import training_section
from bandpass.report.video_probes import video_probes_section
from bandpass.training.atomic import write_whole


def write_report(run: Path, *, beside: Sequence[Path] = (), out: Path | None = None) -> Path:
    """Write the report of ``run`` as one self-contained HTML file.

    Only the tables that the runs logged are read and, of a video run, the frames that are shown.
    A table that was never written (no evaluation yet, no band in a uniform run), or a store that
    has gone, is replaced by a sentence.

    Args:
        run: The run directory to report.
        beside: Other runs that are compared in the same curves and tables, such as uniform
            sampling at equal counted compute.
        out: Where to write; ``run/report.html`` by default.

    Returns:
        The file written.

    Raises:
        ReportError: A run directory is missing or damaged, the page cannot be written, or the
            packages of the extra ``report`` are not installed.
    """
    runs = read_runs(run, beside)
    text = render(runs)
    out = run / "report.html" if out is None else out
    publish(out, text)
    return out


def render(runs: Sequence[Run]) -> str:
    """The page as text; ``runs[0]`` is reported, the rest are compared with it."""
    needs_packages()
    run = runs[0]
    clips = footage(run) if run.of_videos else None
    watched = [] if clips is None else [films_section(run, clips), motion_section(runs)]
    held = () if clips is None else held_films(run, clips)
    evaluation = _evaluation(runs, clips)
    sections = [
        training_section(runs),
        enrichment_section(run),
        band_section(run),
        slots_section(runs),
        *watched,
        quarantine_section(run, held),
        *(section for section, _ in evaluation),
        facts_section(runs, () if clips is None else damage(clips)),
    ]
    glance = glance_section(run, *(summary for _, summary in evaluation))
    if glance.blocks:
        sections.insert(0, glance)
    return page(run.name, sections, beside=[other.name for other in runs[1:]])


Chapter = tuple[Section, Verdict | None]


def _evaluation(runs: Sequence[Run], clips: Clips | str | None) -> list[Chapter]:
    """The chapters that differ by what was trained on; ``clips`` are None but of videos."""
    run = runs[0]
    if clips is not None:
        return [(surprise_section(run, clips), None), video_probes_section(runs)]
    if run.of_schedules:
        return [losses_section(run), schedule_probes_section(run)]
    return [(map_section(run), None), evaluation_section(runs)]


def page(name: str, sections: Sequence[Section], *, beside: Sequence[str] = ()) -> str:
    """Lay chapters out as one self-contained page."""
    needs_packages()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bandpass", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(tokens=TOKENS, sections=sections, run=name, beside=beside)


def needs_packages() -> None:
    """Say which package of the extra ``report`` is missing, if one is."""
    for name in ("jinja2", "matplotlib"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ReportError(
                f"{error.name} is not installed: pip install 'bandpass[report]'"
            ) from error


def publish(out: Path, text: str) -> None:
    """Write whole or not at all: a reader sees the old page or the new one, never half of one."""
    try:
        write_whole(out, lambda partial: partial.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise ReportError(
            f"could not write {out}: {error.strerror}; make room there or pass another `out`"
        ) from error
