"""Evaluation of a video run: probes beside controls; nothing is trained."""

from bandpass.runs.video.evaluate import evaluate_video

__all__ = ["evaluate_video"]
