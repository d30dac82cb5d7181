"""Every script in benchmarks/ weighs one claim and closes with the verdict."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("[!_]*.py"))
VERDICT = re.compile(r"^.+: .*\d.* \(goal .*\d.*\): (holds|falls short)$")


def test_scripts_are_found():
    schedules = {"schedule_pipeline", "schedule_prepare", "schedule_embed"}
    assert schedules <= {script.stem for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_takes_quick(script):
    assert '"--quick"' in script.read_text()


@pytest.mark.benchmark
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_closes_with_a_verdict(script):
    """Form and exit status only: whether a claim holds on a busy machine is for the reader."""
    run = subprocess.run(
        [sys.executable, script, "--quick"], capture_output=True, text=True, timeout=280
    )
    print(f"\n{run.stdout}{run.stderr}")
    lines = run.stdout.strip().splitlines()
    assert lines, f"printed nothing, exit {run.returncode}"
    verdict = VERDICT.match(lines[-1])
    assert verdict, f"no verdict in the last line: {lines[-1]!r}"
    assert run.returncode == (0 if verdict[1] == "holds" else 1)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("windows/s of a bare loop: 0.97 (goal 0.95): holds", True),
        ("speed-up of fast SIGReg: 3.1x (goal at least 4x): falls short", True),
        ("speed-up of fast SIGReg: 3.1x", False),
        ("speed-up of fast SIGReg: 3.1x (goal at least 4x): done", False),
    ],
)
def test_the_form_of_a_verdict(line, fits):
    assert bool(VERDICT.match(line)) == fits
