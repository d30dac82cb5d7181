"""The surprise band in a Hugging Face Trainer, with a tiny transformer trained from scratch.

Needs `pip install 'bandpass[transformers]'`.
"""

import warnings
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import BertConfig, BertForMaskedLM, TrainingArguments

from bandpass.curriculum import SurpriseBand
from bandpass.integrations import CurriculumTrainerMixin

warnings.filterwarnings("ignore", module="transformers")

STEPS, BATCH, WINDOWS, LENGTH, CODES = 150, 32, 1000, 24, 16


class Codes(Dataset[dict[str, Tensor]]):
    """Series of codes that count up; in a few they count down. A quarter is to be filled in."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        way = torch.ones(WINDOWS, 1, dtype=torch.long)
        way[::30] = -1
        start = torch.randint(CODES, (WINDOWS, 1), generator=generator)
        self.codes = (start + way * torch.arange(LENGTH)) % CODES
        self.hidden = torch.rand(WINDOWS, LENGTH, generator=generator) < 0.25

    def __len__(self) -> int:
        return WINDOWS

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        codes, hidden = self.codes[index], self.hidden[index]
        return {"input_ids": codes.masked_fill(hidden, CODES), "labels": codes}


class CodeTrainer(CurriculumTrainerMixin):
    """Says what the loss of one window is; the rest is the Trainer's."""

    def compute_per_sample_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor:
        """(B,) cross-entropy."""
        logits = model(input_ids=inputs["input_ids"]).logits
        losses = nn.functional.cross_entropy(logits.mT, inputs["labels"], reduction="none")
        return losses.mean(dim=1)


def main(folder: str) -> None:
    """Train, and say what the slots were spent on."""
    dataset = Codes()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=CODES + 1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LENGTH,
    )
    band = SurpriseBand(WINDOWS, BATCH, steps=STEPS)
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=2e-3,
        logging_steps=50,
        save_steps=50,
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
    )
    trainer = CodeTrainer(BertForMaskedLM(config), arguments, train_dataset=dataset, sampler=band)
    trainer.train()
    down = torch.arange(WINDOWS) % 30 == 0
    scores = torch.from_numpy(band.score(torch.arange(WINDOWS).numpy()))
    print(f"mean log-loss of series that count down {scores[down].nanmean():.2f}, up ", end="")
    print(f"{scores[~down].nanmean():.2f}; {len(band.quarantine())} windows held back")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        main(temporary)
