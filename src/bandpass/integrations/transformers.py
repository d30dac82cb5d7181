"""The curriculum in a Hugging Face `Trainer`."""

import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import TrainOutput, get_last_checkpoint

from bandpass.curriculum import Draw
from bandpass.integrations.loader import Curriculum, Draws, WithDraw, check_world, figures

DRAW, STATE = "draw", "curriculum.pt"


class CurriculumTrainerMixin(Trainer):
    """A `Trainer` whose training batches are drawn by a sampler of `bandpass.curriculum`.

    Inherit from it, before another Trainer if need be, and say what a window's loss is::

        class MyTrainer(CurriculumTrainerMixin):
            def compute_per_sample_loss(self, model, inputs):
                return losses_of(model(**inputs))  # (B,)

        MyTrainer(model, args, train_dataset=dataset, sampler=sampler).train()

    The sampler's steps are the batches of the whole run, so its epoch is the run. Its state is
    saved as `curriculum.pt` in every checkpoint folder. On a resume the sampler continues by
    itself, and the batches that the Trainer then skips are empty ones: no draw is lost. The loader
    is not handed to accelerate, which would deal whole batches out to the ranks.

    Args:
        args: Positional ones of the Trainer.
        sampler: Draws the training batches; its `batch_size` counts all ranks.
        kwargs: Of the Trainer.
    """

    loss_is_scaled_for_ga: bool | None = False  # a mean over one batch, whatever is accumulated

    def __init__(self, *args: Any, sampler: Curriculum, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sampler = sampler
        self.add_callback(_Guard(sampler))

    def compute_per_sample_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor:
        """(B,) non-negative losses of a batch, in the graph; yours to write."""
        raise NotImplementedError(f"{type(self).__name__} must define compute_per_sample_loss")

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches as the data collator makes them, with the draw under "draw"."""
        if self.train_dataset is None:
            raise ValueError("training needs a train_dataset")
        done = self.sampler.steps - len(self.sampler)
        return DataLoader(
            WithDraw(self.train_dataset, self.data_collator),
            batch_sampler=Draws(self.sampler, skipped=0 if self.args.ignore_data_skip else done),
            collate_fn=_merge,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Step the sampler with the batch's losses; in evaluation the Trainer's own loss."""
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        draw = inputs.pop(DRAW)
        return self.sampler.step(draw, self.compute_per_sample_loss(model, inputs))

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        """Train; a resume continues the sampler too.

        Raises:
            FileNotFoundError: The checkpoint has no sampler state.
            RuntimeError: The loader does not draw from the sampler, or the run is longer.
        """
        folder = resume_from_checkpoint
        if folder is True:
            folder = get_last_checkpoint(cast(str, self.args.output_dir))
        if folder:
            self.sampler.load_state_dict(_load(Path(str(folder))))
        return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log the sampler's figures beside the loss."""
        super().log(logs | figures(self.sampler) if "loss" in logs else logs, *args, **kwargs)

    def _prepare_input(self, data: Any) -> Any:
        return data if isinstance(data, Draw) else super()._prepare_input(data)


class _Guard(TrainerCallback):
    """Checks at the start of a run that the sampler is in it, and saves it."""

    def __init__(self, sampler: Curriculum) -> None:
        self.sampler = sampler

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: Iterable[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        check_world(self.sampler, args.process_index, args.world_size)
        found = getattr(train_dataloader, "batch_sampler", None)
        if not (isinstance(found, Draws) and found.curriculum is self.sampler):
            raise RuntimeError(
                "the training loader does not draw from the curriculum's sampler but from "
                f"{type(found).__name__}: leave get_train_dataloader as CurriculumTrainerMixin has "
                "it, and do not give its loader to accelerator.prepare"
            )
        batch = args.train_batch_size * args.world_size
        if batch != self.sampler.batch_size:
            raise RuntimeError(
                f"the sampler draws {self.sampler.batch_size} windows a step, the trainer counts "
                f"{batch}: set per_device_train_batch_size times devices to the former"
            )
        accumulated = args.gradient_accumulation_steps
        done = self.sampler.steps - len(self.sampler)
        if done not in (state.global_step * accumulated, self.sampler.steps):
            raise RuntimeError(
                f"the trainer is at step {state.global_step} of {accumulated} batches, the sampler "
                f"at batch {done}: make both anew, and resume with the gradient_accumulation_steps "
                "of the first run"
            )
        if (state.max_steps - 1) * accumulated >= self.sampler.steps:
            raise RuntimeError(
                f"the trainer is set to run {state.max_steps} steps of {accumulated} batches, the "
                f"sampler was made for {self.sampler.steps} batches, the whole run: set "
                "num_train_epochs=1 or max_steps"
            )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if args.should_save:
            folder = Path(cast(str, args.output_dir)) / f"checkpoint-{state.global_step}"
            _save(self.sampler.state_dict(), folder)


def _merge(fetched: Any) -> MutableMapping[str, Any]:
    batch, draw = fetched
    batch[DRAW] = draw
    return batch


def _save(state: dict[str, Any], folder: Path) -> None:
    """Whole or absent: written aside, synced, renamed."""
    partial = folder / f".{STATE}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / STATE)


def _load(folder: Path) -> dict[str, Any]:
    if not (folder / STATE).is_file():
        raise FileNotFoundError(
            f"{folder} has no {STATE}: it was saved without the curriculum, or cut short; resume "
            "from an older checkpoint"
        )
    return torch.load(folder / STATE, map_location="cpu", weights_only=True)
