"""Held-out latent loss of a run beside what it would be without having learnt anything."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bandpass.data import Batch
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.models import JEPA, Output
from bandpass.models.encoder import take
from bandpass.recipes import build_jepa, build_windows
from bandpass.runs.run import Run, RunError
from bandpass.runs.schedule.variance import Cloud, Variance
from bandpass.scoring import frozen
from bandpass.training.passes import forward

MOST = 6400
"""Windows at most, of each side, unless batches are asked for."""

BATCH = 32
"""As the reference procedure has it; masks are drawn by the batch."""

ALL = "all"
TRAINED, FRESH = "trained", "fresh"
MEAN, POSITION, COLLAPSED = "mean target", "position's mean", "collapsed encoder"
LOSS, MSE = "loss", "mse"
TOTAL, WITHIN = "variance", "variance_within_position"
EXPLAINED, BEYOND = "explained", "explained_beyond_position"

Row = dict[str, object]


def held_out_losses(run: Run, batches: int = 0) -> list[Row]:
    """Measure a run on the windows that its recipe holds out; nothing is retrained.

    The trained model and a fresh one of the same recipe are each asked for their own targets,
    under the masks of training, drawn from the seed of the recipe. The other predictors answer for
    the trained model's targets at the very same hidden positions: the mean of all target tokens of
    the training windows; that mean for each position in each dataset; and an encoder that sees
    nothing, whose targets are what their position says, so that its loss is 0.

    A variance is a mean over hidden tokens and dimensions. ``explained`` is 1 - mse / variance;
    ``explained_beyond_position`` takes for variance what is left about the mean of each position in
    each dataset. Both come from squared errors, whatever the recipe trains
    on.

    Args:
        run: A run on a schedule store.
        batches: Of 32 windows drawn at the seed; 100 is the reference procedure. 0 takes all
            held-out windows, or ``MOST`` drawn from them.

    Returns:
        Rows (what, dataset, metric, value). ``dataset`` is ``ALL`` or a name; besides the losses of
        each of ``what`` there are the ranks of the targets, of trained and fresh.

    Raises:
        RunError: If the recipe predicts no latents.
    """
    if not run.recipe.model.latent:
        raise RunError(f"{run.path} predicts no latents, so it has no latent loss to compare")
    store = run.open_store()
    test = build_windows(run.recipe, store, "test")
    train = build_windows(run.recipe, store, "train")
    if not isinstance(test, ScheduleWindows) or not isinstance(train, ScheduleWindows):
        raise RunError(f"{run.path} is no run on schedules: {store.path} holds series")
    jepa = run.load_jepa(store)
    fresh = build_jepa(run.recipe, store.shape).eval().to(jepa.device)
    means = mean_targets(jepa, train, _chosen(train, 0, run.recipe.train.seed))
    ids = _chosen(test, batches, run.recipe.train.seed)
    found = _Losses(store.entity_names, means, jepa)
    with torch.no_grad():
        for step, batch in enumerate(_batches(test, ids)):
            models = {TRAINED: jepa, FRESH: fresh}
            outputs = {
                what: forward(model, batch, run.recipe.train, step)
                for what, model in models.items()
            }
            found.add(test.entities(batch.draw), outputs)
    blind = _collapsed_loss(jepa, test[ids[:BATCH]])
    return [*found.rows(), _row(COLLAPSED, ALL, LOSS, blind)]


def measure(rows: list[Row], what: str, metric: str, dataset: str = ALL) -> float:
    """Return one number of `held_out_losses`; NaN where it was not measured."""
    key = (what, metric, dataset)
    found = (r["value"] for r in rows if (r["what"], r["metric"], r["dataset"]) == key)
    value = next(found, float("nan"))
    return value if isinstance(value, float) else float("nan")


@torch.no_grad()
def mean_targets(jepa: JEPA, windows: ScheduleWindows, ids: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean target of some windows: (dim) of all, (datasets, tokens, dim) of each position.

    Of a dataset that has no window there, the latter is that over all datasets.
    """
    datasets = len(windows.store.entity_names)
    width = jepa.settings.encoder.dim
    total = torch.zeros(datasets, jepa.tokens, width, dtype=torch.float64)
    for batch in frozen.batches(windows, ids):
        of = torch.from_numpy(windows.entities(batch.draw))
        total.index_add_(0, of, _targets(jepa, batch).double().cpu())
    count = torch.from_numpy(np.bincount(windows.entities(ids), minlength=datasets))
    means = total / count.clamp(min=1)[:, None, None]
    means[count == 0] = whole = total.sum(dim=0) / len(ids)
    return whole.mean(dim=0).float().to(jepa.device), means.float().to(jepa.device)


class _Losses:
    """Sums of errors by dataset, and what the targets were."""

    def __init__(self, names: list[str], means: tuple[Tensor, Tensor], jepa: JEPA) -> None:
        self.names, self.distance = names, jepa.distance
        self.mean, self.means = means
        self.count = np.zeros(len(names))
        self.sums: dict[tuple[str, str], np.ndarray] = {}
        size = tuple(self.means.shape)
        self.targets = {what: Variance.empty(*size) for what in (TRAINED, FRESH)}
        self.clouds = {what: Cloud() for what in (TRAINED, FRESH)}

    def add(self, dataset: np.ndarray, outputs: dict[str, Output]) -> None:
        """Take in what both models made of one batch; (B,) dataset of its windows."""
        np.add.at(self.count, dataset, 1)
        for what, output in outputs.items():
            tokens, hidden = output.normal.float().cpu().numpy(), output.mask.target.cpu().numpy()
            self.targets[what].add(dataset, tokens, hidden)
            self.clouds[what].add(dataset, tokens)
            assert output.foreseen is not None  # a recipe without latents is refused
            self._err(what, dataset, output.foreseen.float(), output.wanted.float())
        trained = outputs[TRAINED]
        wanted, places = trained.wanted.float(), self.means[torch.from_numpy(dataset)]
        self._err(POSITION, dataset, take(places, trained.mask.target), wanted)
        self._err(MEAN, dataset, self.mean.expand_as(wanted), wanted)

    def _err(self, what: str, dataset: np.ndarray, said: Tensor, wanted: Tensor) -> None:
        errors = {LOSS: self.distance(said, wanted), MSE: (said - wanted).square().mean(dim=2)}
        for metric, each in errors.items():
            sums = self.sums.setdefault((what, metric), np.zeros(len(self.names)))
            np.add.at(sums, dataset, each.mean(dim=1).double().cpu().numpy())

    def rows(self) -> list[Row]:
        """All measures: over everything, then of each dataset that has windows here."""
        found: list[Row] = []
        present = np.flatnonzero(self.count)
        groups = {ALL: present} | {self.names[k]: np.array([k]) for k in present}
        for name, which in groups.items():
            values = {
                key: float(sums[which].sum() / self.count[which].sum())
                for key, sums in self.sums.items()
            }
            values |= {("windows", "count"): float(self.count[which].sum())}
            for what, variance in self.targets.items():
                values |= _explained(what, values[what, MSE], variance, which)
                cloud = self.clouds[what]
                shape = cloud.shape() if name == ALL else cloud.of_dataset(int(which[0]))
                values |= {(what, metric): value for metric, value in shape.items()}
            found += [_row(what, name, metric, value) for (what, metric), value in values.items()]
        return found


def _explained(
    what: str, mse: float, variance: Variance, which: np.ndarray
) -> dict[tuple[str, str], float]:
    total, within = variance.total(which), variance.within(which)
    parts = {EXPLAINED: total, BEYOND: within}
    shares = {name: 1 - mse / part if part > 0 else float("nan") for name, part in parts.items()}
    found = {TOTAL: total, WITHIN: within} | shares
    return {(what, metric): value for metric, value in found.items()}


def _row(what: str, dataset: str, metric: str, value: float) -> Row:
    return {"what": what, "dataset": dataset, "metric": metric, "value": value}


@torch.no_grad()
def _targets(jepa: JEPA, batch: Batch) -> Tensor:
    seen = batch.to(jepa.device)
    return jepa.target.normalise(jepa.target(jepa.encoder, seen.values, seen.observed)).float()


def _collapsed_loss(jepa: JEPA, batch: Batch) -> float:
    """What the loss is once no token sees its slots: predicted is what its position says."""
    blind = copy.deepcopy(jepa)
    for name, weight in blind.named_parameters():
        if name.endswith("encoder.embed.weight"):  # of the encoder, and of its teacher
            weight.data.zero_()
    targets = _targets(blind, batch)
    return float(blind.distance(targets[:1].expand_as(targets), targets).mean())


def _chosen(windows: ScheduleWindows, batches: int, seed: int) -> np.ndarray:
    """In random order: a batch has one seed for its masks, and shall not be one dataset."""
    count = BATCH * batches or min(len(windows), MOST)
    generator = np.random.default_rng([seed, count])
    return generator.choice(len(windows), count, replace=count > len(windows))


def _batches(windows: ScheduleWindows, ids: np.ndarray) -> Iterator[Batch]:
    for start in range(0, len(ids), BATCH):
        yield windows[ids[start : start + BATCH]]
