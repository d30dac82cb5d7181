"""The band's rows laid out as a picture: no bin lost, none invented."""

import numpy as np
import pytest

from bandpass.report.band import MOST_BINS, grid_of, selected


def rows_of(step: int, bins: dict[float, tuple[float, float]], bucket: int = 0) -> list[tuple]:
    return [(step, bucket, score, mass, weight) for score, (mass, weight) in bins.items()]


def columns(rows: list[tuple]) -> dict[str, np.ndarray]:
    names = ("step", "bucket", "score", "mass", "weight")
    return dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))


def test_bins_that_were_empty_are_not_logged_and_stay_empty() -> None:
    band = columns(
        rows_of(10, {0.0: (0.5, 0.2), 0.5: (0.3, 2.0), 2.0: (0.2, 0.1)})
        + rows_of(20, {0.5: (1.0, 3.0)})
    )
    grid = grid_of(band, 0)
    np.testing.assert_allclose(grid.scores, [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(grid.mass, [[0.5, 0], [0.3, 1], [0, 0], [0, 0], [0.2, 0]])
    assert selected(grid).tolist() == [[False, False], [True, True], *[[False] * 2] * 3]


def test_other_buckets_and_scores_that_are_not_finite_are_left_out() -> None:
    band = columns(
        rows_of(1, {0.0: (1.0, 1.0)}, bucket=1)
        + rows_of(1, {1.0: (0.6, 1.0), 2.0: (0.4, 2.0), -np.inf: (0.0, 1.0)})
    )
    np.testing.assert_allclose(grid_of(band, 0).scores, [1, 2])


def test_very_fine_bins_are_merged_and_keep_their_mass_and_mean_weight() -> None:
    scores = np.linspace(0, 1, 5000)
    band = columns(rows_of(1, {s: (1 / 5000, 1.5) for s in scores}))
    band["mass"] = band["mass"] * 10  # above what the picture leaves out
    grid = grid_of(band, 0)
    assert len(grid.scores) <= MOST_BINS + 1
    assert grid.mass.sum() == pytest.approx(10)
    np.testing.assert_allclose(grid.weight, 1.5)


def test_far_bins_with_hardly_any_mass_do_not_squeeze_the_picture() -> None:
    grid = grid_of(columns(rows_of(1, {0.0: (0.6, 1), 1.0: (0.4, 1), 90.0: (1e-6, 1)})), 0)
    assert grid.scores.max() == pytest.approx(1)
