import pytest

from bandpass.training import TrainSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"log_every": 0}, "log_every must be at least 1"),
        ({"batch": 1}, "batch must be at least 2"),
        ({"lr": 0.0}, "lr must be over 0"),
        ({"warmup": 1.0}, r"warmup must be in \[0, 1\), got 1.0"),
        ({"clip": -1.0}, "clip must be at least 0"),
        ({"workers": -1}, "workers must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"pool": 0}, "pool must be at least 1, got 0"),
        ({"rescore_every": -1}, "rescore_every must be at least 0, got -1"),
        ({"guard_every": -1}, "guard_every must be at least 0"),
        ({"balance": -0.5}, "balance must be at least 0, got -0.5"),
        ({"steps": 4, "keep": 5}, "keep must be at most the 4 steps, got 5"),
        (
            {"masks": ("spam",)},
            r"masks must be of \['future', 'multi-block', 'next', ",
        ),
        ({"masks": ()}, "masks must be of"),
        ({"regulariser": "sigregg"}, "regulariser must be one of none, sigreg, vicreg"),
        ({"precision": "fp16"}, "precision must be one of fp32, bf16, got 'fp16'"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda"),
    ],
)
def test_refuses_what_cannot_train(change, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**change)


def test_takes_a_numbered_gpu():
    assert TrainSettings(device="cuda:1").device == "cuda:1"


def test_milestones_are_evenly_spaced_and_end_with_the_run():
    assert TrainSettings(steps=1000, keep=5).milestones == {200, 400, 600, 800, 1000}
    assert TrainSettings(steps=7, keep=3).milestones == {2, 5, 7}
    assert not TrainSettings().milestones
