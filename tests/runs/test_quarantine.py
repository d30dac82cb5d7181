"""Reviewing what a run held back, with lists as a run writes them."""

import csv
import json
import math
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from bandpass.curriculum import SurpriseBand
from bandpass.curriculum.quarantine import Quarantined
from bandpass.recipes import build_windows
from bandpass.runs import RunError, decide, export, open_run, quarantined
from bandpass.training.quarantine import (
    Review,
    ReviewError,
    read_review,
    write_quarantine,
    write_review,
)


class Holding(SurpriseBand):
    """A band that holds back what a test says."""

    def __init__(self, held: list[Quarantined]) -> None:
        super().__init__(100, 8, steps=10)
        self.held = held

    def quarantine(self) -> list[Quarantined]:
        return list(self.held)


HELD = [
    Quarantined(3, "extreme", 9.5, 2, 40),
    Quarantined(17, "not finite", math.nan, 0, 60),
    Quarantined(8, "extreme", 30.0, 5, 20),
]


@pytest.fixture
def held(run, store, tmp_path):
    """A copy of a finished run that holds three windows back."""
    copy = shutil.copytree(run, tmp_path / "run")
    write_quarantine(copy, build_windows(open_run(run).recipe, store, "train"), Holding(HELD))
    return copy


def test_lists_most_extreme_first_with_where_and_why(held, store):
    rows = quarantined(held)
    assert [row["id"] for row in rows] == [8, 3, 17]
    assert [row["reason"] for row in rows] == ["extreme", "extreme", "not finite"]
    assert {row["series"] for row in rows} <= set(store.series_names)
    assert all(row["decision"] == "" for row in rows)


def test_names_the_channel_that_stands_out(held, store, run):
    windows = build_windows(open_run(run).recipe, store, "train")
    for row in quarantined(held):
        loudest = np.abs(windows[[row["id"]]].values[0].numpy()).max(axis=0).argmax()
        assert row["channel"] == store.channels[loudest]


def test_many_windows_are_listed_and_a_few_drawn(held, run, store):
    windows = build_windows(open_run(run).recipe, store, "train")
    many = [Quarantined(i, "extreme", float(i), 1, 1) for i in range(40)]
    write_quarantine(held, windows, Holding(many))
    drawn = pq.read_table(held / "quarantine.parquet")["values"].to_pylist()
    assert len(quarantined(held)) == 40
    assert [len(signals) > 0 for signals in drawn] == [True] * 24 + [False] * 16


def test_a_list_that_is_empty_again_is_gone(held, run, store):
    write_quarantine(held, build_windows(open_run(run).recipe, store, "train"), Holding([]))
    assert quarantined(held) == []


def test_decisions_are_kept_shown_and_changed(held):
    assert read_review(held) == Review()
    decide(held, release=[3], ban=[8])
    assert json.loads((held / "released.json").read_text()) == {"released": [3], "banned": [8]}
    assert [row["decision"] for row in quarantined(held)] == ["banned", "released", ""]
    assert decide(held, release=[8]) == Review(frozenset({3, 8}), frozenset())
    assert decide(held, ban=[3, 50]) == Review(frozenset({8}), frozenset({3, 50}))


def test_release_all_leaves_out_what_was_banned(held):
    decide(held, ban=[8])
    assert decide(held, release_all=True) == Review(frozenset({3, 17}), frozenset({8}))


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ({"release": [4]}, r"window 4 is not held back by .*, which holds 3, 8, 17: `bandpass"),
        ({"release": [3], "ban": [3]}, r"window 3 is to be released and banned"),
        ({"ban": [10**6]}, r"window 1000000 is none of .*: its ids are 0 to \d+"),
        ({"ban": [-1]}, r"window -1 is none of"),
    ],
)
def test_impossible_decisions_change_nothing(held, decisions, message):
    decide(held, ban=[17])
    before = (held / "released.json").read_bytes()
    with pytest.raises(RunError, match=message):
        decide(held, **decisions)
    assert (held / "released.json").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"released": [1]}', '{"released": ["a"], "banned": []}']
)
def test_a_review_that_cannot_be_read_is_named(held, text):
    (held / "released.json").write_text(text)
    with pytest.raises(ReviewError, match=r"released\.json is not .*mend it, or delete"):
        quarantined(held)


def test_a_review_survives_writing(tmp_path):
    review = Review(frozenset({5, 1}), frozenset({2}))
    write_review(tmp_path, review)
    assert read_review(tmp_path) == review


def test_export_for_a_colleague(held, tmp_path):
    decide(held, release=[3])
    rows = quarantined(held)
    export(rows, tmp_path / "new" / "list.csv", "csv")
    with (tmp_path / "new" / "list.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    assert [(row["id"], row["decision"]) for row in told] == [
        ("8", ""),
        ("3", "released"),
        ("17", ""),
    ]
    export(rows, tmp_path / "list.json", "json")
    told = json.loads((tmp_path / "list.json").read_text())["quarantined"]
    assert told[0] == rows[0]
    assert told[2]["z"] is None, "JSON knows no NaN"


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        quarantined(tmp_path)
    with pytest.raises(RunError, match="is not a run"):
        decide(tmp_path, release_all=True)
