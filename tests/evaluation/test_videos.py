import pytest

from bandpass.evaluation import videos


@pytest.mark.parametrize(
    ("task", "metrics", "judged"),
    [
        (videos.ACTION, ["accuracy", "macro_f1", "mean_average_precision"], "macro_f1"),
        (
            f"{videos.ACTION}, fall",
            ["prevalence", "auroc", "average_precision"],
            "average_precision",
        ),
        (f"{videos.TRACK} contact", ["average_precision", "auroc"], "auroc"),
        (videos.FRAMES, ["average_precision", "auroc"], "auroc"),
        (
            videos.SEARCH,
            ["chance", "recall_at_1", "mean_average_precision"],
            "mean_average_precision",
        ),
        ("geometry", ["rankme", "effective_rank"], None),
    ],
)
def test_every_task_is_judged_by_one_metric(task, metrics, judged):
    assert videos.headline(task, metrics) == judged


def row(encoder: str, pooling: str, task: str, value: float, metric: str = "macro_f1"):
    names = ("encoder", "pooling", "task", "metric", "value")
    return dict(zip(names, (encoder, pooling, task, metric, value), strict=True))


def test_models_count_in_the_declared_pooling_and_features_in_their_best():
    found = videos.counted(
        [
            row(videos.PRETRAINED, videos.PLACE, videos.ACTION, 0.9),
            row(videos.PRETRAINED, videos.SPREAD, videos.ACTION, 0.5),
            row(videos.GRID, videos.TUBELETS, videos.ACTION, 0.4),
            row(videos.GRID, videos.PIXELS, videos.ACTION, 0.6),
            row(videos.PRETRAINED, videos.SPREAD, "geometry", 7.0, "rankme"),
            row(videos.PRETRAINED, videos.SPREAD, videos.FRAMES, 0.9, "auroc"),
            row(videos.PRETRAINED, videos.SURPRISE, videos.FRAMES, 0.7, "auroc"),
        ]
    )
    assert {task: {name: r["value"] for name, r in own.items()} for task, own in found.items()} == {
        videos.ACTION: {videos.PRETRAINED: 0.5, videos.GRID: 0.6},
        videos.FRAMES: {videos.PRETRAINED: 0.7},
    }
