"""Questions about windows, and what would be said of each, as frozen text vectors."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bandpass.data.atomic import replacing
from bandpass.data.batch import Ids
from bandpass.data.series import DataError

if TYPE_CHECKING:
    from bandpass.data.corpus import Corpus

Embed = Callable[[list[str]], np.ndarray]
"""Sentences to (n, E) vectors, the same ones at every call."""

CAPTION = "caption"

ORACLE = frozenset({"corrupt"})
"""Kinds that are left unasked unless one wants them: a curriculum is judged by these labels."""

QUESTIONS = {
    "regime": "what happens?",
    "label": "is this normal or an event?",
    "corrupt": "is the recording damaged?",
    CAPTION: "what is there to be seen?",
}
"""By the kind of class; of any other kind it is "which KIND is it?"."""

NOBODY_KNOWS = -1
"""Code of windows that have no answer, as in `Corpus.classes`."""

VERSION = 1
"""Of the vectors; a cache of another version is not read."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Captions:
    """What may be asked about windows and what the answers are; a corpus puts it into its batches.

    Attributes:
        said: By the kind of class that a question is about: what each of its codes is called.
        questions: (questions, text) float32, of length 1.
        answers: (answers, text) float32, of length 1: those of the first kind, then of the others.
        known: (n, questions) int32 row of ``answers`` for every window, -1 for none.
    """

    said: Mapping[str, Mapping[int, str]]
    questions: np.ndarray
    answers: np.ndarray
    known: np.ndarray

    def __call__(self, ids: Ids) -> Tensor:
        """(B, questions, 2, text) float32: each question, then its answer, NaN for none."""
        answers = self._answers[self.known[np.asarray(ids, np.int64)]]
        return torch.from_numpy(np.stack(np.broadcast_arrays(self.questions, answers), axis=2))

    def about(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Question (text,) and answers (k, text) of one kind, in the order of ``said``.

        Raises:
            DataError: If nothing of that kind is asked.
        """
        kinds = list(self.said)
        if kind not in kinds:
            raise DataError(f"nothing is asked about {kind!r}: ask about {', '.join(kinds)}")
        number = kinds.index(kind)
        first = sum(len(self.said[before]) for before in kinds[:number])
        return self.questions[number], self.answers[first : first + len(self.said[kind])]

    @cached_property
    def _answers(self) -> np.ndarray:
        """(answers + 1, text): row -1 is none."""
        return np.concatenate([self.answers, np.full_like(self.answers[:1], np.nan)])


def caption(
    windows: "Corpus",
    embed: Embed,
    *,
    name: str = "",
    texts: Sequence[str] | None = None,
    without: Collection[str] = ORACLE,
) -> Captions:
    """Put into words what is known of windows.

    A kind of class that the store knows is a question, and the name of a class its answer:
    ``windows.captions = caption(windows, embed)`` lets a `TextJEPA` train on them. Labels so become
    part of the training: a text target is supervised.

    Args:
        windows: The windows.
        embed: Any sentence embedding.
        name: Of the embedding: its vectors are kept under it in STORE/derived; not kept if empty.
        texts: (n,) a caption of each window, for one more question; "" where there is none.
        without: Kinds of class that are not asked about.

    Raises:
        DataError: If nothing is known of any window, or ``embed`` gives no vectors.
    """
    classes: dict[str, tuple[np.ndarray, Mapping[int, str]]] = {
        kind: each for kind, each in windows.classes().items() if kind not in without
    }
    if texts is not None:
        classes[CAPTION] = _numbered(texts, len(windows))
    said = {
        kind: {code: words(text) for code, text in names.items() if code != NOBODY_KNOWS}
        for kind, (_, names) in classes.items()
    }
    known = _rows({kind: codes for kind, (codes, _) in classes.items()}, said)
    if not (known >= 0).any():
        raise DataError(
            f"nothing is known of any window of {windows.store.path}: a text target needs labels, "
            "or captions"
        )
    asked = [QUESTIONS.get(kind, f"which {kind} is it?") for kind in said]
    sentences = [*asked, *(text for names in said.values() for text in names.values())]
    vectors = _kept(windows.store.path / "derived", name, sentences, embed)
    return Captions(said, vectors[: len(asked)], vectors[len(asked) :], known)


def words(name: str) -> str:
    """The name of a class as one would write it."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())


def wordllama(texts: list[str]) -> np.ndarray:
    """Embed sentences by WordLlama (MIT), offline: weights and tokenizer come with the package.

    Args:
        texts: The sentences.

    Returns:
        (n, 256) float32.

    Raises:
        DataError: If the extra ``text`` is not installed.
    """
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    try:
        import wordllama as package
    except ImportError as error:
        raise DataError("a text target needs WordLlama: pip install 'bandpass[text]'") from error
    finally:  # the package sets up the logging of whoever imports it
        root.setLevel(before[0])
        root.handlers[:] = before[1]
    # The package looks for the tokenizer that it carries in a folder of another name.
    carried = Path(package.__file__).parent / "tokenizers"
    with tempfile.TemporaryDirectory() as cache:
        shutil.copytree(carried, Path(cache) / "tokenizers", ignore=_all_but_json)
        model = package.WordLlama.load(cache_dir=Path(cache), disable_download=True)
    return np.asarray(model.embed(texts))


EMBEDDERS: dict[str, Embed] = {"wordllama": wordllama}
"""Sentence embeddings that a recipe may name; put your own in under a name."""


def _all_but_json(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".json")]


def _numbered(texts: Sequence[str], count: int) -> tuple[np.ndarray, Mapping[int, str]]:
    """Captions as codes, and what each says."""
    if len(texts) != count:
        raise DataError(f"there are {len(texts)} captions for {count} windows: give one for each")
    names = dict(enumerate(dict.fromkeys(text for text in texts if text.strip())))
    code = {text: number for number, text in names.items()}
    return np.array([code.get(text, NOBODY_KNOWS) for text in texts], np.int64), names


def _rows(codes: Mapping[str, np.ndarray], said: Mapping[str, Mapping[int, str]]) -> np.ndarray:
    """(n, questions) int32 row of each window's answer among those of all kinds, -1 for none."""
    columns: list[np.ndarray] = []
    first = 0
    for kind, of in codes.items():
        row = {code: first + place for place, code in enumerate(said[kind])}
        first += len(row)
        values, inverse = np.unique(of, return_inverse=True)
        found = np.array([row.get(int(code), NOBODY_KNOWS) for code in values], np.int32)
        columns.append(found[inverse.reshape(-1)])
    return np.stack(columns, axis=1) if columns else np.empty((0, 0), np.int32)


def _kept(folder: Path, name: str, sentences: list[str], embed: Embed) -> np.ndarray:
    """(n, text) float32 vectors of length 1, read if they were written before."""
    text = json.dumps([VERSION, name, sentences])
    path = folder / f"captions-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
    if name:
        try:
            return np.load(path, allow_pickle=False)
        except FileNotFoundError:
            pass
        except (OSError, EOFError, ValueError) as error:
            _log.debug("%s cannot be read, computing again: %s", path, error)
    vectors = np.asarray(embed(sentences), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(sentences) or not np.isfinite(vectors).all():
        raise DataError(
            f"the sentence embedding gave {vectors.shape} for {len(sentences)} sentences: it must "
            "give one vector of finite numbers for each"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        empty = sentences[int(np.argmin(lengths))]
        raise DataError(f"the sentence embedding gave zeros for {empty!r}: give it another name")
    vectors /= lengths
    if name:
        _keep(path, vectors)
    return vectors


def _keep(path: Path, vectors: np.ndarray) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.save(file, vectors)
    except OSError as error:
        _log.debug("%s cannot be written, computing at each call: %s", path, error)
