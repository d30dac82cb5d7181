"""Probes of schedule encoders: what they ask, what they hide, and what they make of the answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bandpass.data import open_store
from bandpass.data.schedule.store import ACTOR_DAY, RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.tokens import FEATURES
from bandpass.data.schedule.windows import ScheduleCut, ScheduleWindows
from bandpass.evaluation.schedules import HOURLY, RANDOM, RAW, REPLACED
from bandpass.runs.schedule.encoders import raw, raw_hourly
from bandpass.runs.schedule.probes import PROBES, probe_table
from bandpass.runs.schedule.readout import binary, regression, retrieval
from bandpass.runs.schedule.sample import DAYS_OF_ONE, draw_all, draw_days, draw_records

Sides = tuple[ScheduleWindows, ScheduleWindows]
Table = dict[tuple[str, str, str], dict[str, object]]


def sides_of(path: Path, **cut: object) -> Sides:
    store = open_store(path)
    assert isinstance(store, ScheduleStore)
    chosen = ScheduleCut(**{"split": "honest"} | cut)
    return ScheduleWindows(store, "train", chosen), ScheduleWindows(store, "test", chosen)


@pytest.fixture(scope="module")
def sides(store: Path) -> Sides:
    return sides_of(store)


def noise(values: Tensor) -> Tensor:
    """An encoder that knows nothing."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(values), 8, generator=generator)


@pytest.fixture(scope="module")
def table(sides: Sides) -> Table:
    encoders = {"pretrained": raw_hourly, "noise": noise, RANDOM: [noise, raw]}
    rows = probe_table(encoders, *sides, seed=0)
    return {(row["task"], row["encoder"], row["metric"]): row for row in rows}


def test_every_probe_is_answered_by_every_encoder(table: Table) -> None:
    for name, probe in PROBES.items():
        for encoder in ("pretrained", "noise", RANDOM, RAW, HOURLY):
            assert (name, encoder, probe.metric) in table


def test_hourly_sums_find_what_the_hours_of_a_day_show(table: Table) -> None:
    hour = table["hour", HOURLY, "r2"]
    assert hour["value"] > 0.6
    assert hour["low"] < hour["value"] < hour["high"]
    assert table["hour", RAW, "r2"]["value"] < 0.2


def test_noise_answers_nothing(table: Table) -> None:
    assert table["hour", "noise", "r2"]["value"] < 0.05
    assert abs(table["code activity", "noise", "auroc"]["value"] - 0.5) < 0.1


def test_an_encoder_equal_to_its_control_differs_by_exactly_nothing(table: Table) -> None:
    for name, probe in PROBES.items():
        row = table[name, "pretrained", f"{probe.metric} - {HOURLY}"]
        assert np.isnan(row["value"]) or (row["value"], row["low"], row["high"]) == (0, 0, 0)


def test_differences_are_paired(table: Table) -> None:
    difference = table["hour", "noise", f"r2 - {HOURLY}"]
    assert difference["high"] < 0
    one, other = table["hour", "noise", "r2"], table["hour", HOURLY, "r2"]
    assert np.isclose(difference["value"], one["value"] - other["value"])


def test_controls_are_not_compared_with_controls(table: Table) -> None:
    assert not [key for key in table if key[1] in (RANDOM, RAW, HOURLY) and " - " in key[2]]


def test_several_encoders_of_one_name_are_averaged(sides: Sides) -> None:
    def value(*members: object) -> float:
        probes = {"hour": PROBES["hour"]}
        rows = probe_table({RANDOM: list(members)}, *sides, seed=0, probes=probes)
        return next(r["value"] for r in rows if (r["encoder"], r["task"]) == (RANDOM, "hour"))

    assert np.isclose(value(raw, raw_hourly), (value(raw) + value(raw_hourly)) / 2)


def test_a_probe_that_a_control_answers_is_marked(table: Table) -> None:
    assert table["code activity", RAW, "auroc"]["value"] > 0.98  # who codes has no task
    assert str(table["code activity", "pretrained", "auroc"]["note"]).startswith(REPLACED)
    assert not table["same actor", "pretrained", "mrr"]["note"]


def test_the_same_seed_gives_the_same_table(sides: Sides) -> None:
    some = {name: PROBES[name] for name in ("same actor", "window kind")}
    one, other = (probe_table({}, *sides, seed=3, probes=some) for _ in range(2))
    assert str(one) == str(other)


def test_what_carries_the_answer_is_never_seen(sides: Sides) -> None:
    days = draw_days(sides[0], 0).values
    for name in ("deadline", "completed", "code activity", "hour"):
        probe = PROBES[name]
        hidden = [FEATURES.index(feature) for feature in probe.hides]
        assert (days[:, :, hidden] > 0).any()
        assert not probe.show(days)[:, :, hidden].any()
    afternoon = PROBES["afternoon load"].show(days)
    assert not afternoon[:, 48:, 2:].any()
    assert not afternoon[:, :, FEATURES.index("duration")].any()
    assert (afternoon[:, :, :2] == days[:, :, :2]).all()


def test_windows_without_the_hidden_feature_are_encoded_once(sides: Sides) -> None:
    encoded = 0
    some = {name: PROBES[name] for name in ("weekend", "next-day load")}
    some["deadline"] = replace(PROBES["deadline"], hides=("deadline",))

    def count(values: Tensor) -> Tensor:
        nonlocal encoded
        encoded += len(values)
        return raw(values)

    probe_table({"pretrained": count}, *sides, seed=0, probes=some)
    days = np.concatenate([draw_days(side, 0).values for side in sides])
    due = (days[:, :, FEATURES.index("deadline")] > 0).any(axis=1)
    assert 0 < due.sum() < len(days)
    assert encoded == len(days) + due.sum()


def test_next_day_labels_know_a_quiet_day_from_an_unknown_one(sides: Sides) -> None:
    sample = draw_days(sides[1], 0)
    events, hour = sample.tomorrow
    about, every = sample.about, sample.store.windows
    for k in range(0, len(sample), 7):
        own = every[(every["kind"] == ACTOR_DAY) & (every["actor"] == about["actor"][k])]
        after = own[own["day"] == about["day"][k] + 1]
        if about["day"][k] == own["day"].max():
            assert np.isnan(events[k])
        else:
            assert events[k] == (after["events"][0] if len(after) else 0)
        assert np.isnan(hour[k]) or len(after) == 1


def test_samples_are_of_their_population(sides: Sides) -> None:
    assert (draw_days(sides[0], 0).about["kind"] == ACTOR_DAY).all()
    assert (draw_records(sides[0], 0).about["kind"] == RECORD_WINDOW).all()
    assert len(np.unique(draw_all(sides[0], 0).about["dataset"])) == 3


def test_days_of_one_actor_stand_together_and_are_not_too_many(sides: Sides) -> None:
    actors = draw_days(sides[0], 0).about["actor"]
    _, count = np.unique(actors, return_counts=True)
    assert (np.diff(actors.astype(np.float64)) != 0).sum() == len(count) - 1
    assert count.max() <= DAYS_OF_ONE


def test_a_population_that_is_missing_says_so(store: Path) -> None:
    some = {name: PROBES[name] for name in ("weekend", "record hour")}
    rows = probe_table({"pretrained": raw}, *sides_of(store, kind="record"), seed=0, probes=some)
    weekend = [row for row in rows if row["task"] == "weekend"]
    assert weekend
    assert all(np.isnan(row["value"]) for row in weekend)
    assert all("days" in str(row["note"]) for row in weekend)
    assert any(np.isfinite(row["value"]) for row in rows if row["task"] == "record hour")


def test_one_dataset_alone_leaves_the_source_unasked(store: Path) -> None:
    some = {"source": PROBES["source"]}
    rows = probe_table({}, *sides_of(store, datasets=("one",)), seed=0, probes=some)
    notes = {row["note"] for row in rows}
    assert notes == {"all windows of a side have the same answer"}


def test_a_readout_answers_within_the_range_that_it_knows() -> None:
    generator = np.random.default_rng(0)
    fit = generator.normal(size=(200, 4))
    known = 12 + fit[:, 0]
    test = 1000 * generator.normal(size=(50, 4))
    truth = np.full(50, known.max())
    truth[0] = known.min()
    r2 = regression(fit, known, test, truth)(np.ones((1, 50)))
    assert r2[0] > -60


def test_the_readouts_find_what_is_there() -> None:
    generator = np.random.default_rng(0)
    fit, test = generator.normal(size=(2, 400, 5))
    even = np.ones((1, 400))
    assert regression(fit, 3 * fit[:, 1], test, 3 * test[:, 1])(even)[0] > 0.99
    known, truth = (fit[:, 2] > 0).astype(float), (test[:, 2] > 0).astype(float)
    assert binary(fit, known, test, truth)(even)[0] > 0.99
    twins = np.repeat(test[:200], 2, axis=0)
    assert retrieval(fit, known, twins, np.repeat(np.arange(200.0), 2))(even)[0] > 0.99


def test_vectors_that_are_all_alike_retrieve_like_chance() -> None:
    alike = np.ones((100, 3))
    truth = np.repeat(np.arange(50.0), 2)
    found = retrieval(alike, truth, alike, truth)(np.ones((1, 100)))[0]
    assert found == pytest.approx(1 / 50)
