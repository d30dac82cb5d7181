"""Every command: parse, call, print. The work is done in ``bandpass.runs`` and below it."""

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from bandpass.data import Source
    from bandpass.data.schedule.record import ScheduleSource

app = typer.Typer(
    help="Train JEPAs on long temporal streams, spending compute where windows still teach.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
problems = Console(stderr=True)

RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
StoreDir = Annotated[Path, typer.Option("--store", help="A prepared store.")]


def main() -> None:
    """Run the command line; expected problems become one line and exit status 1."""
    try:
        app()
    except _expected() as error:
        problems.print(f"[bold red]error:[/] {_plain(error)}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where store and runs go.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Generate a plant, train with the surprise band and uniformly, compare, write report.html."""
    from bandpass import runs
    from bandpass.cli.progress import Training, comparison
    from bandpass.report import write_report

    with Training(console) as progress:
        found = runs.demo(folder, on_stage=progress.stage, on_log=progress.log)
    if found is None:
        say("stopped; the same command continues")
        raise typer.Exit(130)
    console.print(comparison(found))
    page = write_report(folder / "surprise-band", beside=[folder / "uniform"])
    say(f"report: {page}")


@app.command()
def sources() -> None:
    """List what can be read: what each is, its licence, its home and its exact raw layout."""
    from bandpass.data.injection import OPTIONS
    from bandpass.data.schedule.sources import SCHEDULE_SOURCES
    from bandpass.data.sources import SOURCES

    for source in SOURCES.values():
        _card(source)
        for name, text in source.options.items():
            console.print(Text(f"  option   {name}=  {text}"))
        console.print()
    console.print(Text("every source", style="bold"), Text("above takes these options too"))
    for name, text in OPTIONS.items():
        console.print(Text(f"  option   {name}=  {text}"))
    console.print()
    for dataset in SCHEDULE_SOURCES.values():
        _card(dataset, "schedule, ")
        if dataset.blocked:
            console.print(Text(f"  blocked  {dataset.blocked}"))
        console.print()
    console.print(Text("schedule", style="bold"), Text("reads one, some or all of the last"))
    console.print(Text("  option   keep_damaged=  true keeps what was read of a damaged file"))


@app.command()
def recipes() -> None:
    """List the recipes and every key that `train` can override."""
    from bandpass.recipes import RECIPES, keys

    table = Table("recipe", "source", "policy", "steps", "batch", "encoder dim x depth")
    for name, recipe in RECIPES.items():
        encoder, train = recipe.model.encoder, recipe.train
        size = f"{encoder.dim} x {encoder.depth}"
        table.add_row(name, recipe.source, recipe.policy, str(train.steps), str(train.batch), size)
    console.print(table)
    console.print("keys: " + ", ".join(keys()), highlight=False)


@app.command()
def prepare(
    source: Annotated[
        str, typer.Argument(help="A name from `bandpass sources`, or schedule for its datasets.")
    ],
    store: Annotated[Path, typer.Option("--store", help="The store to write.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            help="Options of the source, as name=value; of schedule: keep_damaged=true."
        ),
    ] = None,
    *,
    raw: Annotated[
        Path | None, typer.Option("--raw", help="Folder with the raw files; not for plant.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store that is there.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset", help="schedule: names from `bandpass sources`; a,b is two. (all)"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="schedule: processes that read. (CPUs)")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="schedule: key of the identifiers. (STORE.key)")
    ] = None,
) -> None:
    """Read raw files once and write a store of memory-mapped series, or of schedule windows."""
    pairs: dict[str, Any] = dict(_pairs(options or []))
    if source == "schedule":
        from bandpass.cli import schedule

        settings = schedule.Options(workers, key, overwrite)
        return schedule.prepare(raw, store, dataset or [], pairs, settings)
    if dataset or workers or key:
        raise typer.BadParameter("--dataset, --workers and --key are for `prepare schedule` only")
    from bandpass.cli.progress import preparing, store_summary
    from bandpass.data import prepare as run
    from bandpass.data.sources import find

    chosen = find(source)
    if raw is None:
        if source != "plant":
            raise typer.BadParameter(f"{source} reads raw files: say where with --raw DIR")
        raw = store
    with preparing(console) as progress:
        made = run(chosen, raw, store, overwrite=overwrite, progress=progress, **pairs)
    console.print(store_summary(made))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A name from `bandpass recipes`.")],
    store: StoreDir,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes of the recipe, e.g. steps=500 seed=1.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="The run directory (runs/RECIPE).")
    ] = None,
    control: Annotated[
        bool, typer.Option(help="Train the raw-patch control at the same budget too.")
    ] = True,
) -> None:
    """Train a recipe; the same command continues a run that was stopped at any moment."""
    from bandpass import runs
    from bandpass.cli.progress import Training
    from bandpass.data import open_store
    from bandpass.recipes import find, override

    chosen = override(find(recipe), overrides or [])
    path = run or Path("runs") / recipe
    with Training(console) as progress:
        done = runs.train(
            chosen,
            open_store(store),
            path,
            with_control=control,
            on_log=progress.log,
            on_note=say,
        )
    if not done:
        say(f"stopped and saved in {path}; the same command continues")
        raise typer.Exit(130)
    say(f"trained: {path}; next: bandpass evaluate {path}")


@app.command()
def evaluate(
    run: RunDir,
    batches: Annotated[
        int,
        typer.Option(
            min=0,
            help="Schedules: batches of 32 for the held-out loss; 100 is the reference. (all)",
            show_default=False,
        ),
    ] = 0,
) -> None:
    """Probe the frozen encoder of a run beside its controls; nothing is retrained."""
    from bandpass import runs
    from bandpass.cli.evaluation import schedule_tables
    from bandpass.cli.progress import comparison
    from bandpass.report.tables import read_run

    with console.status("evaluating") as status:
        rows = runs.evaluate(run, lambda name: status.update(f"measuring {name}"), batches=batches)
    schedule = read_run(run).of_schedules
    console.print(schedule_tables(run) if schedule else comparison({"run": rows}))


@app.command()
def embed(
    run: RunDir,
    store: StoreDir,
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    pooling: Annotated[
        str | None,
        typer.Option(
            help="mean, mean+std or mean+std+max over tokens. By default mean+std of series and "
            "mean+std+max of schedules."
        ),
    ] = None,
) -> None:
    """Embed every window of a store with the frozen encoder of a run."""
    from bandpass import runs
    from bandpass.cli.progress import counting
    from bandpass.data import open_store

    with counting(console, "windows") as progress:
        rows = runs.embed(run, open_store(store), out, pooling=pooling, on_windows=progress)
    say(f"{out}: {rows} embeddings")


@app.command()
def report(
    run: RunDir,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", help="Another run to compare with.")
    ] = None,
) -> None:
    """Write report.html from the tables of a run."""
    from bandpass.report import write_report

    say(f"report: {write_report(run, beside=beside or [])}")


def say(text: str) -> None:
    """Print a line as it is: a path or a command must not break where the window ends."""
    console.print(Text(text), soft_wrap=True)


def _card(source: "Source | ScheduleSource", kind: str = "") -> None:
    """Print what a source is."""
    console.print(Text(source.name, style="bold"), Text(f"{kind}{source.title}"))
    console.print(Text(f"  licence  {source.licence}\n  home     {source.home}\n"), end="")
    layout = textwrap.indent(source.layout, " " * 11).strip()
    console.print(Text(f"  layout   {layout}"), soft_wrap=True)  # columns line up as written


def _pairs(options: list[str]) -> dict[str, str]:
    for option in options:
        if "=" not in option:
            raise typer.BadParameter(f"{option!r} is not of the form name=value")
    return dict(option.split("=", 1) for option in options)


def _expected() -> tuple[type[Exception], ...]:
    """Errors whose message already says what to do; loaded only once something was raised."""
    if "bandpass.data" not in sys.modules:
        return ()
    from bandpass.data import DataError, StoreError

    # The text of an OSError names the file and what is wrong with it: a full disk, say.
    found: list[type[Exception]] = [DataError, StoreError, OSError]
    if "bandpass.recipes" in sys.modules:
        from bandpass.recipes import RecipeError

        found.append(RecipeError)
    if "bandpass.runs" in sys.modules:
        from bandpass.runs import RunError
        from bandpass.training import CheckpointError, DeviceError, Diverged
        from bandpass.training.quarantine import ReviewError

        found += [RunError, CheckpointError, DeviceError, Diverged, ReviewError]
    if "bandpass.report" in sys.modules:
        from bandpass.report import ReportError

        found.append(ReportError)
    return tuple(found)


def _plain(error: Exception) -> str:
    from rich.markup import escape

    return escape(" ".join(str(error).split()))
