"""All questions put to one encoder at a time, on the same clips, labels and resamples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bandpass.evaluation import Estimate, attentive, classify, rare_slice, videos
from bandpass.models import JEPA
from bandpass.runs import tasks
from bandpass.runs.video import questions
from bandpass.runs.video.encoders import Encode, View, embed
from bandpass.runs.video.sample import Sample, Segments, mean_motion
from bandpass.scoring.frozen import batches

ATTENDED = 1500
"""Labelled clips of a side at most that the attentive probe sees."""

TURNED = 1000
"""Clips of a side at most that are shown backwards too."""

Answer = tuple[str, str, str, Estimate]
"""Pooling, task, metric, estimate."""


@dataclass(frozen=True, eq=False)
class Study:
    """What is asked about, chosen once for all encoders.

    Attributes:
        fit: Clips that probes are fitted on.
        test: Clips that they are scored on.
        of: Labelled segments of the former.
        on: Labelled segments of the latter.
        seed: Of probes and bootstrap.
        supervised: Whether the encoder was trained on labels of the training side: then no fold of
            it can be scored as if it had not seen them.
        masks: That the encoder was trained by.
    """

    fit: Sample
    test: Sample
    of: Segments
    on: Segments
    seed: int
    supervised: bool
    masks: Sequence[str]

    def views(self, name: str, encode: Encode) -> Iterator[tuple[View, View]]:
        """The clips in every pooling of an encoder; and, of both sides, those that are turned.

        The second view holds pairs end to end: what moves most backwards, then the same forwards.
        """
        sides = (self.fit, self.test)
        turned = [_moving(side) for side in sides]
        whole = [embed(encode, side, side.ids) for side in sides]
        back = [
            embed(encode, side, side.ids[rows], backwards=True)
            for side, rows in zip(sides, turned, strict=True)
        ]
        for pooling in whole[0]:
            fit, test = (each[pooling].numpy() for each in whole)
            pairs = [
                np.concatenate([other[pooling].numpy(), own[rows]])
                for other, own, rows in zip(back, (fit, test), turned, strict=True)
            ]
            yield View(name, pooling, fit, test), View(name, pooling, *pairs)

    def ask(self, view: View, turned: View) -> Iterator[Answer]:
        """Every question that the store knows the answers to."""
        fit, test, seed = self.fit, self.test, self.seed
        scores = tasks.event_probes(view.fit, view.test, fit.side, seed)
        groups = test.side.groups[_moving(test)]
        spans = (test.span, test.store.regimes)
        for found in (
            tasks.rare_events(scores, test.side, seed),
            questions.actions(view, fit, test, seed),
            () if self.supervised else questions.folds(view, fit, test, seed),
            questions.segments(view, self.of.seen, self.on.seen, seed),
            questions.localisation(view, fit, test, self.on, seed),
            questions.state(view, fit, test, seed),
            questions.tracks(view, fit, test, seed),
            questions.arrow(turned, groups, seed),
            tasks.geometry(view.test, test.side, *spans, seed),
        ):
            for task, metric, estimate in found:
                yield view.pooling, task, metric, estimate

    def attend(self, jepa: JEPA) -> Iterator[Answer]:
        """The actions, or else events, told apart by an attentive probe on the tokens."""
        classes = self.fit.side.regimes, self.test.side.regimes
        actions = len(np.unique(classes[0][classes[0] >= 0])) > 1
        labels, truth = classes if actions else (self.fit.side.labels, self.test.side.labels)
        of, on = (_labelled(each) for each in (labels, truth))
        if len(np.unique(labels[of])) < 2 or not len(on):
            return
        fit, test = _tokens(jepa, self.fit, of), _tokens(jepa, self.test, on)
        chance = attentive(fit, labels[of], test, seed=self.seed)
        groups = self.test.side.groups[on]
        if actions:
            every = np.unique(labels[of])
            found = classify(truth[on], chance, every, groups, seed=self.seed)
            task = videos.ACTION
        else:
            found = rare_slice(truth[on].astype(np.int64), chance[:, 1], groups, seed=self.seed)
            task = videos.EVENTS
        for metric, estimate in found.items():
            yield videos.ATTENTIVE, task, metric, estimate


def average(members: list[list[Answer]]) -> list[Answer]:
    """Mean estimates of several encoders of one kind; of their intervals too."""
    if len(members) == 1:
        return members[0]
    found = []
    for answers in zip(*members, strict=True):
        pooling, task, metric, first = answers[0]
        value, low, high = np.mean([each[3][:3] for each in answers], axis=0).tolist()
        found.append((pooling, task, metric, first._replace(value=value, low=low, high=high)))
    return found


def _moving(sample: Sample) -> np.ndarray:
    """Places in the sample of its clips with motion above the median, ``TURNED`` at most."""
    motion = mean_motion(sample.clips, sample.rows)
    known = motion[np.isfinite(motion)]
    found = np.flatnonzero(motion >= (np.median(known) if len(known) else 0))
    return found[:: -(-len(found) // TURNED)]


def _labelled(labels: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(labels >= 0)
    return known[:: max(-(-len(known) // ATTENDED), 1)]


@torch.no_grad()
def _tokens(jepa: JEPA, sample: Sample, places: np.ndarray) -> np.ndarray:
    """(n, tokens, dim) float32 frozen tokens of some clips of a sample."""
    return np.concatenate(
        [
            jepa.embed(batch.values.to(jepa.device), batch.observed.to(jepa.device))
            .float()
            .cpu()
            .numpy()
            for batch in batches(sample.clips, sample.ids[places])
        ]
    )
