"""No package that an extra of bandpass brings along is under the GPL."""

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UNMODIFIED = {"recurring-ical-events", "x-wr-timezone"}
"""Under the LGPL, brought along unmodified by the extra ``schedule`` alone; named in NOTICE."""

COPYLEFT = re.compile(r"\b[AL]?GPL|(General|Lesser) Public License", re.IGNORECASE)


def shipped(name: str, extras: frozenset[str], seen: dict[str, Distribution]) -> None:
    """Add what a distribution requires here, recursively, to ``seen``."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
            continue
        key = canonicalize_name(requirement.name)
        if key not in seen:
            seen[key] = distribution(key)
            shipped(key, frozenset(requirement.extras), seen)


def licence(package: Distribution) -> str:
    """The licence a package states: its SPDX expression, else its classifiers, else its first line.

    The free-text field comes last: some packages paste whole files there, notices of bundled
    libraries included.
    """
    meta = package.metadata
    if expression := meta.get("License-Expression"):
        return expression
    classifiers = [c for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    return "; ".join(classifiers) or (meta.get("License") or "").split("\n")[0]


def test_no_gpl_package_is_shipped():
    packages: dict[str, Distribution] = {}
    extras = distribution("bandpass").metadata.get_all("Provides-Extra") or []
    shipped("bandpass", frozenset(extras), packages)
    assert {"torch", "scikit-learn", "matplotlib", "mpmath"} <= set(packages)  # two levels down
    assert {"av", "wordllama", "toml"} <= set(packages)
    assert {"lightning", "transformers", "accelerate", "torchdata"} <= set(packages)
    stated = {name: licence(package) for name, package in packages.items()}
    assert {n: s for n, s in stated.items() if not s} == {}, "packages that state no licence"
    found = {name for name, text in stated.items() if COPYLEFT.search(text)}
    assert found == UNMODIFIED
    assert all("LGPL" in stated[name] for name in UNMODIFIED)


def test_the_notice_names_the_codecs_that_a_video_reader_brings_along():
    """The licence that PyAV states is its own, not that of what its wheels bundle."""
    notice = (Path(__file__).parents[1] / "NOTICE").read_text()
    assert all(name in notice for name in ("PyAV", "FFmpeg", "x264", "x265", "`video`"))


def test_a_gpl_licence_is_recognised():
    for text in ("GPL-3.0-or-later", "License :: OSI Approved :: GNU General Public License (GPL)"):
        assert COPYLEFT.search(text)
    assert not COPYLEFT.search("MIT")
