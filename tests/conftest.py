"""Switches of the whole suite: shapes checked, one thread, no clocks in property tests."""

import os

from hypothesis import settings
from jaxtyping import install_import_hook

# Before anything imports them: every annotated shape in these packages is checked at each call.
install_import_hook(
    ["bandpass.models", "bandpass.losses", "bandpass.curriculum", "bandpass.evaluation"],
    "beartype.beartype",
)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes that tests start

import torch  # noqa: E402  (after the thread count is set)

torch.set_num_threads(1)

# A deadline would measure the machine; in CI a red property test must stay red when run again.
settings.register_profile("bandpass", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("bandpass")
