"""Numbers as sentences say them."""

import math


def signed(value: float) -> str:
    """Three decimals with a sign: ``+.030``."""
    return (
        f"{round(value, 3) + 0.0:+.3f}".replace("0.", ".", 1) if _small(value) else f"{value:+.3f}"
    )


def plain(value: float) -> str:
    """Three decimals: ``.030``."""
    return f"{value:.3f}".replace("0.", ".", 1) if _small(value) else f"{value:.3f}"


def probability(p: float) -> str:
    """A p-value: ``p .023``, or that there is none."""
    if math.isnan(p):
        return "no p"
    return "p < .001" if p < 0.0005 else f"p {plain(p)}"


def _small(value: float) -> bool:
    return abs(round(value, 3)) < 1
