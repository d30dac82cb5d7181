"""Slot shares: counted from cumulative draws, over the whole run and over its last part."""

import numpy as np

from bandpass.report.slots import shares_of


def slots(rows: list[tuple]) -> dict[str, np.ndarray]:
    names = ("step", "kind", "name", "drawn", "natural")
    return dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))


TABLE = slots(
    [
        (100, "regime", "normal", 90, 0.95),
        (200, "regime", "normal", 140, 0.95),
        (200, "regime", "failure", 60, 0.05),  # first drawn after step 100
        (200, "label", "event", 7, 1.0),
    ]
)


def test_shares_are_ordered_by_nature_and_sum_to_one() -> None:
    shares = shares_of(TABLE, "regime")
    assert shares is not None
    assert shares.names == ("normal", "failure")
    np.testing.assert_allclose(shares.natural, [0.95, 0.05])
    np.testing.assert_allclose(shares.final, [0.7, 0.3])


def test_recent_shares_are_of_the_last_part_only() -> None:
    shares = shares_of(TABLE, "regime")
    assert shares is not None
    np.testing.assert_allclose(shares.recent, [[1, 50 / 110], [0, 60 / 110]])


def test_kinds_are_told_apart_and_may_be_absent() -> None:
    labels = shares_of(TABLE, "label")
    assert labels is not None
    assert labels.names == ("event",)
    assert shares_of(TABLE, "corrupt") is None
