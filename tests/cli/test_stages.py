"""How far a long preparation is, on a terminal and off it."""

import io
import re

import pytest
from rich.console import Console

from bandpass.cli import schedule, video
from bandpass.cli import stages as module
from bandpass.cli.stages import stages
from bandpass.data.schedule.prepare import CHECKING, READING
from bandpass.data.schedule.prepare import Seen as Read
from bandpass.data.video.prepare import Seen as Decoded


def shown(show, *seen, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, color_system=None, width=150)
    with stages(console) as bars:
        for each in seen:
            show(bars, each)
    return file.getvalue()


@pytest.fixture
def clock(monkeypatch):
    """A clock on which every look takes two seconds."""
    seconds = iter(range(0, 1000, 2))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(seconds)))


def test_a_terminal_shows_a_bar_for_each_stage():
    seen = [Read(READING, n, 100, n, 10 * n) for n in (0, 50, 100)] + [Read(CHECKING, 9, 9)]
    out = shown(schedule.show, *seen, terminal=True)
    assert re.search(r"reading .*100% 100 files, 1,000 records, [\d,]+/s", out)
    assert re.search(r"checking .*100% 9 windows", out)


def test_without_a_terminal_a_line_is_printed_now_and_then(clock):
    seen = [Read(READING, 500 + n, 1000, n, 10 * n, "made it" if n == 0 else "") for n in range(9)]
    lines = shown(schedule.show, *seen, terminal=False).splitlines()
    assert lines[0] == "made it"
    assert 2 <= len(lines) - 1 < 9
    last = r"reading 5\d%  \d files, \d0 records, [\d,]+/s  ETA (\d+) s"
    assert all(re.fullmatch(last, line) for line in lines[1:])


@pytest.mark.parametrize("terminal", [True, False])
def test_frames_are_counted_and_what_was_decoded_before_is_told(monkeypatch, terminal):
    monkeypatch.setattr(module, "EVERY", 0.0)
    seen = [Decoded(0, 1000, "2 recordings were decoded before"), Decoded(500, 1000)]
    out = shown(video.show, *seen, Decoded(1000, 1000), terminal=terminal)
    assert "2 recordings were decoded before" in out
    assert "1,000 of 1,000 frames" in out
    assert "100%" in out
    assert ("ETA" in out) == (not terminal)


def test_what_was_done_before_does_not_count_for_the_rate(clock):
    seen = [Decoded(900 + n, 1000) for n in range(0, 50, 10)]
    (line,) = shown(video.show, *seen, terminal=False).splitlines()
    assert line == "decoding 92%  920 of 1,000 frames, 2/s  ETA 40 s"


def test_a_length_that_no_file_tells_is_not_guessed(clock):
    seen = [Decoded(n, 0) for n in range(0, 50, 10)]
    (line,) = shown(video.show, *seen, terminal=False).splitlines()
    assert line == "decoding  20 frames, 2/s  ETA ?"
