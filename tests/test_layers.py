"""What import-linter cannot say: a closed list, and what an import really loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "bandpass"
CURRICULUM = sorted((SOURCE / "curriculum").glob("**/*.py"))
HEAVY = {"torch", "sklearn", "scipy", "matplotlib"}


def imported_packages(path: Path) -> set[str]:
    """Top-level packages imported anywhere in a file; a relative import counts as bandpass."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("bandpass" if node.level else (node.module or "").split(".")[0])
    return found


def modules_loaded_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("path", CURRICULUM, ids=lambda path: path.name)
def test_curriculum_imports_only_torch_numpy_and_the_standard_library(path):
    allowed = {"bandpass", "torch", "numpy"} | sys.stdlib_module_names
    assert imported_packages(path) <= allowed


def test_importing_the_curriculum_loads_no_sibling():
    loaded = {
        name for name in modules_loaded_by("import bandpass.curriculum") if "bandpass" in name
    }
    strangers = {name for name in loaded if not name.startswith("bandpass.curriculum")}
    assert strangers == {"bandpass"}


def test_the_command_line_starts_without_the_heavy_packages():
    loaded = {name.split(".")[0] for name in modules_loaded_by("import bandpass.cli")}
    assert not loaded & HEAVY


def test_the_loaded_modules_are_seen():
    """The two tests above read sys.modules of a child: show that a heavy import does appear."""
    assert "numpy" in modules_loaded_by("import numpy")
