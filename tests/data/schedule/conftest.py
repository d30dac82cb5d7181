import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bandpass.data.schedule.record import Malformed


@pytest.fixture(scope="session")
def fakes() -> SimpleNamespace:
    """What is in fakes.py, which cannot be imported: tests are no package."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fakes.py"))))


@pytest.fixture
def malformed() -> Malformed:
    """Counts what the adapter of a test leaves out."""
    return Malformed()


@pytest.fixture
def raw(tmp_path) -> Callable[..., Path]:
    """Writes raw files, a keyword each with its lines, into the folder of a dataset."""

    def write(dataset: str, **files: list[str]) -> Path:
        folder = tmp_path / "raw" / dataset
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            (folder / f"{name}.txt").write_text("\n".join(lines))
        return folder

    return write
