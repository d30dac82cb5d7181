"""What cells are measured by, on a tiny plant: planted answers are found, and noise is not."""

from dataclasses import replace

import numpy as np
import pytest

from bandpass.bench import measures
from bandpass.bench.asked import MOST, UNKNOWN, ask
from bandpass.bench.declared import BENCHMARKS, Metric
from bandpass.bench.measures import measure, of_embeddings
from bandpass.bench.stream import build_corpora
from bandpass.data import DataError, Series, Source, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import build_jepa, find, override
from bandpass.scoring.collect import ScoringSettings
from bandpass.scoring.frozen import past_rows

PLANT = BENCHMARKS["plant"]
RECIPE = override(
    find("series"),
    [
        *("windows.length=32", "windows.stride=16"),
        *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
        *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
    ],
)
PAST = past_rows(RECIPE.windows.length, RECIPE.model.encoder.patch)
NOTHING = np.full(900, -1, np.int8)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    options = {"series": 6, "rows": 2000, "channels": 4, "failure_rate": 2.0, "corrupt": 0.1}
    return prepare(SOURCES["plant"], folder, folder / "store", **options)


def asked_of(store, **changes):
    benchmark = replace(PLANT, **changes)
    return ask(benchmark, build_corpora(benchmark, RECIPE, store), PAST)


@pytest.fixture(scope="module", params=["split", "series"])
def asked(request, store):
    return asked_of(store, folds=request.param)


@pytest.fixture(scope="module")
def split(store):
    return asked_of(store)


@pytest.fixture(scope="module")
def jepa(store):
    return build_jepa(RECIPE, store.shape).eval()


def found_by(asked, vectors, seed=0) -> dict[tuple[str, str], float]:
    """The measures of vectors that `vectors` makes for a side."""
    test = vectors(asked.test)
    fit = test if asked.fit is asked.test else vectors(asked.fit)
    found = list(of_embeddings(asked, (fit, test), seed))
    assert len({each[:2] for each in found}) == len(found)
    return {(task, metric): value for task, metric, value in found}


def noise(width, seed=0):
    generator = np.random.default_rng(seed)
    return lambda side: generator.normal(size=(len(side.ids), width))


def test_everything_that_is_measured_is_finite_and_named_once(asked, jepa):
    found = measure(jepa, asked, 0, ScoringSettings())
    assert all(type(value) is float and np.isfinite(value) for _, _, value in found)
    assert len({each[:2] for each in found}) == len(found) > 50
    for task, metric, value in found:
        if metric == "r2":
            assert value <= 1
        elif metric not in ("rankme",) and not metric.startswith("pair"):
            assert 0 <= value <= 1, (task, metric)
    assert measure(jepa, asked, 0, ScoringSettings()) == found


def test_what_benchmarks_are_judged_by_is_measured(split, jepa):
    made = {Metric(*each[:2]) for each in measure(jepa, split, 0, ScoringSettings())}
    wanted = {metric for each in BENCHMARKS.values() for metric in (each.rare, each.normal)}
    assert wanted <= made


def test_the_seed_draws_the_labels_of_few_shot_probes_and_nothing_else(split):
    vectors = noise(6)(split.fit), noise(6, 1)(split.test)
    first, other = (list(of_embeddings(split, vectors, seed)) for seed in (0, 1))
    changed = {a[0] for a, b in zip(first, other, strict=True) if a != b}
    assert changed == {
        *("few-shot rare", "few-shot rare, corrupt among others"),
        *("rare by 2 labels", "rare by 20 labels"),
    }


def test_vectors_that_hold_the_label_find_it(asked):
    jitter = np.random.default_rng(0)

    def planted(side):
        told = np.stack([side.rare, ~side.rare], axis=1).astype(float)
        return told + 1e-3 * jitter.normal(size=told.shape)

    found = found_by(asked, planted)
    for task in ("few-shot rare", "rare by 2 labels", "rare by 20 labels", "all-label rare"):
        assert found[task, "average_precision"] == pytest.approx(1)
        assert found[task, "auroc"] == pytest.approx(1)
    assert found["all-label rare", "brier"] < 0.01


def test_vectors_of_noise_find_nothing_though_they_could_be_learnt_by_heart(asked):
    """So wide that a probe that had seen the scored windows would know the few rare ones."""
    found = found_by(asked, noise(200))
    prevalence = asked.test.rare.sum() / asked.test.clean.sum()
    assert 0.02 < prevalence < 0.5
    for task in ("few-shot rare", "all-label rare"):
        assert found[task, "prevalence"] == pytest.approx(prevalence)
        assert found[task, "average_precision"] == pytest.approx(prevalence, abs=0.1)
        assert found[task, "auroc"] == pytest.approx(0.5, abs=0.1)
    assert found["classes", "macro_f1"] < 0.4
    for name in asked.names:
        assert found[f"{name} readout", "r2"] < 0.1


def test_rare_windows_of_another_class_are_told_apart(asked):
    """Most rows of a rare window may be of a class that normal windows are of as well."""
    test = asked.test
    mixed = np.intersect1d(test.classes[test.rare], test.classes[test.normal])
    assert len(mixed[mixed != UNKNOWN])
    jitter = np.random.default_rng(0)

    def planted(side):
        classes = np.eye(9)[side.classes] / 2
        told = np.append(classes, side.rare[:, None].astype(float), axis=1)
        return told + 1e-3 * jitter.normal(size=told.shape)

    found = found_by(asked, planted)
    assert found["rare by 20 labels", "average_precision"] > 0.95
    assert found["few-shot rare", "average_precision"] > 0.9


def test_vectors_that_hold_the_classes_tell_them_apart(asked):
    jitter = np.random.default_rng(0)

    def planted(side):
        told = np.eye(9)[side.classes]
        return told + 1e-2 * jitter.normal(size=told.shape)

    found = found_by(asked, planted)
    assert found["classes", "macro_f1"] > 0.7  # a fold may lack a class
    assert found["classes, normal", "macro_f1"] > 0.7


def test_vectors_that_hold_the_signs_read_them_out(asked):
    found = found_by(asked, lambda side: side.signs)
    for name in asked.names:
        assert 0.99 < found[f"{name} readout", "r2"] <= 1


def test_the_hidden_future_is_read_out_within_every_slice(split):
    vectors = {"held": split.test.future, "noise": noise(4)(split.test)}
    found = {
        name: {task: value for task, _, value in measures.readouts(split.test, "readout", each)}
        for name, each in vectors.items()
    }
    slices = ("rare", "normal", "regime shift", "corner case")
    assert set(found["held"]) == {f"readout, {name}" for name in slices}
    assert min(found["held"].values()) > 0.7  # kept to the range that was fitted
    assert max(found["held"].values()) <= 1
    assert max(found["noise"].values()) < 0.1


def test_no_window_is_fitted_on_when_it_is_scored(asked):
    scored = np.zeros(len(asked.test.ids), int)
    for inside, now in asked.folds:
        scored += now
        fitted = set(asked.fit.windows.places(asked.fit.ids[inside]).tolist())
        assert fitted
        assert not fitted & set(asked.test.windows.places(asked.test.ids[now]).tolist())
        if asked.fit is asked.test:
            assert not set(asked.fit.series[inside]) & set(asked.test.series[now])
    assert (scored == 1).all()


def test_sides_hold_what_the_corpora_say(asked):
    for side in (asked.fit, asked.test):
        whole = side.windows.slices()
        assert len(side.ids) == len(set(side.ids.tolist())) <= MOST
        for name, inside in whole.items():
            np.testing.assert_array_equal(getattr(side, name), inside[side.ids])
        assert side.rare.sum() == min(whole["rare"].sum(), MOST // 3)
        assert (side.classes[~side.clean] == UNKNOWN).all()
        assert not (side.rare & (side.normal | side.corrupt)).any()
        values = side.windows[side.ids[:5]].values.numpy()
        observed = side.windows[side.ids[:5]].observed.numpy()
        late = np.where(observed, values, np.nan)[:, PAST:]
        np.testing.assert_allclose(side.future[:5], np.nanmean(late, axis=1), rtol=1e-5)
        for name in ("regime shift", "corner case"):
            whole = side.clean & (side.blocks != UNKNOWN)
            assert side.slices[name].sum() == pytest.approx(whole.sum() / 10, abs=2)


def test_windows_that_are_read_out_share_no_row_with_another_block(asked):
    side = asked.test
    inside = np.logical_or.reduce(list(side.slices.values()))
    assert 0.5 * side.clean.sum() < inside.sum() < side.clean.sum()
    rows = side.places[inside, None] + np.arange(side.windows.length)
    _, row = np.unique(rows, return_inverse=True)
    blocks = np.repeat(side.blocks[inside], side.windows.length)
    of_row = np.full(row.max() + 1, UNKNOWN)
    of_row[row.ravel()] = blocks
    np.testing.assert_array_equal(of_row[row.ravel()], blocks)
    assert (side.blocks[inside] != UNKNOWN).all()


def without(side, **changes):
    """A side as of a corpus that knows less."""
    nothing = np.zeros(len(side.ids), bool)
    known = {
        "rare": {"rare": nothing, "normal": side.clean},
        "corrupt": {"corrupt": nothing},
        "event": {"event": np.full(len(side.ids), -1, np.int8)},
    }
    return replace(side, **{k: v for name in changes["of"] for k, v in known[name].items()})


@pytest.mark.parametrize("of", [("rare",), ("corrupt",), ("event",), ("rare", "corrupt", "event")])
def test_what_is_not_known_of_the_scored_windows_is_left_out(split, jepa, of):
    less = replace(split, test=without(split.test, of=of))
    tasks = {task for task, _, value in measure(jepa, less, 0, ScoringSettings())}
    assert ("few-shot rare" in tasks) == ("rare" not in of)
    assert ("all-label rare" in tasks) == ("rare" not in of)
    assert ("future readout, rare" in tasks) == ("rare" not in of)
    assert ("surprise, corrupt" in tasks) == ("corrupt" not in of)
    assert ("surprise, event" in tasks) == ("event" not in of)
    assert {"future readout, normal", "spike readout", "health", "classes, normal"} <= tasks


def test_what_nobody_is_told_of_is_not_asked(split, jepa):
    fit = without(split.fit, of=("rare",))
    tasks = {each[0] for each in measure(jepa, replace(split, fit=fit), 0, ScoringSettings())}
    assert not {"few-shot rare", "all-label rare"} & tasks
    assert {"surprise, rare", "next-state readout, rare", "classes"} <= tasks


def test_a_channel_that_is_never_measured_is_left_out(split):
    future = split.test.future.copy()
    future[:, 0] = np.nan
    side = replace(split.test, future=future)
    rest = replace(split.test, future=future[:, 1:])
    vectors = noise(4)(side)
    found, expected = (list(measures.readouts(each, "x", vectors)) for each in (side, rest))
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        assert one[2] == pytest.approx(other[2])


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_windows_without_a_surprise_are_left_out(split, jepa, monkeypatch, share):
    test = split.test
    score = np.random.default_rng(0).random(len(test.ids)) + test.rare
    broken = score.copy()
    broken[: round(share * len(broken))] = np.nan
    monkeypatch.setattr(measures, "surprise", lambda jepa, side, settings: broken)
    found = {each[:2]: each[2] for each in measure(jepa, split, 0, ScoringSettings())}
    assert (("surprise, rare", "auroc") in found) == (share < 1)
    if share < 1:
        known = np.isfinite(broken) & test.clean
        assert test.rare[known].any()
        pairs = score[known & test.rare][:, None] > score[known & ~test.rare]
        assert found["surprise, rare", "auroc"] == pytest.approx(pairs.mean())


def test_classes_that_are_not_known_are_named(store):
    with pytest.raises(
        DataError, match=r"benchmark plant: no classes 'dataset' are known in .*reg"
    ):
        asked_of(store, classes="dataset")


def test_folds_by_series_need_two(tmp_path):
    values = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    alone = Source(
        "x",
        "",
        "",
        "",
        "",
        ("a", "b", "c"),
        (),
        lambda raw: iter([Series("s", "e", values, NOTHING[:600])]),
    )
    with pytest.raises(DataError, match=r"folds of plant leave out series, and .* has one"):
        asked_of(prepare(alone, tmp_path, tmp_path / "store"), folds="series", classes="")


def test_a_store_without_labels_is_measured_by_what_it_has(tmp_path, jepa):
    generator = np.random.default_rng(0)
    recordings = [
        Series(
            f"s{i}",
            f"e{i}",
            generator.normal(size=(900, 4)).astype(np.float32).cumsum(axis=0),
            NOTHING,
        )
        for i in range(3)
    ]
    plain = Source("x", "", "", "", "", tuple("abcd"), (), lambda raw: iter(recordings))
    asked = asked_of(prepare(plain, tmp_path, tmp_path / "store"), classes="")
    tasks = {each[0] for each in measure(jepa, asked, 0, ScoringSettings())}
    assert {"future readout, normal", "next-state readout, normal", "health"} <= tasks
    assert not {task for task in tasks if "rare" in task or task.startswith("surprise")}
