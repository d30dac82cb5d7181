"""Real runs of the Hugging Face Trainer."""

from itertools import islice

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import TrainingArguments

from bandpass.integrations import CurriculumTrainerMixin

STEPS = 60

# Warnings of other people's code: we watch what it does, not how it was written.
pytestmark = pytest.mark.filterwarnings("ignore")


class Named(Dataset):
    """Rows under the names of a model's arguments."""

    def __init__(self, rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"rows": self.rows[index], "labels": torch.tensor(0)}


class Model(nn.Module):
    """Takes any keyword, so the Trainer believes that its loss is scaled for accumulation."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows, labels=None, **kwargs):
        losses = self.net(rows)
        return {"loss": losses.mean(), "losses": losses}


class MyTrainer(CurriculumTrainerMixin):
    def compute_per_sample_loss(self, model, inputs):
        assert set(inputs) == {"rows", "labels"}
        return model(**inputs)["losses"]


class Watched(MyTrainer):
    seen: list

    def compute_loss(self, model, inputs, *args, **kwargs):
        if model.training:
            draw = inputs["draw"]
            self.seen.append((draw.number, list(draw), draw.p.tolist()))
        return super().compute_loss(model, inputs, *args, **kwargs)


def arguments(folder, **options) -> TrainingArguments:
    quiet = {"report_to": [], "disable_tqdm": True, "use_cpu": True, "dataloader_pin_memory": False}
    sizes = {"per_device_train_batch_size": 8, "num_train_epochs": 1, "learning_rate": 1e-2}
    saves = {"save_strategy": "steps", "save_steps": 5, "logging_steps": 5}
    return TrainingArguments(str(folder), **(quiet | sizes | saves | options))


@pytest.fixture
def build(make_band, rows, copier, tmp_path):
    """Build anew, as a process that starts does."""

    def make(cls=Watched, folder=tmp_path, band=None, dataset=None, **options):
        dataset = dataset or Named(rows)
        loop = cls(
            Model(copier()),
            arguments(folder, **options),
            train_dataset=dataset,
            eval_dataset=dataset,
            sampler=band or make_band(),
        )
        loop.seen = []
        return loop

    return make


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, 35),
        ({"gradient_accumulation_steps": 3}, 10),
        ({"gradient_accumulation_steps": 7}, 5),  # 60 is no multiple: a short last step
        ({"max_steps": 40}, 15),
        ({"eval_strategy": "steps", "eval_steps": 8}, 25),
    ],
)
def test_resumed_run_is_the_uninterrupted_one(build, exact, tmp_path, workers, options, at):
    options = options | {"dataloader_num_workers": workers}
    whole = build(folder=tmp_path / "a", **options)
    whole.train()
    drawn = 40 if "max_steps" in options else 60
    assert [number for number, _, _ in whole.seen] == list(range(drawn))
    again = build(folder=tmp_path / "b", **options)
    again.train(resume_from_checkpoint=str(tmp_path / "a" / f"checkpoint-{at}"))
    assert again.seen == whole.seen[at * options.get("gradient_accumulation_steps", 1) :]
    assert again.state.global_step == whole.state.global_step
    assert torch.equal(again.model.net.layer.weight, whole.model.net.layer.weight)
    assert exact(again.sampler.state_dict()) == exact(whole.sampler.state_dict())


def test_resumes_from_the_newest_checkpoint(build):
    whole = build()
    whole.train()
    stopped = build(folder=whole.args.output_dir + "/b", max_steps=20)
    stopped.train()
    again = build(folder=whole.args.output_dir + "/b", lr_scheduler_type="constant")
    again.train(resume_from_checkpoint=True)
    assert [number for number, _, _ in again.seen] == list(range(20, 60))


def test_gradients_are_those_of_the_mean_over_all_accumulated_batches(build, make_band, copier):
    """The Trainer must divide by the batches, though the model takes keywords of any name."""
    loop = build(gradient_accumulation_steps=3, max_steps=1, optim="sgd", max_grad_norm=0)
    before = loop.model.net.layer.weight.detach().clone()
    loop.train()
    band, net, rows = make_band(), copier(), loop.train_dataset.rows
    draws = list(islice(band, 3))  # as the Trainer takes them, all before the first loss
    loss = torch.stack([band.step(draw, net(rows[list(draw)])) for draw in draws]).mean()
    loss.backward()
    moved = (before - loop.model.net.layer.weight) / 1e-2
    torch.testing.assert_close(moved, net.layer.weight.grad, rtol=1e-4, atol=1e-4)


def test_figures_are_logged_and_evaluation_is_left_alone(build):
    loop = build(max_steps=40)
    loop.train()
    logged = [row for row in loop.state.log_history if "loss" in row]
    assert all("curriculum/ess" in row and "curriculum/quarantined" in row for row in logged)
    assert max(row["curriculum/lambda"] for row in logged) > 0
    losses = loop.model(loop.train_dataset.rows[list(range(300))])["losses"]
    assert loop.evaluate()["eval_loss"] == pytest.approx(losses.mean().item(), rel=1e-5)


def test_a_replaced_sampler_is_caught(build):
    class Plain(Watched):
        def get_train_dataloader(self):
            return DataLoader(self.train_dataset, batch_size=8)

    loop = build(Plain)
    with pytest.raises(RuntimeError, match="from BatchSampler: leave get_train_dataloader"):
        loop.train()
    assert loop.seen == []


def test_accelerate_on_one_process_keeps_the_sampler(build):
    class Prepared(Watched):
        def get_train_dataloader(self):
            return self.accelerator.prepare(super().get_train_dataloader())

    loop = build(Prepared)
    loop.train()
    assert [number for number, _, _ in loop.seen] == list(range(60))


def test_accelerate_on_two_processes_would_deal_out_whole_batches(build):
    from accelerate.data_loader import prepare_data_loader

    class Sharded(Watched):
        def get_train_dataloader(self):
            return prepare_data_loader(
                super().get_train_dataloader(), num_processes=2, process_index=0
            )

    with pytest.raises(RuntimeError, match="from BatchSamplerShard"):
        build(Sharded).train()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"num_train_epochs": 3}, "180 steps of 1 batches, the sampler was made for 60"),
        ({"max_steps": 61}, "61 steps of 1 batches"),
        ({"max_steps": 31, "gradient_accumulation_steps": 2}, "31 steps of 2 batches"),
        ({"per_device_train_batch_size": 4}, "draws 8 windows a step, the trainer counts 4"),
    ],
)
def test_a_run_that_does_not_fit_the_sampler_is_refused(build, options, text):
    with pytest.raises(RuntimeError, match=text):
        build(**options).train()


def test_a_resume_that_would_lose_draws_is_refused(build, tmp_path):
    build(max_steps=10).train()
    with pytest.raises(RuntimeError, match=r"at step 10 of 2 batches, the sampler at batch 10"):
        build(gradient_accumulation_steps=2).train(resume_from_checkpoint=True)


def test_a_resume_that_skips_nothing_goes_on_too(build):
    build(max_steps=20).train()
    again = build(ignore_data_skip=True)
    again.train(resume_from_checkpoint=True)
    assert [number for number, _, _ in again.seen] == list(range(20, 60))


def test_a_sampler_of_another_rank_is_refused(build, make_band):
    with pytest.raises(RuntimeError, match="this is rank 0 of 1, the sampler was made for rank 1"):
        build(band=make_band(rank=1, world=2)).train()


def test_a_checkpoint_without_the_sampler_is_refused(build, tmp_path):
    build(max_steps=5).train()
    (tmp_path / "checkpoint-5" / "curriculum.pt").unlink()
    with pytest.raises(FileNotFoundError, match="saved without the curriculum, or cut short"):
        build().train(resume_from_checkpoint=True)


def test_a_stream_is_refused_with_the_way_out(build, stream):
    with pytest.raises(TypeError, match=r"Stream is an IterableDataset.*CandidatePool"):
        build(dataset=stream, max_steps=5).train()


def test_the_loss_of_a_window_must_be_defined(build):
    with pytest.raises(NotImplementedError, match="must define compute_per_sample_loss"):
        build(CurriculumTrainerMixin).train()
