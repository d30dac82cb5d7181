"""The loader of (batch, draw): plain datasets, torchdata, and what is refused."""

import copy
import subprocess
import sys

import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from bandpass.curriculum import Uniform
from bandpass.integrations import draw_loader

STEPS = 60

# torchdata 0.11 calls a function of torch that is deprecated since.
pytestmark = pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")


def follow(band, loader, net, stop: int = STEPS) -> list[tuple[int, list[int], list[float]]]:
    """Train until `stop` draws are settled; what was seen."""
    seen = []
    for batch, draw in loader:
        assert torch.equal(batch, loader.dataset.dataset[list(draw)])
        loss = band.step(draw, net(batch))
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= 0.01 * parameter.grad
                parameter.grad = None
        seen.append((draw.number, list(draw), draw.p.tolist()))
        if draw.number + 1 == stop:
            break
    return seen


@pytest.mark.parametrize("loader", [DataLoader, StatefulDataLoader])
@pytest.mark.parametrize("workers", [0, 2])
def test_resumes_mid_epoch_as_if_never_stopped(make_band, rows, copier, exact, loader, workers):
    def build():
        band = make_band()
        return band, draw_loader(rows, band, loader=loader, num_workers=workers), copier()

    whole = build()
    expected = follow(*whole)
    assert len(expected) == STEPS
    band, first, net = build()
    begun = follow(band, first, net, stop=33)
    saved = copy.deepcopy((band.state_dict(), net.state_dict()))
    snapshot = first.state_dict() if loader is StatefulDataLoader else None
    band, second, net = build()
    band.load_state_dict(saved[0])
    net.load_state_dict(saved[1])
    if loader is StatefulDataLoader:
        second.load_state_dict(snapshot)
    assert begun + follow(band, second, net) == expected
    assert exact(band.state_dict()) == exact(whole[0].state_dict())


def test_torchdata_alone_would_draw_batches_again(make_band, rows):
    """Why the loader must come from draw_loader: a snapshot at dispatch is older than the losses.

    Should this fail, torchdata has mended it, and `Draws` may let it have the sampler's state.
    """

    class Echo(type(rows)):
        def __getitems__(self, draw):
            return draw

    def stop_at(band, loader, stop):
        numbers = []
        for draw in loader:
            band.step(draw, torch.ones(8))
            numbers.append(draw.number)
            if len(numbers) == stop:
                break
        return numbers

    def build():
        band = make_band()
        return band, StatefulDataLoader(
            Echo(), batch_sampler=band, num_workers=2, collate_fn=lambda draw: draw
        )

    band, loader = build()
    begun = stop_at(band, loader, 33)
    state = loader.state_dict()
    band, loader = build()
    loader.load_state_dict(state)
    assert set(begun) & set(stop_at(band, loader, STEPS))


def test_dataset_that_fetches_batches_is_asked_for_the_draw(make_band, rows):
    class Whole(type(rows)):
        def __getitems__(self, draw):
            return self[list(draw)], draw.number

    loader = draw_loader(Whole(), make_band(), collate_fn=lambda fetched: fetched)
    (batch, number), draw = next(iter(loader))
    assert number == draw.number == 0
    assert torch.equal(batch, rows[list(draw)])


def test_length_is_that_of_the_whole_run(make_band, rows):
    band = make_band()
    loader = draw_loader(rows, band)
    for _, draw in loader:
        band.step(draw, torch.ones(8))
        if draw.number == 20:
            break
    assert (len(loader), len(band)) == (STEPS, STEPS - 21)


def test_other_policies_go_in_too(rows):
    uniform = Uniform(300, 8, steps=5)
    assert [draw.number for _, draw in draw_loader(rows, uniform)] == [0, 1, 2, 3, 4]


def test_draw_survives_what_loops_do_to_batches(make_band):
    draw = next(iter(make_band()))
    assert draw.to("cpu", non_blocking=True) is draw
    again = copy.copy(draw)  # as pinning does
    assert (again, again.number) == (draw, draw.number)


def test_stream_is_refused_with_the_way_out(make_band, stream):
    with pytest.raises(TypeError, match=r"Stream is an IterableDataset.*CandidatePool"):
        draw_loader(stream, make_band())


def test_snapshots_that_would_skip_draws_are_refused(make_band, rows):
    with pytest.raises(ValueError, match="snapshot_every_n_steps is 5"):
        draw_loader(rows, make_band(), loader=StatefulDataLoader, snapshot_every_n_steps=5)


def test_losing_the_draw_raises_at_the_first_step():
    code = """
import torch
from bandpass.curriculum import SurpriseBand
band = SurpriseBand(20, 8, steps=5)
for batch in torch.utils.data.DataLoader(torch.arange(20.0), batch_sampler=band):
    band.step(batch, batch)
"""  # in a process of its own: here a type checker would be faster
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "TypeError: step() needs the Draw that the sampler yielded, got Tensor" in run.stderr
    assert "draw_loader" in run.stderr


def test_importing_loads_no_trainer_and_a_missing_one_is_named():
    code = """
import sys
for name in ("lightning", "lightning.pytorch", "transformers", "accelerate", "torchdata"):
    sys.modules[name] = None  # as if it were not installed
import bandpass.integrations as here
here.draw_loader
for name in ("CurriculumCallback", "CurriculumTrainerMixin"):
    try:
        getattr(here, name)
    except ImportError as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = run.stdout.splitlines()
    assert "pip install 'bandpass[lightning]'" in first
    assert "pip install 'bandpass[transformers]'" in second
