"""The page as text: complete, self-contained, escaped, and written whole."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.report import ReportError, write_report

MakeRun = Callable[..., Path]
SECTIONS = (
    *("training", "enrichment", "band", "slots", "quarantine", "map", "evaluation", "facts"),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> str:
    root = tmp_path_factory.mktemp("runs")
    run, uniform = make_run(root / "band"), make_run(root / "uniform", banded=False, seed=1)
    return write_report(run, beside=[uniform]).read_text()


def test_every_section_is_there_and_in_the_contents(page: str) -> None:
    for anchor in SECTIONS:
        assert f'<section id="{anchor}"' in page
        assert f'href="#{anchor}"' in page


def test_page_is_small_and_asks_for_nothing(page: str) -> None:
    assert len(page.encode()) < 3e6
    assert "<script" not in page
    assert "@import" not in page
    fetched = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)', page)
    assert all((a or b).startswith(("#", "data:")) for a, b in fetched)


def test_ids_are_unique_and_references_resolve(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#', page)) - {""} <= set(ids)


def test_every_figure_is_labelled_and_titled(page: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.S)
    assert len(figures) > 20
    for figure in figures:
        assert re.search(r"<figcaption>[^<]+</figcaption>", figure)
        assert re.search(r'role="img" aria-label="[^"]+"', figure)


def test_runs_beside_are_compared(page: str) -> None:
    assert "drawn: uniform" in page
    assert "pretrained (uniform)" in page


def test_names_from_the_data_are_escaped(
    tmp_path: Path, make_run: MakeRun, write_table: Callable[[Path, str, dict], None]
) -> None:
    run, evil = make_run(tmp_path / "run"), "<script>alert(1)</script>"
    slots = {"step": [1, 1], "kind": ["regime"] * 2, "name": ["$x_1$ & co", evil]}
    write_table(run, "slots", slots | {"drawn": [6, 4], "natural": [0.6, 0.4]})
    cloud = {"encoder": [evil] * 2, "id": [0, 1], "x": [0.0, 1.0], "y": [0.0, 1.0]}
    write_table(run, "map", cloud | {"regime": [evil, evil]})
    text = write_report(run).read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "$x_1$ &amp; co" in text


def test_same_tables_give_the_same_page(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(tmp_path / "run")
    first = write_report(run, out=tmp_path / "first.html").read_bytes()
    assert write_report(run, out=tmp_path / "second.html").read_bytes() == first


def test_failed_write_leaves_the_old_page(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    (run / "report.html").write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match=r"report\.html: No space left"):
        write_report(run)
    assert (run / "report.html").read_text() == "old"
    assert not list(run.glob(".report*"))
