"""One process of the two-rank test: ``rank.py (0 | 1 | single) SPLIT FOLDER``.

Rank 0 holds the first SPLIT of 24 samples, rank 1 the rest, ``single`` the first SPLIT alone.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from bandpass.losses import sigreg

# enough for several chunks, whose boundaries must agree although the ranks differ in samples
DIRECTIONS = 6000


def main(name: str, split: int, folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(24, 6, generator=generator)
    model = torch.nn.Linear(6, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    local = samples[split:] if name == "1" else samples[:split]
    group = None
    encoder: torch.nn.Module = model
    if name != "single":
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/meeting", rank=int(name), world_size=2
        )
        group = dist.group.WORLD
        encoder = DistributedDataParallel(model)
    directions = torch.Generator().manual_seed(7)
    loss = sigreg(encoder(local), directions=DIRECTIONS, generator=directions, group=group)
    loss.backward()
    gradient = {key: value.grad for key, value in model.named_parameters()}
    torch.save({"loss": loss.detach(), "gradient": gradient}, folder / f"{name}.pt")
    if group is not None:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
