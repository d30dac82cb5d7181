"""What README and docs tell people to type exists, and the house rules that no linter has."""

import os
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bandpass import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
LONGEST = {"src": 300, "benchmarks": 300, "examples": 300, "tests": 400}
SHELL_BLOCK = re.compile(r"```(?:bash|console|sh)\n(.*?)```", re.DOTALL)
COMMANDS = typer.main.get_command(cli.app).commands


def typed_lines(page: Path) -> list[str]:
    """The commands in the shell blocks of a page, without prompts, comments and continuations."""
    text = "\n".join(SHELL_BLOCK.findall(page.read_text())).replace("\\\n", " ")
    lines = (re.sub(r"(^\s*\$ |\s+#.*$)", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def missing(line: str) -> str | None:
    """What a typed line names that does not exist, or None."""
    words = re.sub(r"^(\w+=\S+ )+", "", line).split()
    program = words[0].removeprefix("./")
    if program.startswith("scripts/"):
        return None if os.access(ROOT / program, os.X_OK) else program
    if Path(program).name == "bandpass" and len(words) > 1 and not words[1].startswith("-"):
        return None if words[1] in COMMANDS else f"bandpass {words[1]}"
    if Path(program).name in {"python", "python3"}:
        scripts = [word for word in words if word.startswith(("examples/", "benchmarks/"))]
        return next((script for script in scripts if not (ROOT / script).is_file()), None)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_typed_commands_exist(page):
    assert [line for line in typed_lines(page) if missing(line)] == []


def test_readme_opens_with_the_two_commands():
    assert typed_lines(ROOT / "README.md")[:2] == ["./scripts/demo", "./scripts/test"]


def test_a_command_that_does_not_exist_is_noticed():
    for line in ("./scripts/nowhere", "bandpass fly", "X=1 .venv/bin/python examples/none.py"):
        assert missing(line)


@pytest.mark.parametrize("part", LONGEST)
def test_files_stay_short_enough_to_read(part):
    lines = {path: path.read_text().count("\n") for path in (ROOT / part).glob("**/*.py")}
    assert {path: count for path, count in lines.items() if count > LONGEST[part]} == {}


def test_every_command_is_in_the_docs():
    page = (ROOT / "docs" / "api" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"`bandpass {name}" not in page] == []


def test_every_required_package_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = [
        *project["project"]["dependencies"],
        *chain.from_iterable(project["project"]["optional-dependencies"].values()),
        *project["dependency-groups"]["dev"],
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}
    assert {canonicalize_name(Requirement(line).name) for line in required} <= pinned
