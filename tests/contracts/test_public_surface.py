"""Every package finds itself here: a complete `__all__`, documented names, a page in the docs."""

import doctest
import importlib
import inspect
import pkgutil
import types
from pathlib import Path

import pytest

import bandpass

ROOT = Path(__file__).parents[2]


def walk(parent: types.ModuleType) -> list[str]:
    return [info.name for info in pkgutil.walk_packages(parent.__path__, parent.__name__ + ".")]


MODULES = ["bandpass", *walk(bandpass)]
PACKAGES = [name for name in MODULES if hasattr(importlib.import_module(name), "__path__")]


def public_objects() -> list[tuple[str, str]]:
    return [
        (package, name) for package in PACKAGES for name in importlib.import_module(package).__all__
    ]


def own_names(module: types.ModuleType) -> set[str]:
    """Public classes and functions in a package that were written in that package."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (getattr(value, "__module__", None) or "").startswith(module.__name__)
    }


def public_members(cls: type) -> list[tuple[str, object]]:
    return [
        (name, value)
        for name, value in vars(cls).items()
        if not name.startswith("_") and isinstance(value, types.FunctionType | property)
    ]


def test_packages_are_found():
    assert {"bandpass.curriculum", "bandpass.models", "bandpass.data.sources"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_complete_and_importable(package):
    module = importlib.import_module(package)
    listed = module.__all__
    assert len(listed) == len(set(listed)), "a name is listed twice"
    assert [name for name in listed if not hasattr(module, name)] == []
    assert own_names(module) - set(listed) == set(), "public names that __all__ leaves out"


@pytest.mark.parametrize(("package", "name"), public_objects())
def test_public_name_is_documented(package, name):
    value = getattr(importlib.import_module(package), name)
    if not isinstance(value, type | types.FunctionType):
        return  # a table or a constant: its comment is in the source
    assert (value.__doc__ or "").strip(), f"{package}.{name} has no docstring"
    assert not value.__doc__.startswith(f"{name}("), "the docstring a dataclass makes says nothing"
    if isinstance(value, type):
        silent = [
            member
            for member, _ in public_members(value)
            if not inspect.getdoc(getattr(value, member))
        ]
        assert silent == [], f"undocumented members of {package}.{name}"


@pytest.mark.parametrize("name", MODULES)
def test_module_is_documented_and_its_examples_hold(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_a_page_in_the_docs(package):
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    assert f"::: {package}\n" in pages
