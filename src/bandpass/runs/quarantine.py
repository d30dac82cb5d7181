"""What a run held back, for a person to look through, to release, to ban, to hand on."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from bandpass.curriculum import POLICIES, SurpriseBand
from bandpass.data.atomic import alone
from bandpass.recipes import Recipe
from bandpass.runs.run import RunError, recipe_of
from bandpass.training.atomic import write_json, write_whole
from bandpass.training.quarantine import TABLE, Review, read_review, write_review

COLUMNS = ("id", "series", "start", "reason", "z", "visits", "step", "channel")
NAMED = 5
"""Ids that an error names."""


def quarantined(path: Path) -> list[dict[str, Any]]:
    """List what a run holds back, most extreme first, as of its newest checkpoint.

    Only files that appear whole are read, so the run may still be training.

    Args:
        path: The run directory.

    Returns:
        A row per window: ``COLUMNS`` and ``decision``, which is "released", "banned" or "".

    Raises:
        RunError: If it is no run.
        ReviewError: If its review cannot be read.
    """
    recipe_of(path)
    return _rows(path, read_review(path))


def decide(
    path: Path,
    *,
    release: Iterable[int] = (),
    ban: Iterable[int] = (),
    release_all: bool = False,
) -> Review:
    """Note decisions on windows in ``released.json``; a continued run follows them.

    Args:
        path: The run directory.
        release: Ids that shall not be held back again.
        ban: Ids that shall never be drawn again, held back so far or not.
        release_all: Release everything on the list that is not banned, now or before.

    Returns:
        All decisions on the run.

    Raises:
        RunError: If an id is both, or none that the decision is possible for.
    """
    recipe = recipe_of(path)

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is reviewing {path}: repeat the command in a moment")

    with alone(path / ".review.lock", busy):
        before = read_review(path)
        held = {row["id"] for row in _rows(path, before)}
        let_go, kept_out = set(release), set(ban)
        _check((path, recipe), let_go, kept_out, held | before.released | before.banned)
        if release_all:
            let_go |= held - kept_out - before.banned
        after = before.decide(release=let_go, ban=kept_out)
        write_review(path, after)
    return after


def export(rows: list[dict[str, Any]], out: Path, kind: Literal["csv", "json"]) -> None:
    """Write the list for somebody else; the file appears when everything is in it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        write_whole(out, lambda partial: _write_csv(rows, partial))
    else:  # JSON knows no NaN
        finite = [{k: None if v != v else v for k, v in row.items()} for row in rows]
        write_json(out, {"quarantined": finite})


def _rows(path: Path, review: Review) -> list[dict[str, Any]]:
    if not (path / TABLE).exists():
        return []
    rows = pq.read_table(path / TABLE, columns=list(COLUMNS)).to_pylist()
    return [row | {"decision": _decision(row["id"], review)} for row in rows]


def _decision(window: int, review: Review) -> str:
    if window in review.released:
        return "released"
    return "banned" if window in review.banned else ""


def _check(run: tuple[Path, Recipe], release: set[int], ban: set[int], known: set[int]) -> None:
    path, recipe = run
    if POLICIES[recipe.policy].sampler is not SurpriseBand:
        raise RunError(
            f"{path} draws by policy {recipe.policy!r}, which holds nothing back and keeps "
            "nothing out: decide on a run of a surprise band"
        )
    both = sorted(release & ban)
    if both:
        raise RunError(f"window {both[0]} is to be released and banned: say one of the two")
    strange = sorted(release - known)
    if strange:
        some = ", ".join(map(str, sorted(known)[:NAMED])) or "nothing"
        more = ", ..." if len(known) > NAMED else ""
        raise RunError(
            f"window {strange[0]} is not held back by {path}, which holds {some}{more}: "
            f"`bandpass quarantine {path}` lists them"
        )
    total = _windows(path)
    beyond = sorted(window for window in ban if not 0 <= window < total)
    if beyond:
        raise RunError(f"window {beyond[0]} is none of {path}: its ids are 0 to {total - 1}")


def _windows(path: Path) -> int:
    """Training windows of a run, as noted when it was started."""
    file = path / "environment.json"
    try:
        return int(json.loads(file.read_text())["windows"])
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{file} does not say how many windows the run has ({error}): continue it with "
            "`bandpass train`, which writes the file again"
        ) from error


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*COLUMNS, "decision"))
        writer.writeheader()
        writer.writerows(rows)
