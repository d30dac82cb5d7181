"""What ranks tell each other: the per-window results of a global batch, and nothing else."""

import torch
import torch.distributed as dist
from torch import Tensor


def gather_rows(
    rows: Tensor,
    rank: int,
    world: int,
    group: dist.ProcessGroup | None = None,
    *,
    key: int = 0,
) -> Tensor:
    """Collect the rows of all ranks in the order of the global batch's slots.

    Rank r holds slots r, r + world, r + 2 world, ... Every rank must call this or `abandon`, and
    every rank gets the same result. Shapes and keys are exchanged before contents, so a rank with
    wrong rows makes all of them raise instead of leaving the others waiting.

    Args:
        rows: (b, k) float64, of this rank's slots, on any device; outside the graph.
        rank: This process, in 0 .. world - 1.
        world: Number of processes.
        group: Whose ranks they are; the default group if None.
        key: What the rows are of, a draw's number, say: alike on all ranks.

    Returns:
        (B, k) float64 on the device of `rows`, B = b world.

    Raises:
        ValueError: Rows or keys of the ranks differ, or `rank` and `world` are not the group's.
        RuntimeError: Another rank gave up.
    """
    if world == 1:
        return rows
    found = (dist.get_rank(group), dist.get_world_size(group))
    if found != (rank, world):
        raise ValueError(f"rank {rank} of {world} was stated, the process group says {found}")
    device = _device(group)
    good = rows.ndim == 2 and rows.dtype == torch.float64
    every = _announce([*rows.shape, key] if good else _WRONG, world, group)
    if not good:
        raise ValueError(f"rows must be (b, k) float64, got {tuple(rows.shape)} {rows.dtype}")
    failed = [other for other, said in enumerate(every) if said == _WRONG]
    if failed:
        raise RuntimeError(f"draw {key}: ranks {failed} failed at this step, see their own errors")
    if any(said != every[0] for said in every):
        listed = "; ".join(f"rank {r}: {b} x {k} of draw {n}" for r, (b, k, n) in enumerate(every))
        raise ValueError(f"all ranks must give rows of one shape and one draw, got {listed}")
    local = rows.detach().to(device).contiguous()
    gathered = [torch.empty_like(local) for _ in range(world)]
    dist.all_gather(gathered, local, group=group)
    return torch.stack(gathered, dim=1).flatten(0, 1).to(rows.device)


def abandon(world: int, group: dist.ProcessGroup | None = None) -> None:
    """Take part in `gather_rows` with nothing to give: the other ranks raise, none waits."""
    if world > 1:
        _announce(_WRONG, world, group)


_WRONG = [-1, -1, -1]


def _device(group: dist.ProcessGroup | None) -> torch.device:
    """NCCL moves only what lies on this process's GPU, gloo what lies on the CPU."""
    if dist.get_backend(group) == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _announce(said: list[int], world: int, group: dist.ProcessGroup | None) -> list[list[int]]:
    mine = torch.tensor(said, device=_device(group))
    every = [torch.empty_like(mine) for _ in range(world)]
    dist.all_gather(every, mine, group=group)
    return [other.tolist() for other in every]
