"""Several corpora under one numbering: every question is answered as the part would answer it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bandpass.data import Clips, Corpus, DataError, Windows, prepare
from bandpass.data.ingest import describe
from bandpass.data.mixed import Mixed, apart, groups
from bandpass.data.sources import SOURCES
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import VIDEO_SOURCES


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, Corpus]:
    folder: Path = tmp_path_factory.mktemp("stores")
    plant = prepare(
        SOURCES["plant"], folder, folder / "plant", series=2, rows=1500, channels=4, failure_rate=3
    )
    options = Options(workers=1, of_source={"recordings": 2, "seconds": 20})
    world = prepare_video(VIDEO_SOURCES["world"], folder, folder / "world", options)
    return {"plant": Windows(plant, 32, 16, "train"), "world": Clips(world, 8, 4, "train")}


@pytest.fixture(scope="module")
def mixed(parts) -> Mixed:
    return Mixed(parts, own={"plant": "series", "world": "entity"})


def test_is_a_corpus(mixed):
    assert isinstance(mixed, Corpus)


def test_windows_are_numbered_through(mixed, parts):
    first = len(parts["plant"])
    assert len(mixed) == first + len(parts["world"])
    for ids, name, own in ([3, 0], "plant", [3, 0]), ([first + 2, first], "world", [2, 0]):
        batch, expected = mixed[ids], parts[name][own]
        assert torch.equal(batch.values, expected.values)
        assert torch.equal(batch.observed, expected.observed)
        assert batch.draw is ids
        assert batch.part == list(parts).index(name)
    assert torch.equal(mixed[first].values, parts["world"][0].values)


def test_a_batch_is_of_one_part(mixed, parts):
    with pytest.raises(DataError, match=r"a batch is of one modality, .* are of plant, world"):
        mixed[[0, len(parts["plant"])]]


@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_a_window_that_is_not_there(mixed, wrong):
    with pytest.raises(IndexError, match=r"is not in 0 \.\. "):
        mixed[[wrong]]


def test_a_single_part_is_no_mixture(parts):
    with pytest.raises(DataError, match=r"at least two parts, got \['plant'\]"):
        Mixed({"plant": parts["plant"]})


def test_what_is_known_of_windows_is_what_their_part_knows(mixed, parts):
    plant, world = parts["plant"], parts["world"]
    np.testing.assert_array_equal(mixed.labels(), np.append(plant.labels(), world.labels()))
    ids = np.array([len(plant) + 1, 0, len(plant), 5])  # of both, in no order
    np.testing.assert_array_equal(mixed.labels(ids), mixed.labels()[ids])
    for name, inside in mixed.slices().items():
        np.testing.assert_array_equal(inside, np.append(plant.slices()[name], world.slices()[name]))
    series, starts = mixed.locate(ids)
    names = [mixed.store.series_names[one] for one in series]
    assert [name.split("/")[0] for name in names] == ["world", "plant", "world", "plant"]
    assert starts.tolist() == [
        *world.locate([1])[1],
        *plant.locate([0])[1],
        *world.locate([0])[1],
        *plant.locate([5])[1],
    ]
    entities = [mixed.store.entity_names[one].split("/")[0] for one in mixed.entities(ids)]
    assert entities == ["world", "plant", "world", "plant"]
    own_names, own_values = world.look(1)
    got_names, got_values = mixed.look(len(plant) + 1)
    assert got_names == own_names
    np.testing.assert_array_equal(got_values, own_values)


def test_windows_of_different_parts_are_never_near(mixed, parts):
    places, first = mixed.places(), len(parts["plant"])
    assert places[:first].max() + 2 * mixed.length <= places[first:].min()
    np.testing.assert_array_equal(np.diff(places[:first]), np.diff(parts["plant"].places()))


def test_buckets_are_shared_by_all_or_by_modality_or_their_own(mixed, parts):
    codes, names = mixed.buckets("none")
    assert (set(codes.tolist()), names) == ({0}, ["all"])
    codes, names = mixed.buckets("modality")
    np.testing.assert_array_equal(codes, mixed.groups)
    assert names == ["plant", "world"]
    codes, names = mixed.buckets("own")
    series, _ = parts["plant"].buckets("series")
    entity, _ = parts["world"].buckets("entity")
    np.testing.assert_array_equal(codes, np.append(series, entity + 2))
    assert names[0].startswith("plant: ")
    assert names[-1].startswith("world: ")


def test_unknown_buckets_are_refused(mixed, parts):
    with pytest.raises(DataError, match="bucket 'shape' is none of none, modality, own"):
        mixed.buckets("shape")
    with pytest.raises(DataError, match="no kind of bucket was given for world"):
        Mixed(parts, own={"plant": "none"}).buckets("own")


def test_classes_tell_the_modality_and_keep_those_of_the_parts_apart(mixed, parts):
    first = len(parts["plant"])
    found = mixed.classes()
    codes, names = found["modality"]
    assert [names[code] for code in (codes[0], codes[first])] == ["plant", "world"]
    for kind, (own, known) in parts["world"].classes().items():
        codes, names = found[kind]
        assert [names[c] for c in codes[first:]] == [f"world: {known[int(c)]}" for c in own]
    only = set(parts["world"].classes()) ^ set(parts["plant"].classes())
    for kind in only & set(found):
        assert "other modality" in {found[kind][1][int(code)] for code in found[kind][0]}


def test_ingest_is_that_of_every_part_by_itself(mixed, parts):
    whole = describe(mixed)
    own = [describe(part) for part in parts.values()]
    for name in ("faults", "regime", "density", "density_ratio", "max_abs_z", "motion"):
        expected = np.concatenate([getattr(each, name) for each in own])
        np.testing.assert_array_equal(getattr(whole, name), expected)
    first = len(parts["plant"])
    assert not set(whole.prototype[:first]) & set(whole.prototype[first:])
    assert len(whole.features) == len(mixed)


def test_groups_and_pieces_follow_the_parts(mixed, parts):
    first = len(parts["plant"])
    assert groups(parts["plant"]) is None
    np.testing.assert_array_equal(groups(mixed), np.arange(len(mixed)) >= first)
    ids = np.array([0, 1, first, 2, first + 1, first + 2])
    assert [piece.tolist() for piece in apart(mixed, ids)] == [
        [0, 1],
        [first],
        [2],
        [first + 1, first + 2],
    ]
    assert [piece.tolist() for piece in apart(parts["plant"], ids)] == [ids.tolist()]
    assert [len(piece) for piece in apart(mixed, ids[:0])] == [0]
