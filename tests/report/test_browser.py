"""The page in a real browser: rendered, silent, offline, and never wider than the screen.

A small harness page holds the report in a frame of a given width, measures it, and leaves the
measurements in its own text, which ``chromium --dump-dom`` prints: no driver is needed.
"""

import html
import json
import re
import runpy
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bandpass.report import write_report
from bandpass.report.ablation import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--window-size=1400,1000"),
)
HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<iframe id="frame" src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<pre id="out"></pre><script>
frame.onload = () => {{
  const page = frame.contentDocument, view = frame.contentWindow;
  page.querySelectorAll("details").forEach(fold => fold.open = true);
  const box = svg => svg.getBoundingClientRect();
  const wide = [...page.querySelectorAll("body *")].filter(
    node => !node.closest(".scroll table, svg") && box(node).right > {width} + 1);
  out.textContent = JSON.stringify({{
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    wide: wide.map(node => node.tagName + "." + node.className),
    sections: [...page.querySelectorAll("section")].map(node => node.id),
    svgs: [...page.querySelectorAll("svg")].map(svg => [box(svg).width, box(svg).height]),
    drawn: [...page.querySelectorAll("svg")].map(svg => svg.querySelectorAll("path").length),
    spilled: [...page.querySelectorAll("figure")].flatMap(figure =>
      [...figure.querySelectorAll("svg text")].filter(text => box(text).width > 0 &&
        (box(text).right > box(figure).right || box(text).left < box(figure).left))
      .map(text => text.textContent)),
    resources: view.performance.getEntriesByType("resource").map(entry => entry.name),
    images: [...page.querySelectorAll("img")].map(image => image.naturalWidth),
    ground: view.getComputedStyle(page.body).backgroundColor,
    text: view.getComputedStyle(page.querySelector("svg text")).fill,
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("browser")
    run = make_run(root / "a-run-with-quite-a-long-name-that-has-to-break-somewhere", buckets=2)
    uniform = make_run(root / "uniform", banded=False, seed=1)
    return write_report(run, beside=[uniform])


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve ``folder`` on this machine; yields its address and the paths asked for so far."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def measure(report: Path, width: int, *extra: str) -> dict:
    """What the harness measured in a frame ``width`` wide, with the console and the requests."""
    folder = report.parent
    (folder / "harness.html").write_text(HARNESS.format(width=width))
    assert CHROMIUM is not None
    with served(folder) as (address, asked), tempfile.TemporaryDirectory() as profile:
        run = subprocess.run(
            [
                *(CHROMIUM, *FLAGS, *extra, f"--user-data-dir={profile}"),
                *("--dump-dom", f"{address}/harness.html"),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    found = re.search(r'<pre id="out">({.*?})</pre>', run.stdout, flags=re.S)
    assert found is not None, run.stderr[-2000:]
    seen = json.loads(html.unescape(found[1]))
    seen["console"] = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    elsewhere = [name for name in seen.pop("resources") if not name.startswith(address)]
    seen["requests"] = sorted({*asked, *elsewhere} - {"/harness.html", "/report.html"})
    return seen


@pytest.mark.parametrize("width", [390, 1280])
def test_page_renders_whole_and_fits(report: Path, width: int) -> None:
    seen = measure(report, width)
    assert seen["sections"][-8:] == [
        *("training", "enrichment", "band", "slots", "quarantine", "map", "evaluation"),
        "facts",
    ]
    assert len(seen["svgs"]) > 20
    assert all(w > 200 and h > 80 for w, h in seen["svgs"])
    assert min(seen["drawn"]) > 3
    assert seen["overflow"] == 0
    assert seen["wide"] == []
    assert seen["spilled"] == []
    assert seen["requests"] == []
    assert seen["console"] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_page_of_a_video_run_shows_its_films_and_fits(
    tmp_path: Path, make_video_run: Callable[..., Path], width: int
) -> None:
    seen = measure(write_report(make_video_run(tmp_path / "run")), width)
    chapters = ["slots", "films", "motion", "quarantine", "surprise", "evaluation", "facts"]
    assert seen["sections"][-7:] == chapters
    assert len(seen["images"]) == 14  # drawn most, drawn least, held back
    assert all(wide > 500 for wide in seen["images"])
    assert (seen["overflow"], seen["wide"], seen["spilled"]) == (0, [], [])
    assert (seen["requests"], seen["console"]) == ([], [])


@pytest.mark.parametrize("width", [390, 1280])
def test_page_of_an_ablation_fits(tmp_path: Path, width: int) -> None:
    made = runpy.run_path(str(Path(__file__).parent / "made_ablation.py"))
    benchmarks = [
        made["benchmark"](name) for name in ("skab", "a-benchmark-with-quite-a-long-name")
    ]
    table = [row for each in benchmarks for row in made["rows"](each.name)]
    long = "an-arm-of-a-name-that-goes-on-for-longer-than-any-figure-has-room"
    table = [row | {"arm": long if row["arm"] == "rs2" else row["arm"]} for row in table]
    prices = {each.name: made["prices"]() for each in benchmarks}
    told = {each.name: made["told"](table, each) for each in benchmarks}
    seen = measure(write(table, benchmarks, prices, told, tmp_path / "report.html"), width)
    assert seen["sections"][:3] == ["verdict", "primary", "tradeoff"]
    assert len(seen["svgs"]) == 2 * 5
    assert all(w > 200 and h > 80 for w, h in seen["svgs"])
    assert min(seen["drawn"]) > 3
    assert (seen["overflow"], seen["wide"], seen["spilled"]) == (0, [], [])
    assert (seen["requests"], seen["console"]) == ([], [])


def test_page_follows_the_colour_scheme(report: Path) -> None:
    light = measure(report, 800, "--blink-settings=preferredColorScheme=1")
    dark = measure(report, 800, "--blink-settings=preferredColorScheme=0")
    assert brightness(light["ground"]) > 200 > 120 > brightness(light["text"])
    assert brightness(dark["ground"]) < 60 < 120 < brightness(dark["text"])


def brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_the_harness_sees_errors_and_requests(tmp_path: Path) -> None:
    """The tests above look for silence: show that noise would be heard."""
    page = tmp_path / "report.html"
    page.write_text(
        '<!doctype html><body><img src="missing.png"><img src="http://127.0.0.1:9/elsewhere.png">'
        '<script>console.error("x")</script><div style="width:3000px">wide</div>'
        '<svg width="1" height="1"><text>t</text></svg>'
    )
    seen = measure(page, 390)
    assert seen["overflow"] > 0
    assert seen["wide"]
    assert seen["requests"] == ["/missing.png", "http://127.0.0.1:9/elsewhere.png"]
    assert any("x" in line for line in seen["console"])
