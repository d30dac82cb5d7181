"""The chapters of a video run: what they show and what they say."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import ClipStore, StoreError, open_store
from bandpass.data.video.marks import MARKS
from bandpass.report import write_report
from bandpass.report.blocks import Films, Folded, Pictures, Table, Text, Verdicts
from bandpass.report.filmstrips import films_section, held_films, png, strip
from bandpass.report.footage import clock, damage, footage
from bandpass.report.motion_slots import motion_section, shares, spearman
from bandpass.report.probes import SUPERVISED, Score, scores_of
from bandpass.report.surprise_curve import chosen, highest, of_series, stretches, surprise_section
from bandpass.report.tables import Run, read_run
from bandpass.report.video_probes import questions, verdict, video_probes_section

MakeRun = Callable[..., Path]
WriteTable = Callable[[Path, str, dict], None]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, make_video_run: MakeRun) -> Path:
    return make_video_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def run(path: Path) -> Run:
    return read_run(path)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_holds_every_pixel(channels: int) -> None:
    from matplotlib.image import imread

    image = np.random.default_rng(channels).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    image[..., -1] = 255 if channels in (2, 4) else image[..., -1]
    found = np.rint(255 * np.atleast_3d(imread(io.BytesIO(png(image)))))
    colours = channels - (channels in (2, 4))
    assert found.shape[:2] == image.shape[:2]
    np.testing.assert_array_equal(found[..., :colours], image[..., :colours])


def test_small_frames_are_enlarged_by_a_whole_factor() -> None:
    frames = np.arange(2 * 3 * 32, dtype=np.uint8).reshape(2, 3, 32, 1)
    image = strip(frames)
    assert image.shape == (9, 2 * 96 + 2, 2)
    np.testing.assert_array_equal(image[::3, :96:3, 0], frames[0, ..., 0])
    np.testing.assert_array_equal(image[2::3, 100::3, 0], frames[1, ..., 0])
    assert (image[:, 96:98, 1] == 0).all()  # the gap lets the page through
    assert (np.delete(image[..., 1], [96, 97], axis=1) == 255).all()


def test_large_frames_are_thinned_out() -> None:
    frames = np.arange(400, dtype=np.uint16).astype(np.uint8)[None, None, :, None]
    image = strip(np.repeat(np.repeat(frames, 40, axis=1), 3, axis=3))
    assert image.shape == (14, 134, 4)
    np.testing.assert_array_equal(image[0, :, 0], frames[0, 0, ::3, 0])


def test_the_clips_that_were_drawn_most_and_least_are_shown_without_overlap(run: Run) -> None:
    clips = footage(run)
    most, least = (block for block in films_section(run, clips).blocks)
    assert isinstance(most, Films)
    assert isinstance(least, Films)
    facts = [dict(each.facts) for each in most.films]
    # Clip i was drawn i times: the last of the second recording, then every other before it.
    assert [each["times drawn"] for each in facts] == [str(n) for n in range(117, 106, -2)]
    assert facts[0]["time"] == "0:29 to 0:29"
    assert (facts[0]["class"], facts[0]["score"]) == ("fall", "1.00")
    assert {each.heading for each in most.films} == {"take-1"}
    drawn = [dict(each.facts)["times drawn"] for each in least.films]
    assert drawn == [str(n) for n in range(0, 11, 2)]
    assert all(each.image.startswith("data:image/png;base64,") for each in most.films)


def test_clips_that_were_drawn_equally_often_are_a_mixture(
    run: Run,
) -> None:
    count = len(run.windows["drawn"])
    windows = {"drawn": np.zeros(count, int), "score": np.full(count, np.nan)}
    section = films_section(replace(run, windows=windows), footage(run))
    least = section.blocks[1]
    assert isinstance(least, Films)
    assert {each.heading for each in least.films} == {"take-0", "take-1"}
    assert "Nothing but chance tells them apart" in section.lead


def test_quarantined_clips_are_shown_with_the_rule_that_suspects_them(run: Run) -> None:
    (block,) = held_films(run, footage(run))
    assert isinstance(block, Films)
    frozen, gone = (dict(each.facts) for each in block.films)
    assert frozen["suspected fault"].startswith("freeze (")
    assert gone["missing"] == "3 of 8 frames"
    assert frozen["time"] == "0:13 to 0:13"
    assert block.films[0].heading == "take-0"


def test_a_store_without_frames_is_decoded_or_says_what_is_gone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = footage(run)
    assert not isinstance(clips, str)
    shown, held = films_section(run, clips), held_films(run, clips)
    frames, column = clips.store.column("frames"), ClipStore.column

    def keeps_none(self: ClipStore, name: str) -> np.ndarray:
        if name == "frames":
            raise AssertionError("the store keeps no frames")
        return column(self, name)

    monkeypatch.setattr(ClipStore, "column", keeps_none)
    monkeypatch.setattr(ClipStore, "frames_of", lambda self, rows: frames[rows])
    assert (films_section(run, clips), held_films(run, clips)) == (shown, held)

    def gone(self: ClipStore, rows: np.ndarray) -> np.ndarray:
        raise StoreError("take-0.mp4: no such file")

    monkeypatch.setattr(ClipStore, "frames_of", gone)
    says = "No frame of the store can be shown: take-0.mp4: no such file."
    assert films_section(run, clips).lead == says
    assert held_films(run, clips) == [Text(says)]


def test_damaged_recordings_and_notes_are_named(run: Run) -> None:
    table, folded, _ = damage(footage(run))
    assert isinstance(table, Table)
    assert [[cell.text for cell in line] for line in table.body] == [["take-0", "3"]]
    assert "take-0: 3 frames could not be decoded" in str(folded)


def test_weak_labels_are_counted(run: Run) -> None:
    *_, table = damage(footage(run))
    assert isinstance(table, Table)
    counts = {line[0].text: int(line[1].text) for line in table.body}
    assert list(counts) == list(MARKS)
    marks = open_store(Path(run.recipe["store"])).marks
    assert sum(counts.values()) == marks.sum()
    assert marks.any()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"store": "/nowhere/at/all"}, "The store has gone from /nowhere/at/all"),
        ({"store_hash": "other"}, "has changed since this run"),
    ],
)
def test_without_its_store_the_page_says_so(
    tmp_path: Path, make_video_run: MakeRun, change: dict, says: str
) -> None:
    path = make_video_run(tmp_path / "run")
    recipe = json.loads((path / "recipe.json").read_text())
    (path / "recipe.json").write_text(json.dumps(recipe | change))
    page = write_report(path).read_text()
    assert page.count(says) == 3  # where clips, held clips and files are shown
    assert "row of the recording" in page  # no clock without the store
    assert "<img" not in page


def test_a_store_that_was_damaged_is_no_crash(run: Run, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    found = footage(replace(run, recipe=run.recipe | {"store": str(tmp_path)}))
    assert isinstance(found, str)
    assert "manifest.json" in found


def test_slots_are_counted_by_motion_and_slice(run: Run) -> None:
    found = shares(run)
    drawn = np.arange(118) / np.arange(118).sum()
    assert found["motion 0-10%"] == pytest.approx((12 / 118, drawn[:12].sum()))
    assert found["rare"] == pytest.approx((12 / 118, drawn[3::10].sum()))
    assert "corrupt" not in found  # there is none
    section = motion_section([run, run])
    assert "rank correlation +1.00" in section.lead
    table = section.blocks[1]
    assert isinstance(table, Table)
    assert [cell.text for cell in table.body[0]] == ["motion 0-10%", "10.2%", "1.0%", "1.0%"]


def test_motion_of_a_run_that_was_not_evaluated_is_not_known(run: Run) -> None:
    assert "`bandpass evaluate`" in motion_section([replace(run, clips={})]).lead
    assert "did not log" in motion_section([replace(run, clips={}, windows={})]).lead


def test_rank_correlation_knows_ties_and_what_does_not_vary() -> None:
    one, other = np.array([1, 2, 2, 4, 9]), np.array([3, 1, 1, 8, 7])
    assert spearman(one, other) == pytest.approx(5.5 / 9.5)  # ranks 1 2.5 2.5 4 5 and 3 1.5 1.5 5 4
    assert spearman(one, np.zeros(5)) == 0.0


def test_clips_of_which_no_motion_is_known_do_not_count() -> None:
    motion, drawn = np.array([np.nan, 1, 2, 3, np.nan]), np.array([90, 1, 2, 4, 0])
    assert spearman(motion, drawn) == pytest.approx(1)
    assert spearman(np.full(3, np.nan), np.arange(3)) == 0.0


def test_the_recording_with_most_rare_events_is_drawn_first(run: Run) -> None:
    assert chosen(run.surprise) == ["take-2", "take-3"]
    rare = stretches(of_series(run.surprise, "take-2"), "label")
    assert rare == [(72, 80, "fall"), (152, 160, "fall"), (232, 240, "fall")]
    section = surprise_section(run, footage(run))
    (block,) = section.blocks
    assert isinstance(block, Pictures)
    picture = block.pictures[0]
    assert "events: fall at 0:09, fall at 0:19, fall at 0:29" in picture.svg
    assert "3 rare events. Mean surprise 2.00 in them, 1.00 elsewhere" in picture.note
    assert "No rare event is labelled here" in block.pictures[1].note


def test_a_gap_in_the_rows_ends_a_stretch() -> None:
    row = np.array([0, 1, 5, 6])
    label, regime = np.ones(4, int), np.array(["a", "a", "a", "b"])
    own = {"row": row, "label": label, "regime": regime}
    assert stretches(own, "label") == [(0, 2, "a"), (5, 7, "a")]
    assert stretches(own, "regime") == [(0, 2, "a"), (5, 6, "a"), (6, 7, "b")]
    assert stretches(own | {"label": np.zeros(4, int)}, "label") == []


def test_a_long_curve_keeps_its_peaks() -> None:
    values = np.zeros(100_000)
    values[77_777], values[:300] = 9.0, np.nan
    at, peaks = highest(np.arange(100_000), values)
    assert len(at) == 500
    assert np.nanmax(peaks) == 9.0
    assert abs(at[np.nanargmax(peaks)] - 77_777) < 200
    assert np.isnan(peaks[0])


def test_a_model_without_latents_has_no_surprise(run: Run) -> None:
    unsaid = run.surprise | {"surprise": np.full(480, np.nan)}
    section = surprise_section(replace(run, surprise=unsaid), footage(run))
    assert "no surprise to draw" in section.lead


def changed(scores: list[Score], **values: float) -> list[Score]:
    """Scores with the values of some encoders replaced."""
    return [
        replace(s, value=values[s.encoder], low=values[s.encoder], high=values[s.encoder])
        if s.encoder in values
        else s
        for s in scores
    ]


def test_a_question_is_won_against_all_controls_only(run: Run) -> None:
    action, state = questions(scores_of([run]))
    assert (action.task, action.outcome, action.ours.pooling) == ("action", "yes", "mean+std")
    assert action.best.value == 0.6
    grid = next(score for score in action.controls if score.encoder == "grid")
    assert grid.pooling == "pixels"  # the higher one counts
    assert (state.task, state.outcome, state.best.encoder) == ("state", "no", "grid")
    (found,) = verdict([action, state])
    assert (found.outcome, found.label) == ("open", "Does it beat all controls? On some questions")
    assert "every control on 1 of 2 questions, is worse than one on 1" in found.sentence


def test_a_control_within_the_intervals_or_unmeasured_leaves_a_question_open(run: Run) -> None:
    scores = scores_of([run])
    near = changed(scores, **{"mean-frame": 0.78})
    assert questions(near)[0].outcome == "open"
    assert [score.encoder for score in questions(near)[0].open] == ["mean-frame"]
    partial = [score for score in scores if score.encoder != "motion-energy"]
    assert questions(partial)[0].outcome == "open"
    (found,) = verdict(questions(partial)[:1])
    assert (found.outcome, found.label) == ("no", "Does it beat all controls? Not on this evidence")


def test_the_primary_question_comes_first_and_every_question_has_a_table(run: Run) -> None:
    section, summary = video_probes_section([run])
    assert summary is not None
    first, *_, last = section.blocks
    assert isinstance(first, Verdicts)
    assert isinstance(last, Folded)
    says, _ = first.verdicts
    assert says.label == "Action: beats every control"
    assert "0.800 [0.750, 0.850]; the best control" in says.sentence
    captions = [block.caption for block in section.blocks if isinstance(block, Table)]
    assert captions == ["All questions", "Task: action"]
    assert last.summary == "Task: state"


def test_a_run_that_was_not_evaluated_says_so(tmp_path: Path, make_video_run: MakeRun) -> None:
    path = make_video_run(tmp_path / "run")
    for name in ("evaluation", "clips", "surprise", "quarantine", "windows"):
        (path / f"{name}.parquet").unlink()
    page = write_report(path).read_text()
    assert page.count("`bandpass evaluate`") == 2
    assert "did not log how often it drew each clip" in page
    assert 'id="map"' not in page


def test_a_run_on_series_has_none_of_these_chapters(tmp_path: Path, make_run: MakeRun) -> None:
    page = write_report(make_run(tmp_path / "run")).read_text()
    assert not any(f'id="{name}"' in page for name in ("films", "motion", "surprise"))


def test_minutes_go_on_where_hours_begin() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 4000)] == ["0:00", "0:59", "1:01", "66:40"]


def test_a_run_that_was_trained_on_labels_decides_nothing(run: Run) -> None:
    told = replace(run, recipe=run.recipe | {"model": {"target": "text"}})
    section, summary = video_probes_section([told])
    assert summary is not None
    for each in (*section.blocks[0].verdicts, summary):
        assert each.outcome == "open"
        assert each.sentence.endswith(SUPERVISED)
    section, _ = video_probes_section([run])
    assert not any(SUPERVISED in each.sentence for each in section.blocks[0].verdicts)
