"""What a text model answers: the class whose text lies nearest to what it foresees."""

import numpy as np
import torch

from bandpass.data import Corpus, DataError
from bandpass.models import TextJEPA
from bandpass.scoring.frozen import batches


@torch.no_grad()
def answer(
    jepa: TextJEPA, windows: Corpus, ids: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ask a model about windows, which it sees as a whole, and take the nearest answer.

    Answers that no window had in training may be among the classes: that is zero-shot.

    Args:
        jepa: Trained with a text target.
        windows: Windows with captions.
        ids: (n,) ids of windows.
        kind: Of the classes that are asked about, of ``windows.captions.said``.

    Returns:
        (n,) int64 codes of the answers, as in ``windows.classes()[kind]``, and (n, k) float32
        cosines with all k answers, in the order of ``windows.captions.said[kind]``.

    Raises:
        DataError: If the windows have no captions, or nothing of that kind is asked.
    """
    if windows.captions is None:
        raise DataError("windows without captions leave nothing to ask: see data.captions.caption")
    question, answers = (torch.from_numpy(part) for part in windows.captions.about(kind))
    wanted, asked = answers.to(jepa.device), question.to(jepa.device)
    found = [np.empty((0, len(answers)), np.float32)]
    for batch in batches(windows, ids):
        on = batch.to(jepa.device)
        said = jepa.answer(on.values, on.observed, asked).float()
        found.append((torch.nn.functional.normalize(said, dim=1) @ wanted.T).cpu().numpy())
    cosines = np.concatenate(found)
    codes = np.array(list(windows.captions.said[kind]), np.int64)
    return codes[cosines.argmax(axis=1)], cosines
