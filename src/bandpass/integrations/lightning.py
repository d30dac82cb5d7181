"""The curriculum in a Lightning `Trainer`."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils._pytree import tree_leaves

from bandpass.integrations.loader import Curriculum, Draws, check_world, figures


class CurriculumCallback(Callback):
    """Guards, saves and logs the sampler of a Lightning run.

    The module calls `sampler.step` itself, the loader comes from `draw_loader`::

        def training_step(self, batch, index):
            windows, draw = batch
            return self.sampler.step(draw, self.losses(windows))

        loader = draw_loader(dataset, sampler, num_workers=2)
        trainer = Trainer(max_epochs=1, callbacks=[CurriculumCallback(sampler)])
        trainer.fit(module, loader)

    The sampler's steps are the batches of the whole run: one epoch, or several that
    `limit_train_batches` cuts from it. Its state goes into every checkpoint; a run resumed with
    `ckpt_path`, from a sampler and a loader made as the first time, continues draw for draw.
    Logged are `curriculum/lambda`, `curriculum/ess` and `curriculum/quarantined`.

    Args:
        sampler: The one that the training loader was made with.

    Raises:
        RuntimeError: While fitting: the loader does not draw from the sampler, the run would need
            more batches than it has, or `training_step` did not step it.
    """

    def __init__(self, sampler: Curriculum) -> None:
        self.sampler = sampler
        self._left = 0

    def state_dict(self) -> dict[str, Any]:
        """The sampler's, draws in flight included."""
        return self.sampler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the sampler; Lightning calls this before it makes an iterator."""
        self.sampler.load_state_dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a run that is longer than the sampler's, or draws from anything else."""
        check_world(self.sampler, trainer.global_rank, trainer.world_size)
        self._check_loader(trainer)
        wanted = _batches(trainer)
        if wanted > self.sampler.steps:
            raise RuntimeError(
                f"the trainer is set to run {wanted} batches, the sampler was made for "
                f"{self.sampler.steps} steps, the whole run: set Trainer(max_epochs=1), or make "
                "the sampler with as many steps"
            )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check again, for a trainer that reloads its loaders."""
        self._check_loader(trainer)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember how many draws await their losses."""
        self._left = len(self.sampler)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Check that the batch was stepped, and log."""
        if len(self.sampler) == self._left:
            raise RuntimeError(
                "training_step did not step the sampler: let it return sampler.step(draw, losses)"
            )
        pl_module.log_dict(figures(self.sampler))

    def _check_loader(self, trainer: Trainer) -> None:
        samplers = [
            getattr(x, "batch_sampler", None) for x in tree_leaves(trainer.train_dataloader)
        ]
        if not any(isinstance(s, Draws) and s.curriculum is self.sampler for s in samplers):
            names = ", ".join(type(s).__name__ for s in samplers)
            raise RuntimeError(
                "the training loader does not draw from the curriculum's sampler but from "
                f"{names}: make it with bandpass.integrations.draw_loader, and if it was, keep "
                "Lightning from replacing it: Trainer(use_distributed_sampler=False), no "
                "overfit_batches"
            )


def _batches(trainer: Trainer) -> float:
    """Batches that a trainer is set to run in all; infinite if nothing bounds them."""
    epoch, accumulated = trainer.num_training_batches, trainer.accumulate_grad_batches
    bounds = [math.inf]
    if trainer.max_epochs not in (None, -1):
        bounds.append(trainer.max_epochs * epoch)
    if trainer.max_steps != -1:
        epochs, steps = divmod(trainer.max_steps, math.ceil(epoch / accumulated))
        bounds.append(epochs * epoch + min(steps * accumulated, epoch))
    return min(bounds)
