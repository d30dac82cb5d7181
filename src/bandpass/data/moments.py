"""Running mean and standard deviation of the observed values of every channel."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Moments:
    """Count, mean and sum of squared deviations per channel, mergeable block by block.

    Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances" (1979), equation 2.1. All float64 (channels,).
    """

    channels: int
    count: np.ndarray = field(init=False)
    mean: np.ndarray = field(init=False)
    squares: np.ndarray = field(init=False)
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.count, self.mean, self.squares = np.zeros((3, self.channels))
        self.low = np.full(self.channels, np.inf)
        self.high = np.full(self.channels, -np.inf)

    def add(self, block: np.ndarray) -> None:
        """Take in a (rows, channels) block; NaN counts as not observed."""
        if not len(block):
            return
        observed = ~np.isnan(block)
        count = observed.sum(axis=0)
        some = np.maximum(count, 1)
        mean = np.sum(block, axis=0, dtype=np.float64, where=observed) / some
        squares = np.sum(np.square(block - mean), axis=0, where=observed)
        total = self.count + count
        share = count / np.maximum(total, 1)
        shift = mean - self.mean
        self.squares += squares + np.square(shift) * self.count * share
        self.mean += shift * share
        self.count = total
        self.low = np.fmin(self.low, np.fmin.reduce(block, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(block, axis=0))

    @property
    def constant(self) -> np.ndarray:
        """(channels,) bool: observed, with one single value."""
        return self.low == self.high

    @property
    def std(self) -> np.ndarray:
        """(channels,) population standard deviation; 1 where constant or never observed."""
        std = np.sqrt(self.squares / np.maximum(self.count, 1))
        return np.where(self.constant | (self.count == 0), 1.0, std)
