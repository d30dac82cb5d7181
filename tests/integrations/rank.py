"""One process of the rank tests: ``rank.py CASE RANK WORLD FOLDER [RESUME]``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bandpass.curriculum import BandSettings, Draw, SurpriseBand
from bandpass.curriculum.distributed import abandon, gather_rows
from bandpass.integrations import draw_loader

N, BATCH, STEPS, HALF = 300, 16, 60, 33


def rows() -> Tensor:
    values = torch.randn(N, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values[::40] *= 4
    return values


def losses_of(draw: Draw) -> Tensor:
    """Losses that depend on window and draw alone; one window is always NaN."""
    ids = torch.tensor(draw)
    losses = rows()[ids].square().mean(dim=1) * (1 + 0.1 * torch.sin(ids + 3.0 * draw.number))
    losses[ids == 7] = torch.nan
    return losses


def follow(rank: int, world: int, folder: Path, resume: Path | None) -> Any:
    """Draws from 0 to HALF, or on from a state; two loader workers prefetch."""
    band = SurpriseBand(N, BATCH, steps=STEPS, seed=3, rank=rank, world=world)
    if resume:
        band.load_state_dict(torch.load(resume, weights_only=True)["state"])
    seen, kept = [], []
    for batch, draw in draw_loader(rows(), band, num_workers=2):
        embeddings = torch.stack([batch.sum(dim=1), batch.prod(dim=1)], dim=1)
        kept.append(band.step(draw, losses_of(draw), embeddings).item())
        seen.append((draw.number, list(draw), torch.tensor(draw.p)))
        if not resume and draw.number + 1 == HALF:
            break
    return {"seen": seen, "losses": kept, "state": band.state_dict()}


def gradient(rank: int, world: int, folder: Path, resume: Path | None) -> Any:
    """Gradients of a model over a few steps with importance weights, averaged by DDP."""
    settings = BandSettings(beta=1.0, warm_up=0.1)
    band = SurpriseBand(N, BATCH, steps=STEPS, seed=3, settings=settings, rank=rank, world=world)
    net: nn.Module = nn.Linear(4, 4).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.3)
    model = DistributedDataParallel(net) if world > 1 else net
    every, spread = [], []
    for batch, draw in draw_loader(rows(), band):
        losses = (model(batch) - batch).square().mean(dim=1)
        net.zero_grad()
        band.step(draw, losses).backward()
        every.append([parameter.grad.clone() for parameter in net.parameters()])
        spread.append(draw.p.max() / draw.p.min())
    return {"gradients": every, "spread": [float(ratio) for ratio in spread]}


def exchange(rank: int, world: int, folder: Path, resume: Path | None) -> Any:
    """What gather_rows gives, and what it says to wrong rows on one rank."""
    slots = torch.arange(10.0 * world, dtype=torch.float64).view(-1, 2)  # (5 world, 2)
    slots[1] = torch.nan
    result: dict[str, Any] = {"rows": gather_rows(slots[rank::world], rank, world)}
    mine = slots[rank::world]
    odd = rank == world - 1
    cases: dict[str, Callable[[], object]] = {
        "short": lambda: gather_rows(mine[odd:], rank, world),
        "wide": lambda: gather_rows(mine[:, int(odd) :], rank, world),
        "float": lambda: gather_rows(mine.float() if odd else mine, rank, world),
        "key": lambda: gather_rows(mine, rank, world, key=4 + odd),
        "abandon": lambda: abandon(world) if odd else gather_rows(mine, rank, world, key=4),
        "rank": lambda: gather_rows(mine, (rank + 1) % world, world),
    }
    for name, case in cases.items():
        try:
            case()
            result[name] = "nothing"
        except (ValueError, RuntimeError) as error:
            result[name] = f"{type(error).__name__}: {error}"
    return result


def main(case: str, rank: int, world: int, folder: Path, resume: Path | None) -> None:
    torch.set_num_threads(1)
    if world > 1:
        meeting = f"file://{folder}/meeting-{case}-{world}{resume.stem if resume else ''}"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    cases = {"follow": follow, "gradient": gradient, "exchange": exchange}
    result = cases[case](rank, world, folder, resume)
    name = f"{case}-{rank}-of-{world}" + (f"-after-{resume.stem}" if resume else "")
    torch.save(result, folder / f"{name}.pt")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        Path(sys.argv[4]),
        Path(sys.argv[5]) if len(sys.argv) > 5 else None,
    )
