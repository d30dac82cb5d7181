"""Small replicas trained as one stacked model, against the same replicas trained one by one.

Replicas differ in their seed, as the runs of an ablation do: R times the series recipe at 32
dimensions, 2 blocks and a batch of 32. Stacked, their weights have an axis more
(``torch.func.stack_module_state``, ``functional_call`` under ``vmap``), and one optimiser moves
them all, with clipping and a teacher for each. Both sides take turns on one thread, in processor
time; they start from the same weights and must come to the same losses. Beside it two processes
with half of the replicas each, and one with all, in wall time.

What came out on 2 cores, in three runs with ``--quick`` beside other work (a load of 7 to 10): 1.07
while fused attention was run replica by replica under vmap, then 1.03 and 0.93 with attention as
written here; stacked 28.8 to 31.0, in turn 28.0 to 32.3 ms of processor time per replica-step. The
verdict falls on either side of 1, so no gain was seen that would pay for the code. Wall times were
those of the other work and say nothing of processes. No GPU was there to see.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from bandpass.models import JEPA, MASKS, Mask
from bandpass.recipes import Recipe, build_jepa, find, override
from bandpass.training import adamw
from bandpass.training.passes import step_generator
from bandpass.training.step import BETAS

CLAIM = "speed of stacked replicas relative to replicas in turn, one thread"
CHANNELS = 5
TURN = 4
SMALL = (
    *("encoder.dim=32", "encoder.depth=2", "encoder.mlp=64", "predictor.dim=32"),
    *("predictor.depth=2", "predictor.mlp=64", "batch=32", "device=cpu"),
)

Batch = tuple[Tensor, Tensor, Mask]


def batches(recipe: Recipe, jepa: JEPA) -> Iterator[Batch]:
    """Windows and masks of a replica, a function of its seed."""
    train, length = recipe.train, recipe.windows.length
    generator = torch.Generator().manual_seed(train.seed)
    for step in range(train.steps):
        values = torch.randn(train.batch, length, CHANNELS, generator=generator)
        mask = MASKS[train.masks[0]](
            train.batch, jepa.grid, train.mask_ratio, step_generator(train, step)
        )
        yield values, torch.ones_like(values, dtype=torch.bool), mask


def alone(recipe: Recipe) -> Iterator[float]:
    """Train one replica; yields the loss of every step."""
    jepa, train = build_jepa(recipe, CHANNELS).train(), recipe.train
    optimizer = adamw(jepa, train)
    for values, observed, mask in batches(recipe, jepa):
        loss = jepa(values, observed, mask).prediction.mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(jepa.parameters(), train.clip)
        optimizer.step()
        jepa.target.update(jepa.encoder, train.momentum)
        yield loss.item()


def stacked(recipes: list[Recipe]) -> Iterator[list[float]]:
    """Train replicas as one; yields their losses of every step."""
    replicas, train = [build_jepa(recipe, CHANNELS).train() for recipe in recipes], recipes[0].train
    weights, buffers = stack_module_state(replicas)
    one = replicas[0]
    learnt = {name: weights[name] for name, w in one.named_parameters() if w.requires_grad}
    taught = {name: weights[name] for name, w in one.named_parameters() if not w.requires_grad}
    sizes = {name: w.ndim for name, w in one.named_parameters()}  # without the axis of replicas
    wide = [w for name, w in learnt.items() if sizes[name] > 1]
    narrow = [w for name, w in learnt.items() if sizes[name] <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": wide, "weight_decay": train.weight_decay},
            {"params": narrow, "weight_decay": 0.0},
        ],
        lr=train.lr,
        betas=BETAS,
        fused=True,
    )

    def loss_of(state: dict[str, Tensor], *batch: Tensor) -> Tensor:
        values, observed, context, target = batch
        inputs = (values, observed, Mask(context, target))
        return functional_call(one, state, inputs).prediction.mean()

    for step in zip(*(batches(recipe, one) for recipe in recipes), strict=True):
        values, observed = (torch.stack([batch[part] for batch in step]) for part in (0, 1))
        context = torch.stack([mask.context for _, _, mask in step])
        target = torch.stack([mask.target for _, _, mask in step])
        # Fused attention has no rule for vmap: it would be run once for each replica.
        with sdpa_kernel(SDPBackend.MATH):
            losses = vmap(loss_of)(weights | buffers, values, observed, context, target)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        clip(list(learnt.values()), train.clip)
        optimizer.step()
        with torch.no_grad():
            follow(taught, learnt, train.momentum)
        yield losses.tolist()


def clip(weights: list[Tensor], most: float) -> None:
    """Scale the gradients of every replica to a norm of its own."""
    gradients = [w.grad for w in weights if w.grad is not None]
    norm = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    scale = (most / (norm + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *(1 for _ in gradient.shape[1:])))


def follow(taught: dict[str, Tensor], learnt: dict[str, Tensor], momentum: float) -> None:
    """Move the teachers toward their encoders."""
    fast = [learnt[name.removeprefix("target.")] for name in taught]
    torch._foreach_lerp_(list(taught.values()), fast, 1 - momentum)


def take_turns(recipes: list[Recipe], turns: int) -> tuple[list[float], list[float]]:
    """Seconds per replica-step of the stack and of replicas in turn, a pair for each turn."""
    together, each = stacked(recipes), [alone(recipe) for recipe in recipes]
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        start = time.process_time()
        ours = [next(together) for _ in range(TURN)]
        middle = time.process_time()
        theirs = [[next(replica) for _ in range(TURN)] for replica in each]
        end = time.process_time()
        if turn:  # the first holds what happens once
            found[0].append((middle - start) / TURN / len(recipes))
            found[1].append((end - middle) / TURN / len(recipes))
        torch.testing.assert_close(torch.tensor(ours).T, torch.tensor(theirs), rtol=1e-2, atol=1e-3)
    return found


def in_turn(recipes: list[Recipe], steps: int) -> float:
    """Wall seconds per replica-step of replicas in turn, on one thread of this process."""
    torch.set_num_threads(1)
    each = [alone(recipe) for recipe in recipes]
    for replica in each:
        next(replica)  # the first step holds what happens once
    start = time.perf_counter()
    for _ in range(steps):
        for replica in each:
            next(replica)
    return (time.perf_counter() - start) / steps / len(recipes)


def two_processes(recipes: list[Recipe], steps: int) -> float:
    """Wall seconds per replica-step of two processes that train half of them at the same time."""
    halves = [(recipes[::2], steps), (recipes[1::2], steps)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return max(pool.starmap(in_turn, halves, chunksize=1)) / 2


def main() -> int:
    """Print both sides and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 40 s")
    quick = parser.parse_args().quick
    replicas, turns = (4, 4) if quick else (8, 20)
    torch.set_num_threads(1)
    steps = (turns + 1) * TURN
    base = override(find("series"), [*SMALL, f"steps={steps}"])
    recipes = [replace(base, train=replace(base.train, seed=seed)) for seed in range(replicas)]
    ours, theirs = take_turns(recipes, turns)
    print(
        f"{replicas} replicas, milliseconds per replica-step: stacked {1e3 * median(ours):.2f}, in "
        f"turn {1e3 * median(theirs):.2f} (processor time, medians of {turns} turns)"
    )
    few = turns * TURN // 2
    apart, one = two_processes(recipes, few), in_turn(recipes, few)
    print(f"wall: in turn in 2 processes {1e3 * apart:.2f}, in one {1e3 * one:.2f}")
    # Over pairs of neighbouring turns: what else the machine does weighs on both alike.
    ratio = median(their / our for our, their in zip(ours, theirs, strict=True))
    holds = ratio > 1
    print(f"{CLAIM}: {ratio:.2f} (goal > 1): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
