import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.data.series import Series
from bandpass.data.sources import SOURCES

DATA = Path(__file__).parents[1]


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """Write the look-alike of a source and return its raw folder."""

    def made(name: str) -> Path:
        spec = importlib.util.spec_from_file_location("make", DATA / name / "make.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        raw = tmp_path / name
        raw.mkdir()
        module.make(raw)
        return raw

    return made


@pytest.fixture
def read() -> Callable[..., dict[str, Series]]:
    """Read a source, by name of series."""

    def by_name(name: str, raw: Path, **options: object) -> dict[str, Series]:
        return {series.name: series for series in SOURCES[name].read(raw, **options)}

    return by_name
