"""Frozen-embedding evaluation on plain arrays: probes, rare events, readouts, geometry.

Every score is an `Estimate` (value, 95% interval, count, note), and functions that give several
return a dict of them by name. Data that does not determine a score (no positives, one class, no
labelled window) gives NaN with count 0 and the reason, so an evaluation never stops half-way;
malformed input (shapes, NaN embeddings or scores) raises ValueError.
"""

from bandpass.evaluation.agreement import agreement, agreement_table
from bandpass.evaluation.anomalies import (
    BASELINES,
    Baseline,
    auc_pr,
    isolation_forest,
    moving_z_score,
    pca_residual,
    vus_pr,
)
from bandpass.evaluation.attentive import attentive
from bandpass.evaluation.calibration import (
    Reliability,
    calibration_errors,
    expected_calibration_error,
    reliability,
)
from bandpass.evaluation.classification import classify, confusion_matrix, macro_f1
from bandpass.evaluation.comparison import (
    NonInferiority,
    holm,
    minimum_detectable_effect,
    non_inferior,
    paired_iqm,
)
from bandpass.evaluation.enrichment import (
    TOPS,
    Enriched,
    enriched,
    rank_within,
    shuffled_interval,
    slot_shares,
)
from bandpass.evaluation.event_order import event_order, successive
from bandpass.evaluation.features import raw_features
from bandpass.evaluation.folds import leave_one_out
from bandpass.evaluation.forecasting import (
    Readout,
    Ridge,
    fit_ridge,
    persistence_skill,
    r2,
    readout_r2,
)
from bandpass.evaluation.frames import frame_scores
from bandpass.evaluation.geometry import (
    RegimeGeometry,
    coverage,
    effective_rank,
    positive_pairs,
    rankme,
    regime_geometry,
)
from bandpass.evaluation.localisation import Stretches, proposals, segment_ap
from bandpass.evaluation.probes import (
    PROBES,
    Probe,
    discriminant,
    few_shot_draws,
    few_shot_logistic,
    few_shot_ridge,
    knn,
    logistic,
)
from bandpass.evaluation.rare_events import rare_slice
from bandpass.evaluation.retention import LabelledWindows, false_alarms_at_recall, normal_retention
from bandpass.evaluation.retrieval import Items, retrieval
from bandpass.evaluation.simulation import equal_arms, exchanged, rejection_rate
from bandpass.evaluation.statistics import (
    Estimate,
    PairedDifference,
    block_groups,
    bootstrap_weights,
    interquartile_mean,
    interval,
    paired_difference,
)

__all__ = [
    "BASELINES",
    "PROBES",
    "TOPS",
    "Baseline",
    "Enriched",
    "Estimate",
    "Items",
    "LabelledWindows",
    "NonInferiority",
    "PairedDifference",
    "Probe",
    "Readout",
    "RegimeGeometry",
    "Reliability",
    "Ridge",
    "Stretches",
    "agreement",
    "agreement_table",
    "attentive",
    "auc_pr",
    "block_groups",
    "bootstrap_weights",
    "calibration_errors",
    "classify",
    "confusion_matrix",
    "coverage",
    "discriminant",
    "effective_rank",
    "enriched",
    "equal_arms",
    "event_order",
    "exchanged",
    "expected_calibration_error",
    "false_alarms_at_recall",
    "few_shot_draws",
    "few_shot_logistic",
    "few_shot_ridge",
    "fit_ridge",
    "frame_scores",
    "holm",
    "interquartile_mean",
    "interval",
    "isolation_forest",
    "knn",
    "leave_one_out",
    "logistic",
    "macro_f1",
    "minimum_detectable_effect",
    "moving_z_score",
    "non_inferior",
    "normal_retention",
    "paired_difference",
    "paired_iqm",
    "pca_residual",
    "persistence_skill",
    "positive_pairs",
    "proposals",
    "r2",
    "rank_within",
    "rankme",
    "rare_slice",
    "raw_features",
    "readout_r2",
    "regime_geometry",
    "rejection_rate",
    "reliability",
    "retrieval",
    "segment_ap",
    "shuffled_interval",
    "slot_shares",
    "successive",
    "vus_pr",
]
