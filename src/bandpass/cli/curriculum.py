"""The commands about what is drawn: look before training, review after it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from bandpass.cli.commands import RunDir, console, say


def enrich(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_STORE", help="A run, or a store.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="With a store: changes of the recipe, steps=500.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="With a store: a recipe (that of its source).")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="With a store: the run (runs/STORE-reference).")
    ] = None,
) -> None:
    """Tell, before any curriculum run, what each score finds and what each policy would draw.

    Needs one uniformly trained run: that given, or one that is trained here. The same command
    continues what was stopped.
    """
    from bandpass import runs
    from bandpass.cli.progress import Training, counting_parts, verdict_lines
    from bandpass.report import write_report

    reference = runs.reference_of(path, overrides or [], name=recipe, run=run)
    if reference.why:
        say(f"{reference.why}: a uniform reference is in {reference.run}")
    with Training(console) as progress:
        trained = runs.train_reference(reference, progress.log)
    if not trained:
        say(f"stopped and saved in {reference.run}; the same command continues")
        raise typer.Exit(130)
    try:
        with counting_parts(console) as on_part:
            runs.enrich(reference, on_part)
    except KeyboardInterrupt:
        say(f"stopped; what is done is in {reference.out}, the same command continues")
        raise typer.Exit(130) from None
    console.print(verdict_lines(reference.out))
    say(f"report: {write_report(reference.out)}")


def quarantine(
    run: RunDir,
    *,
    release: Annotated[
        list[str] | None,
        typer.Option("--release", metavar="ID", help="Hold this window back no more; 3,5 is two."),
    ] = None,
    ban: Annotated[
        list[str] | None,
        typer.Option("--ban", metavar="ID", help="Never draw this window again; 3,5 is two."),
    ] = None,
    release_all: Annotated[
        bool, typer.Option("--release-all", help="Hold nothing back that is listed now.")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the list as CSV.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the list as JSON.")] = None,
    show: Annotated[int, typer.Option("--show", min=0, help="Windows to print.")] = 30,
) -> None:
    """List what a run holds back and why; release or ban windows for when it is continued."""
    from bandpass import runs
    from bandpass.cli.progress import quarantine_table

    if release or ban or release_all:
        review = runs.decide(run, release=_ids(release), ban=_ids(ban), release_all=release_all)
        say(f"{run}: {len(review.released)} windows released, {len(review.banned)} banned")
        if runs.open_run(run).finished:
            say(
                f"{run} has spent its budget: copy its released.json into the directory of a new "
                "run of the same store and windows, before `bandpass train`"
            )
        else:
            say("followed from when the run is next started or continued")
    rows = runs.quarantined(run)
    for out, kind in ((csv, "csv"), (json, "json")):
        if out is not None:
            runs.export(rows, out, kind)
            say(f"{out}: {len(rows)} windows")
    if not rows:
        say(f"{run} holds nothing back")
    elif show:
        console.print(quarantine_table(rows[:show]))
        if len(rows) > show:
            console.print(Text(f"{len(rows) - show} more: --show {len(rows)}, or --csv FILE"))


def _ids(given: list[str] | None) -> list[int]:
    """Window ids of a repeated option, each alone or several with commas between."""
    words = [word.strip() for text in given or [] for word in text.split(",") if word.strip()]
    for word in words:
        if not word.isdecimal():
            raise typer.BadParameter(f"{word!r} is no window id: give whole numbers, such as 3,5")
    return [int(word) for word in words]
