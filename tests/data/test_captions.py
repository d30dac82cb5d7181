"""What is known of windows in words, and what stands for the words."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from bandpass.data import Batch, DataError, Windows, prepare
from bandpass.data.captions import caption, wordllama, words
from bandpass.data.sources import SOURCES

TEXT = 12


class Embedder:
    """A sentence embedding that is a function of the sentence alone, and counts its calls."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.asked.append(texts)
        return np.stack([np.random.default_rng(list(t.encode())).normal(size=TEXT) for t in texts])


def unit(text: str) -> np.ndarray:
    vector = Embedder()([text])[0]
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    return prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=3000, channels=3)


@pytest.fixture
def windows(store) -> Windows:
    return Windows(store, 32, 16, "train")


@pytest.fixture
def embed() -> Embedder:
    return Embedder()


def test_every_kind_of_class_is_a_question_and_the_names_are_its_answers(windows, embed):
    captions = caption(windows, embed)
    assert list(captions.said) == ["regime", "label"]
    assert captions.said["label"] == {0: "normal", 1: "event"}
    np.testing.assert_allclose(captions.about("regime")[0], unit("what happens?"), rtol=1e-5)
    question, answers = captions.about("label")
    np.testing.assert_allclose(question, unit("is this normal or an event?"), rtol=1e-5)
    np.testing.assert_allclose(answers, [unit("normal"), unit("event")], rtol=1e-5)


def test_a_batch_carries_each_question_with_the_answer_of_the_window(windows, embed):
    assert windows[[0, 5]].context is None
    windows.captions = captions = caption(windows, embed, without=())
    assert list(captions.said) == list(windows.classes()) == ["regime", "label", "corrupt"]
    ids = [5, 0, len(windows) - 1, 5]
    context = windows[ids].context
    assert context.shape == (4, 3, 2, TEXT)
    assert context.dtype == torch.float32
    for number, kind in enumerate(captions.said):
        question, answers = captions.about(kind)
        codes, place = windows.classes(ids)[kind][0], list(captions.said[kind])
        for row, code in enumerate(codes.tolist()):
            asked, said = context[row, number].numpy()
            np.testing.assert_array_equal(asked, question)
            expected = answers[place.index(code)] if code in place else np.full(TEXT, np.nan)
            np.testing.assert_array_equal(said, expected)


def test_what_is_unlabelled_has_no_answer(windows, embed, monkeypatch):
    codes = np.zeros(len(windows), np.int8)
    codes[:3] = -1
    names = {-1: "unlabelled", 0: "normal", 1: "event"}
    monkeypatch.setattr(windows, "classes", lambda ids=None: {"label": (codes, names)})
    windows.captions = caption(windows, embed)
    answers = windows[[0, 2, 3]].context[:, 0, 1]
    assert answers[:2].isnan().all()
    assert answers[2].isfinite().all()
    monkeypatch.setattr(windows, "classes", lambda ids=None: {"label": (codes * 0 - 1, names)})
    with pytest.raises(DataError, match=r"nothing is known of any window of .*needs labels"):
        caption(windows, embed)


def test_captions_of_ones_own_are_one_more_question(windows, embed):
    texts = ["", "a pump starts", " "] + ["all is quiet"] * (len(windows) - 3)
    windows.captions = captions = caption(windows, embed, texts=texts)
    assert captions.said["caption"] == {0: "a pump starts", 1: "all is quiet"}
    context = windows[[0, 1, 2, 3]].context[:, -1]
    np.testing.assert_allclose(context[3, 0], unit("what is there to be seen?"), rtol=1e-5)
    np.testing.assert_allclose(context[1, 1], unit("a pump starts"), rtol=1e-5)
    np.testing.assert_allclose(context[3, 1], unit("all is quiet"), rtol=1e-5)
    assert context[[0, 2], 1].isnan().all()
    with pytest.raises(DataError, match=r"there are 1 captions for \d+ windows"):
        caption(windows, embed, texts=["one"])


def test_names_are_written_as_one_would_say_them():
    assert words("noise-burst") == words("noise_burst") == "noise burst"


def test_vectors_are_embedded_once_and_kept_under_their_name(store, windows, embed):
    first = caption(windows, embed, name="some")
    kept = sorted((store.path / "derived").glob("captions-*.npy"))
    assert len(kept) == 1
    again = caption(Windows(store, 32, 16, "test"), embed, name="some")
    assert len(embed.asked) == 1
    np.testing.assert_array_equal(again.answers, first.answers)
    caption(windows, embed, name="another")
    assert len(embed.asked) == 2
    kept[0].write_bytes(b"half a fi")
    np.testing.assert_array_equal(caption(windows, embed, name="some").answers, first.answers)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (lambda texts: np.zeros((len(texts), TEXT)), "gave zeros for 'what happens\\?'"),
        (
            lambda texts: np.full((len(texts), TEXT), np.nan),
            "one vector of finite numbers for each",
        ),
        (lambda texts: np.ones((2, TEXT)), r"gave \(2, 12\) for \d+ sentences"),
    ],
)
def test_an_embedding_that_gives_no_vectors_is_refused(windows, vectors, message):
    with pytest.raises(DataError, match=message):
        caption(windows, vectors)


def test_nothing_is_told_of_what_is_not_asked(windows, embed):
    with pytest.raises(DataError, match="nothing is asked about 'mood': ask about regime, label"):
        caption(windows, embed).about("mood")


def test_a_batch_keeps_its_context_on_its_way(windows, embed):
    windows.captions = caption(windows, embed)
    batch = windows[[3, 1, 2]]
    moved = batch.to("cpu")
    assert torch.equal(moved.context.nan_to_num(), batch.context.nan_to_num())
    part = batch.chosen(torch.tensor([2, 0]), [2, 3])
    assert part.draw == [2, 3]
    assert torch.equal(part.values, batch.values[[2, 0]])
    assert torch.equal(part.context.nan_to_num(), batch.context[[2, 0]].nan_to_num())
    without = Batch(batch.values, batch.observed, batch.draw)
    assert without.to("cpu").context is without.chosen(torch.tensor([0]), [3]).context is None


def test_wordllama_works_offline_and_leaves_logging_alone(monkeypatch):
    pytest.importorskip("wordllama", reason="needs the extra `text`")
    import requests

    def offline(*args, **kwargs):
        raise AssertionError("a text target must not reach for the network")

    monkeypatch.setattr(requests, "get", offline)
    monkeypatch.setattr(Path, "home", lambda: Path("/nonexistent"))
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    vectors = wordllama(["a man falls", "a man is falling down", "the room is empty"])
    assert vectors.shape == (3, 256)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far + 0.2, "what means the same lies close together"
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)
