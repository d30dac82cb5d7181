"""How much target tokens vary, in total and about the mean of each position; and their rank."""

from dataclasses import dataclass, field

import numpy as np

from bandpass.evaluation import effective_rank, rankme

MOST_TOKENS = 20_000
EACH = 4
"""Tokens of a window that the rank of tokens is measured on."""


@dataclass(eq=False)
class Variance:
    """Sums over targets, by dataset; variances come out of them.

    Attributes:
        windows: (k,) windows of each dataset.
        mean: (k, tokens, dim) sums over all tokens of the windows.
        count: (k, tokens) times that each position was hidden.
        first: (k, tokens, dim) sums of the hidden tokens.
        second: (k, tokens) sums of the squared lengths of the hidden tokens.
    """

    windows: np.ndarray
    mean: np.ndarray
    count: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def empty(cls, datasets: int, tokens: int, dim: int) -> "Variance":
        """No target yet."""
        shape = (datasets, tokens)
        return cls(
            np.zeros(datasets),
            np.zeros((*shape, dim)),
            np.zeros(shape),
            np.zeros((*shape, dim)),
            np.zeros(shape),
        )

    def add(self, dataset: np.ndarray, tokens: np.ndarray, hidden: np.ndarray) -> None:
        """Take in targets.

        Args:
            dataset: (B,) of each window.
            tokens: (B, tokens, dim) targets.
            hidden: (B, hidden) positions that had to be predicted.
        """
        tokens = tokens.astype(np.float64)
        np.add.at(self.windows, dataset, 1)
        np.add.at(self.mean, dataset, tokens)
        wanted = np.take_along_axis(tokens, hidden[:, :, None], axis=1)
        where = (dataset[:, None], hidden)
        np.add.at(self.count, where, 1)
        np.add.at(self.first, where, wanted)
        np.add.at(self.second, where, (wanted**2).sum(axis=2))

    def total(self, which: np.ndarray) -> float:
        """Mean squared deviation of the hidden tokens of some datasets from their own mean."""
        count, first = self.count[which].sum(), self.first[which].sum(axis=(0, 1))
        if not count:
            return float("nan")
        spread = self.second[which].sum() - (first**2).sum() / count
        return max(float(spread / count / len(first)), 0.0)

    def within(self, which: np.ndarray) -> float:
        """The same from each position's mean in each dataset: knowing the source is no merit."""
        which = which[self.windows[which] > 0]
        count = self.count[which]
        if not count.sum():
            return float("nan")
        mean = self.mean[which] / self.windows[which][:, None, None]
        cross, square = (mean * self.first[which]).sum(), (count * (mean**2).sum(axis=2)).sum()
        spread = self.second[which].sum() - 2 * cross + square
        return max(float(spread / count.sum() / self.mean.shape[2]), 0.0)


@dataclass(eq=False)
class Cloud:
    """Targets that the rank is measured on: pooled over each window, and some of the tokens.

    Attributes:
        pooled: (B, dim) each.
        tokens: (n, dim) each.
        datasets: (B,) each.
    """

    pooled: list[np.ndarray] = field(default_factory=list)
    tokens: list[np.ndarray] = field(default_factory=list)
    datasets: list[np.ndarray] = field(default_factory=list)

    def add(self, dataset: np.ndarray, tokens: np.ndarray) -> None:
        """Take in (B, tokens, dim) targets of windows of these (B,) datasets."""
        self.pooled.append(tokens.mean(axis=1, dtype=np.float64))
        self.datasets.append(dataset)
        if sum(map(len, self.tokens)) < MOST_TOKENS:
            every = np.linspace(0, tokens.shape[1] - 1, EACH).astype(np.int64)
            self.tokens.append(tokens[:, every].reshape(-1, tokens.shape[2]))

    def shape(self) -> dict[str, float]:
        """Ranks, and the share of the variance that one direction holds."""
        pooled, tokens = np.concatenate(self.pooled), np.concatenate(self.tokens)
        spread = np.linalg.svd(pooled - pooled.mean(axis=0), compute_uv=False) ** 2
        return {
            "effective_rank": effective_rank(pooled),
            "rankme": rankme(pooled),
            "effective_rank_tokens": effective_rank(tokens),
            "rankme_tokens": rankme(tokens),
            "top_direction": float(spread[0] / spread.sum()) if spread.sum() > 0 else float("nan"),
        }

    def of_dataset(self, number: int) -> dict[str, float]:
        """Rank and variance of the pooled targets within one dataset."""
        own = np.concatenate(self.pooled)[np.concatenate(self.datasets) == number]
        rank = effective_rank(own) if len(own) > 1 else float("nan")
        return {"effective_rank": rank, "variance_pooled": float(own.var(axis=0).mean())}
