"""Evaluate a finished video run: every encoder, pooling and control gets the same questions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bandpass.data.video.clips import Clips
from bandpass.data.video.store import ClipStore
from bandpass.evaluation import videos
from bandpass.models import JEPA
from bandpass.models.text import TEXT
from bandpass.recipes import build_jepa
from bandpass.runs.run import CONTROL, Run, open_run
from bandpass.runs.tasks import Row
from bandpass.runs.video import questions, surprise
from bandpass.runs.video.encoders import Encode, frozen, grid, mean_frame, motion_energy
from bandpass.runs.video.frames import Frames
from bandpass.runs.video.sample import clip_table, draw, mean_motion, segments_of
from bandpass.runs.video.study import Answer, Study, average
from bandpass.training.atomic import write_table

INITS = 3
"""Random initialisations that the control is averaged over: one alone is a matter of luck."""

Frame = dict[str, np.ndarray]
"""(rows of the store,) scores of frames without labels, by how they were made."""


def evaluate_video(run: Run, store: ClipStore, on_task: Callable[[str], None]) -> list[Row]:
    """Write ``evaluation.parquet``, ``surprise.parquet`` and ``clips.parquet`` of a run.

    Probes are fitted on clips of the training side of the store and scored on the other. What is
    asked depends on what the store knows: see ``docs/video-evaluation.md``.

    Args:
        run: Has spent its budget.
        store: Its store.
        on_task: Told which encoder is being asked.

    Returns:
        The rows of ``evaluation.parquet``.
    """
    cut, seed = run.recipe.windows, run.recipe.train.seed
    train, other = (
        Clips(store, cut.length, cut.stride, side, cut.normalize, run.recipe.clips)
        for side in ("train", "test")
    )
    fit, test = draw(train), draw(other)
    supervised, masks = run.recipe.model.target == TEXT, run.recipe.train.masks
    study = Study(fit, test, segments_of(fit), segments_of(test), seed, supervised, masks)
    frames, motion = Frames.of(test), surprise.motion_by_row(test)
    models = _models(run, store)
    rows, curve = list[Row](), np.full(store.rows, np.nan)
    for name, members in models.items():
        on_task(name)
        asked = [_of_model(study, frames, name, each) for each in members]
        rows += _rows(name, average([answers for answers, _ in asked]))
        rows += _rows(name, [*study.attend(members[0])])
        curve = asked[0][1] if name == videos.PRETRAINED else curve
    _, *places = models[videos.PRETRAINED][0].grid
    for name, encode in _by_hand(store, (places[0], places[1])).items():
        on_task(name)
        rows += _rows(name, _of_views(study, frames, name, encode))
    simple = mean_motion(other, test.rows)
    found = [*questions.trivial(simple, test, seed), *frames.judge(motion, seed)]
    rows += _rows(videos.TRIVIAL, [("none", *each) for each in found])
    write_table(run.path / "evaluation.parquet", rows)
    write_table(run.path / "surprise.parquet", frames.curve(curve, motion))
    write_table(run.path / "clips.parquet", clip_table(train))
    return rows


def _models(run: Run, store: ClipStore) -> dict[str, list[JEPA]]:
    """The trained encoder, fresh ones, and the raw-patch control if it was trained to the end."""
    recipe, trained = run.recipe, run.load_jepa(store)
    fresh = []
    for seed in range(recipe.train.seed, recipe.train.seed + INITS):
        other = replace(recipe, train=replace(recipe.train, seed=seed))
        fresh.append(build_jepa(other, store.shape).eval().to(trained.device))
    found = {videos.PRETRAINED: [trained], videos.RANDOM: fresh}
    control = run.path / CONTROL
    if control.is_dir() and open_run(control).finished:  # else it had a smaller budget
        found[videos.RAW_PATCH] = [open_run(control).load_jepa(store)]
    return found


def _by_hand(store: ClipStore, places: tuple[int, int]) -> dict[str, Encode]:
    return {
        videos.MOTION: motion_energy,
        videos.MEAN_FRAME: mean_frame(store.shape),
        videos.GRID: grid(store.shape, places),
    }


def _of_model(
    study: Study, frames: Frames, name: str, jepa: JEPA
) -> tuple[list[Answer], np.ndarray]:
    """Answers of a model, and its (rows of the store,) surprise, NaN if it foresees none."""
    curve, judged = np.full(study.test.store.rows, np.nan), list[Answer]()
    if surprise.foresees(jepa):
        errors = surprise.surprise(jepa, study.fit, study.test, study.masks)
        curve = surprise.by_row(study.test, errors)
        judged = [(videos.SURPRISE, *each) for each in frames.judge(curve, study.seed)]
    return [*_of_views(study, frames, name, frozen(jepa)), *judged], curve


def _of_views(study: Study, frames: Frames, name: str, encode: Encode) -> list[Answer]:
    """Answers in every pooling; frames are judged by how far clips are from any to fit on."""
    answers: list[Answer] = []
    for view, turned in study.views(name, encode):
        answers += study.ask(view, turned)
        far = surprise.by_row(study.test, surprise.distance(view.fit, view.test))
        answers += [(view.pooling, *each) for each in frames.judge(far, study.seed)]
    return answers


def _rows(encoder: str, answers: list[Answer]) -> list[Row]:
    return [
        {"encoder": encoder, "pooling": pooling, "task": task, "metric": metric}
        | estimate._asdict()
        for pooling, task, metric, estimate in answers
    ]
