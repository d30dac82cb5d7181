"""Two questions that the bench does not ask of series: time to failure, and retrieval.

    python experiments/series_readouts.py WORK 71 72 73 74 75

makes a plant of 40 series in WORK and trains uniform and the gated band on it with every seed.
Then, of the frozen encoder, the untrained one and six statistics a channel:

- time to failure: ridge regression, fitted on the training half, of the rows that are left until
  the failure, over windows of the test half that end in a build-up which becomes one;
- retrieval: do the nearest windows of other series lie in the same regime?

Prints means over seeds and the paired differences to the untrained encoder.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bandpass.data import Store, StoreError, Windows, open_store, prepare
from bandpass.data.sources import SOURCES
from bandpass.evaluation import fit_ridge, paired_difference, r2
from bandpass.evaluation.retrieval import Items, retrieval
from bandpass.models import JEPA
from bandpass.recipes import build_jepa, find, override
from bandpass.runs import train
from bandpass.scoring import frozen
from bandpass.training import checkpoint

ARMS = {
    "uniform": ("policy=uniform",),
    "band": ("policy=surprise-band", "gate=true", "rescore_every=8"),
}
Embed = Callable[[Windows, np.ndarray], np.ndarray]

ASKED = 1500
"""Windows that retrieval is asked of at most, as many of each regime as there are."""


def until_failure(store: Store) -> np.ndarray:
    """(rows,) rows until the failure that a build-up ends in; NaN elsewhere."""
    regime = store.column("regime")
    build_up, failure = (store.regimes.index(name) for name in ("build-up", "failure"))
    left = np.full(len(regime), np.nan)
    ends = np.flatnonzero((regime[:-1] == build_up) & (regime[1:] == failure))
    for end in ends:
        row = end
        while row >= 0 and regime[row] == build_up:
            left[row] = end + 1 - row
            row -= 1
    return left


def balanced(codes: np.ndarray, seed: int) -> np.ndarray:
    """Rows of at most ``ASKED`` windows, the frequent codes thinned most."""
    generator = np.random.default_rng(seed)
    share = ASKED // len(np.unique(codes))
    of_code = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return np.sort(np.concatenate([generator.permutation(rows)[:share] for rows in of_code]))


class Questions:
    """What every encoder is asked."""

    def __init__(self, store: Store, length: int) -> None:
        left = until_failure(store)
        self.sides: list[tuple[Windows, np.ndarray, np.ndarray]] = []
        for split in ("train", "test"):
            windows = Windows(store, length, 8, split)
            rows = left[windows.places() + length - 1]
            ids = np.flatnonzero(np.isfinite(rows))
            self.sides.append((windows, ids, rows[ids]))
        self.test = self.sides[1][0]
        self.regimes = self.test.classes()["regime"][0]
        self.asked = balanced(self.regimes, 0)

    def __call__(self, embed: Embed) -> dict[str, float]:
        """Answers of one encoder."""
        (fit, known, rows), (test, asked, truth) = self.sides
        guess = fit_ridge(embed(fit, known), rows[:, None]).predict(embed(test, asked))
        found = r2(guess.clip(rows.min(), rows.max()), truth[:, None], seed=0, resamples=2)[0]
        series = self.test.locate(self.asked)[0]
        items = Items(embed(self.test, self.asked), self.regimes[self.asked], series)
        near = retrieval(items, items, seed=0, resamples=2)
        return {"time to failure, r2": found.value} | {
            f"retrieval, {name}": each.value for name, each in near.items()
        }


def main() -> None:
    """Train what is missing, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("work", type=Path, help="folder for the store and the runs")
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    try:
        store = open_store(given.work / "plant")
    except StoreError:
        options = {"series": 40, "rows": 12_000, "corrupt": 0.05}
        store = prepare(SOURCES["plant"], Path(), given.work / "plant", **options)
    recipe = override(find("plant"), [f"steps={given.steps}", "length=64", "stride=16"])
    questions = Questions(store, recipe.windows.length)
    (_, known, _), (_, asked, _) = questions.sides
    print(f"{len(known)} windows before a failure to fit on, {len(asked)} to answer for")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in given.seeds:
        answers = {"six statistics": questions(frozen.raw_windows)}
        for arm, changes in ARMS.items():
            own = override(recipe, [*changes, f"seed={seed}"])
            jepa = build_jepa(own, store.shape).eval()
            answers.setdefault("untrained", questions(_embedding(jepa)))
            path = given.work / f"{arm}-{seed}"
            if not train(own, store, path, with_control=False):
                raise SystemExit("stopped; the same command continues")
            newest = checkpoint.latest(path)
            assert newest is not None
            jepa.load_state_dict(checkpoint.load_weights(newest))
            answers[arm] = questions(_embedding(jepa))
        for encoder, values in answers.items():
            for name, value in values.items():
                found[encoder, name].append(value)
        print("seed", seed, answers, flush=True)
    for (encoder, name), values in found.items():
        other = paired_difference(np.array(values), np.array(found["untrained", name]))
        print(
            f"{name}: {encoder} {np.mean(values):.3f}, to untrained {other.mean:+.3f} "
            f"(95% {other.t_low:+.3f} to {other.t_high:+.3f}, n {other.count})"
        )


def _embedding(jepa: JEPA) -> Embed:
    return lambda windows, ids: frozen.embed_windows(jepa, windows, ids)


if __name__ == "__main__":
    main()
