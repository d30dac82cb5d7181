"""The held-out loss of a schedule run, its controls, and the variance it is quoted beside."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import open_store
from bandpass.recipes import Recipe
from bandpass.runs import RunError, open_run, train
from bandpass.runs.schedule.losses import (
    ALL,
    BEYOND,
    COLLAPSED,
    EXPLAINED,
    FRESH,
    LOSS,
    MEAN,
    MSE,
    POSITION,
    TOTAL,
    TRAINED,
    WITHIN,
    Row,
    held_out_losses,
    measure,
)
from bandpass.runs.schedule.variance import Cloud, Variance

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Row]:
    return held_out_losses(open_run(run))


def test_controls_answer_for_the_targets_of_the_trained_model(rows: list[Row]) -> None:
    mean, position = measure(rows, MEAN, MSE), measure(rows, POSITION, MSE)
    assert position < mean
    assert mean == pytest.approx(measure(rows, TRAINED, TOTAL), rel=0.1)
    assert position == pytest.approx(measure(rows, TRAINED, WITHIN), rel=0.1)


def test_a_collapsed_encoder_has_no_loss(rows: list[Row]) -> None:
    assert measure(rows, COLLAPSED, LOSS) < 1e-9
    assert measure(rows, FRESH, LOSS) > 0.1


def test_the_loss_of_the_recipe_is_its_own_distance(rows: list[Row]) -> None:
    for what in (TRAINED, FRESH, MEAN, POSITION):
        assert measure(rows, what, LOSS) == pytest.approx(measure(rows, what, MSE))


def test_explained_variance_follows_from_errors_and_variances(rows: list[Row]) -> None:
    for dataset in (ALL, "one", "two"):
        mse = measure(rows, TRAINED, MSE, dataset)
        for share, part in ((EXPLAINED, TOTAL), (BEYOND, WITHIN)):
            expected = 1 - mse / measure(rows, TRAINED, part, dataset)
            assert measure(rows, TRAINED, share, dataset) == pytest.approx(expected)


def test_datasets_add_up_to_the_whole(rows: list[Row]) -> None:
    names = ("one", "two", "calendar")
    counts = np.array([measure(rows, "windows", "count", name) for name in names])
    assert counts.sum() == measure(rows, "windows", "count") > 300
    parts = np.array([measure(rows, TRAINED, LOSS, name) for name in names])
    assert (parts * counts).sum() / counts.sum() == pytest.approx(measure(rows, TRAINED, LOSS))


def test_the_reference_procedure_takes_as_many_batches_as_are_asked_for(run: Path) -> None:
    rows = held_out_losses(open_run(run), batches=4)
    assert measure(rows, "windows", "count") == 128
    assert rows == held_out_losses(open_run(run), batches=4)


def test_more_batches_than_windows_draw_some_twice(run: Path, rows: list[Row]) -> None:
    many = held_out_losses(open_run(run), batches=40)
    assert measure(many, "windows", "count") == 1280 > measure(rows, "windows", "count")
    assert measure(many, TRAINED, LOSS) == pytest.approx(measure(rows, TRAINED, LOSS), rel=0.2)


def test_measuring_changes_nothing(run: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in sorted(run.rglob("*"))}
    held_out_losses(open_run(run), batches=1)
    assert before == {file: file.stat().st_mtime_ns for file in sorted(run.rglob("*"))}


def test_a_run_without_latents_is_refused(tmp_path: Path, store: Path, recipe: MakeRecipe) -> None:
    changes = ("model.latent=false", "train.prediction=0", "train.grounding=1", "steps=2")
    assert train(recipe(*changes), open_store(store), tmp_path / "raw", with_control=False)
    with pytest.raises(RunError, match="no latents"):
        held_out_losses(open_run(tmp_path / "raw"))


def test_variances_are_those_of_the_plain_definition() -> None:
    generator = np.random.default_rng(0)
    tokens = generator.normal(3, 1, size=(40, 6, 5)) + 4 * np.arange(6)[None, :, None]
    tokens[30:] += 2  # a dataset of its own, that differs at every place
    dataset = np.repeat([0, 1], [30, 10])
    hidden = np.tile(np.arange(6), (40, 1))
    found = Variance.empty(2, 6, 5)
    for part in (slice(0, 13), slice(13, 40)):
        found.add(dataset[part], tokens[part], hidden[part])
    both, first = np.array([0, 1]), np.array([0])
    assert found.total(both) == pytest.approx(((tokens - tokens.mean((0, 1))) ** 2).mean())
    apart = [tokens[:30].var(axis=0).mean(), tokens[30:].var(axis=0).mean()]
    assert found.within(both) == pytest.approx(np.average(apart, weights=[30, 10]))
    assert found.within(both) < 0.8 * tokens.var(axis=0).mean(), "the dataset tells the rest"
    assert found.within(first) == pytest.approx(apart[0])


def test_variances_count_hidden_tokens_only() -> None:
    tokens = np.zeros((2, 4, 3))
    tokens[:, 3] = np.array([[100.0], [-100.0]])
    found = Variance.empty(1, 4, 3)
    found.add(np.zeros(2, np.int64), tokens, np.array([[0, 1], [0, 1]]))
    assert found.total(np.array([0])) == found.within(np.array([0])) == 0


def test_the_shape_of_targets_that_lie_on_a_line() -> None:
    line = np.linspace(-1, 1, 50)[:, None, None] * np.ones((50, 8, 4))
    cloud = Cloud()
    cloud.add(np.zeros(50, np.int64), line)
    shape = cloud.shape()
    assert shape["effective_rank"] == pytest.approx(1)
    assert shape["top_direction"] == pytest.approx(1)
    assert cloud.of_dataset(0)["variance_pooled"] > 0
