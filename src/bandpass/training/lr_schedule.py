"""Schedules over the fraction of the budget that is spent, never over a step count."""

import math


def warmup_cosine(fraction: float, *, warmup: float, final: float) -> float:
    """Return the multiplier of the peak rate: linear rise, then a cosine down to ``final``."""
    if fraction < warmup:
        return fraction / warmup
    return cosine((fraction - warmup) / (1 - warmup), start=1.0, end=final)


def cosine(fraction: float, *, start: float, end: float) -> float:
    """Move from ``start`` to ``end`` along half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


def linear(fraction: float, *, start: float, end: float) -> float:
    """Move from ``start`` to ``end`` in a straight line."""
    return start + (end - start) * min(fraction, 1.0)
