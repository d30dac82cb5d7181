"""What whoever measures a schedule run and whoever reports it must agree on."""

PRETRAINED, RANDOM, RAW, HOURLY = "pretrained", "random-init", "raw", "raw+hourly"
"""Encoders of a table of probes."""

RAW_PATCH = "raw-patch"
"""The encoder of the raw-patch control, in the table of a run that trained one."""

RIVALS = (RANDOM, RAW, HOURLY)
"""Controls that an encoder has to beat."""

REPLACED = "replaced"
"""Begins the note of a probe that a control answers already; it counts for nobody."""

LEAST_RANK, LEAST_BEYOND = 4.0, 0.1
"""Effective rank of the targets, and share of their variance explained beyond each position's mean,
below which a model has collapsed and a low loss says little."""
