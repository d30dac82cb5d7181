import json

import pytest
from rich.console import Console

from bandpass.cli.evaluation import of_videos, tables, video_tables
from bandpass.evaluation import videos

NAMES = ("encoder", "pooling", "task", "metric", "value")
MEASURED = [
    dict(zip(NAMES, values, strict=True))
    for values in (
        (videos.PRETRAINED, videos.SPREAD, videos.ACTION, "macro_f1", 0.612),
        (videos.PRETRAINED, videos.PLACE, videos.ACTION, "macro_f1", 0.555),
        (videos.PRETRAINED, videos.ATTENTIVE, videos.ACTION, "macro_f1", 0.333),
        (videos.RANDOM, videos.SPREAD, videos.ACTION, "macro_f1", 0.444),
        (videos.MEAN_FRAME, videos.PIXELS, videos.ACTION, "macro_f1", float("nan")),
        (videos.PRETRAINED, videos.PLACE, "geometry", "rankme", 7.0),
    )
]


def test_shows_the_controls_beside_the_encoder_and_its_poolings_below():
    console = Console(width=80)
    with console.capture() as captured:
        console.print(video_tables(MEASURED))
    text = captured.get()
    (against,) = (line.split() for line in text.splitlines() if "macro_f1" in line)
    assert against == ["action", "macro_f1", "0.612", "0.444", "n/a"]
    assert ["action", "0.612", "0.555", "0.333"] in [line.split() for line in text.splitlines()]
    assert "mean+std *" in text
    assert "geometry" not in text


def test_runs_on_videos_are_known_by_their_controls():
    assert of_videos(MEASURED)
    assert not of_videos([{"encoder": "raw-features"}, {"encoder": "pretrained"}])


@pytest.mark.parametrize("target", ["text", "ema"])
def test_a_run_that_was_trained_on_labels_is_marked(tmp_path, target):
    (tmp_path / "recipe.json").write_text(json.dumps({"model": {"target": target}}))
    console = Console(width=100)
    with console.capture() as captured:
        console.print(tables(tmp_path, MEASURED))
    marked = "trained on labels: not comparable with label-free controls" in captured.get()
    assert marked == (target == "text")
