"""What a finished run is worth on the windows it held out, in the numbers of the table."""

from bandpass.runs.run import Run
from bandpass.runs.schedule.losses import (
    ALL,
    BEYOND,
    FRESH,
    LOSS,
    MEAN,
    POSITION,
    TOTAL,
    TRAINED,
    held_out_losses,
)

MEASURES = {
    "loss_trained": (TRAINED, LOSS),
    "loss_fresh": (FRESH, LOSS),
    "loss_position": (POSITION, LOSS),
    "loss_mean": (MEAN, LOSS),
    "explained_beyond": (TRAINED, BEYOND),
    "effective_rank": (TRAINED, "effective_rank"),
    "target_variance": (TRAINED, TOTAL),
}
"""What of the held-out losses each column of the table is, over all held-out windows."""


def held_out(run: Run) -> dict[str, float]:
    """Measure a run on its held-out windows; nothing is retrained."""
    found = {
        (row["what"], row["metric"]): row["value"]
        for row in held_out_losses(run)
        if row["dataset"] == ALL
    }
    return {name: float(str(found[measure])) for name, measure in MEASURES.items()}
