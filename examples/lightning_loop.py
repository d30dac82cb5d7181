"""The surprise band in a Lightning Trainer, stopped half-way and resumed.

Needs `pip install 'bandpass[lightning]'`.
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from bandpass.curriculum import Draw, SurpriseBand
from bandpass.integrations import CurriculumCallback, draw_loader

warnings.filterwarnings("ignore", module="lightning")

STEPS, BATCH, WINDOWS, PAST, FUTURE = 600, 64, 4000, 32, 16


class Forecaster(LightningModule):
    """Forecasts the end of a window from its start."""

    def __init__(self, band: SurpriseBand) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(PAST, 64), nn.GELU(), nn.Linear(64, FUTURE))
        self.band = band

    # pyrefly: ignore[bad-override] (Lightning leaves the arguments open)
    def training_step(self, batch: tuple[list[Tensor], Draw], index: int) -> Tensor:
        """One loss a window, then the band makes a scalar of them."""
        (windows,), draw = batch
        past, future = windows.split([PAST, FUTURE], dim=1)
        losses = (self.net(past) - future).square().mean(dim=1)
        return self.band.step(draw, losses)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW at 1e-3."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def main(folder: Path) -> None:
    """Train to the end, then once more from the checkpoint in the middle."""
    generator = torch.Generator().manual_seed(0)
    phase = 6.28 * torch.rand(WINDOWS, 1, generator=generator)
    windows = torch.sin(torch.arange(PAST + FUTURE) / 8 + phase)
    windows[::30, PAST - 8 :] = -0.5  # in a few the oscillation breaks off
    for resume in (None, folder / f"step={STEPS // 2}.ckpt"):
        band = SurpriseBand(WINDOWS, BATCH, steps=STEPS)
        every = ModelCheckpoint(
            folder, every_n_train_steps=STEPS // 2, filename="{step}", save_top_k=-1
        )
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            callbacks=[CurriculumCallback(band), every],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        module = Forecaster(band)
        trainer.fit(module, draw_loader(TensorDataset(windows), band), ckpt_path=resume)
        total = sum(float(parameter.detach().sum()) for parameter in module.parameters())
        print(f"from {resume.name if resume else 'the start'}: weights sum up to {total:.9f}")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        main(Path(temporary))
