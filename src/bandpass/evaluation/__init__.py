"""Frozen-embedding evaluation on plain arrays: probes, rare events, calibration, geometry."""

from bandpass.evaluation.calibration import calibration, expected_calibration_error, reliability
from bandpass.evaluation.classification import classify, confusion_matrix, macro_f1
from bandpass.evaluation.features import raw_features
from bandpass.evaluation.forecasting import fit_ridge, persistence_skill, r2, readout_r2
from bandpass.evaluation.geometry import (
    coverage,
    effective_rank,
    positive_pairs,
    rankme,
    regime_geometry,
)
from bandpass.evaluation.probes import PROBES, few_shot_draws, few_shot_logistic, knn, logistic
from bandpass.evaluation.rare_events import rare_slice
from bandpass.evaluation.retention import LabelledWindows, false_alarms_at_recall, normal_retention
from bandpass.evaluation.statistics import (
    Estimate,
    block_groups,
    bootstrap_weights,
    interquartile_mean,
    interval,
    paired_difference,
)

__all__ = [
    "PROBES",
    "Estimate",
    "LabelledWindows",
    "block_groups",
    "bootstrap_weights",
    "calibration",
    "classify",
    "confusion_matrix",
    "coverage",
    "effective_rank",
    "expected_calibration_error",
    "false_alarms_at_recall",
    "few_shot_draws",
    "few_shot_logistic",
    "fit_ridge",
    "interquartile_mean",
    "interval",
    "knn",
    "logistic",
    "macro_f1",
    "normal_retention",
    "paired_difference",
    "persistence_skill",
    "r2",
    "rankme",
    "rare_slice",
    "raw_features",
    "readout_r2",
    "reliability",
    "regime_geometry",
    "positive_pairs",
]
