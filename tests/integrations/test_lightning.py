"""Real Lightning runs."""

import logging

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from bandpass.integrations import CurriculumCallback, draw_loader

STEPS = 60

# Warnings of other people's code: we watch what it does, not how it was written.
pytestmark = pytest.mark.filterwarnings("ignore")


class Module(LightningModule):
    def __init__(self, net, band) -> None:
        super().__init__()
        self.net, self.band, self.seen = net, band, []

    def training_step(self, batch, index):
        rows, draw = batch
        self.seen.append((draw.number, list(draw), draw.p.tolist()))
        return self.band.step(draw, self.net(rows))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


def trainer(band, *callbacks, **options) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    options = {"max_epochs": 1, "enable_checkpointing": bool(callbacks), **quiet, **options}
    return Trainer(accelerator="cpu", callbacks=[CurriculumCallback(band), *callbacks], **options)


@pytest.fixture
def fit(make_band, rows, copier):
    """Fit anew, as a process that starts does."""

    def run(folder, workers=0, resume=None, **options):
        band = make_band()
        module = Module(copier(), band)
        every = ModelCheckpoint(folder, every_n_train_steps=5, save_top_k=-1, filename="{step}")
        loop = trainer(band, every, **options)
        loop.fit(module, draw_loader(rows, band, num_workers=workers), ckpt_path=resume)
        return module, loop

    return run


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, 35),
        ({"limit_train_batches": 20, "max_epochs": 3}, 25),  # in the second epoch
        ({"limit_train_batches": 20, "max_epochs": 3}, 20),  # between the first two
        ({"accumulate_grad_batches": 2}, 10),
        ({"max_epochs": -1, "max_steps": 40}, 15),
    ],
)
def test_resumed_run_is_the_uninterrupted_one(fit, exact, tmp_path, workers, options, at):
    whole, _ = fit(tmp_path / "a", workers, **options)
    expected = whole.seen
    assert [number for number, _, _ in expected] == list(
        range(40 if "max_steps" in options else 60)
    )
    again, _ = fit(tmp_path / "b", workers, resume=tmp_path / "a" / f"step={at}.ckpt", **options)
    done = at * options.get("accumulate_grad_batches", 1)
    assert again.seen == expected[done:]
    assert torch.equal(again.net.layer.weight, whole.net.layer.weight)
    assert exact(again.band.state_dict()) == exact(whole.band.state_dict())


def test_figures_are_logged(fit, tmp_path):
    module, loop = fit(tmp_path, limit_train_batches=30)
    logged = loop.callback_metrics
    assert logged["curriculum/lambda"].item() == pytest.approx(module.band.lambda_)
    assert logged["curriculum/lambda"] > 0
    assert 0 < logged["curriculum/ess"] <= 1
    assert logged["curriculum/quarantined"] >= 0


def test_a_replaced_sampler_is_caught(make_band, rows, copier):
    """Lightning itself swaps the sampler here, with a warning and nothing else."""
    band = make_band()
    module = Module(copier(), band)
    loader = draw_loader(rows, band)
    with pytest.raises(RuntimeError, match=r"from BatchSampler: .*use_distributed_sampler=False"):
        trainer(band, overfit_batches=5).fit(module, DataLoader(rows, batch_size=8))
    with pytest.raises(RuntimeError, match="does not draw from the curriculum's sampler"):
        trainer(make_band()).fit(module, loader)  # a callback that guards another sampler
    assert module.seen == []


def test_a_run_longer_than_the_sampler_is_refused(make_band, rows, copier):
    for options in ({"max_epochs": 2}, {"max_epochs": -1, "max_steps": 61}, {"max_epochs": -1}):
        band = make_band()
        with pytest.raises(RuntimeError, match="made for 60 steps, the whole run"):
            trainer(band, **options).fit(Module(copier(), band), draw_loader(rows, band))


def test_a_sampler_of_another_rank_is_refused(make_band, rows, copier):
    band = make_band(rank=1, world=2)
    with pytest.raises(RuntimeError, match="this is rank 0 of 1, the sampler was made for rank 1"):
        trainer(band).fit(Module(copier(), band), draw_loader(rows, band))


def test_forgetting_to_step_raises_at_the_first_batch(make_band, rows, copier):
    class Forgetful(Module):
        def training_step(self, batch, index):
            return self.net(batch[0]).mean()

    band = make_band()
    with pytest.raises(RuntimeError, match="did not step the sampler"):
        trainer(band).fit(Forgetful(copier(), band), draw_loader(rows, band))
    assert len(band) == STEPS
