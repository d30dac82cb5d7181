"""The surprise band in a training loop of your own: the three lines marked with arrows.

A small network learns to forecast a noisy oscillation. In 3% of the windows the oscillation
breaks off, which uniform sampling shows the network 3% of the time. In the band's own log you
see what it gives them instead, how often, and that it knows the exact probability of each draw.
"""

import torch
from torch import Tensor, nn

from bandpass.curriculum import SurpriseBand

STEPS, BATCH, WINDOWS, PAST, FUTURE = 2000, 64, 8000, 32, 16


def make_windows(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows (WINDOWS, PAST + FUTURE), and which of them break off (WINDOWS,)."""
    time = torch.arange(PAST + FUTURE) / 8
    phase = 6.28 * torch.rand(WINDOWS, 1, generator=generator)
    windows = torch.sin(time + phase)
    broken = torch.rand(WINDOWS, generator=generator) < 0.03
    windows[broken, PAST - 8 :] = -0.5  # visible in the last 8 of the past: it can be learned
    return windows + 0.1 * torch.randn(windows.shape, generator=generator), broken


def main() -> None:
    """Train, and say what the slots were spent on."""
    generator = torch.Generator().manual_seed(0)
    windows, broken = make_windows(generator)
    torch.manual_seed(0)  # the network's initial weights
    model = nn.Sequential(nn.Linear(PAST, 64), nn.GELU(), nn.Linear(64, FUTURE))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    band = SurpriseBand(WINDOWS, BATCH, steps=STEPS, seed=0)  # <-- 1: which windows, how long
    slots = 0
    for draw in band:  # <-- 2: a list of 64 ids, with their probabilities in draw.p
        past, future = windows[draw].split([PAST, FUTURE], dim=1)
        losses = (model(past) - future).square().mean(dim=1)  # one per window
        loss = band.step(draw, losses)  # <-- 3: remembers them, gives the scalar to descend
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        slots += int(broken[draw].sum())
        if (draw.number + 1) % 200 == 0:
            share = band.expected_shares(broken.long().numpy())[1]
            print(
                f"step {draw.number + 1:4d}  loss {loss.item():.4f}  lambda {band.lambda_:4.1f}  "
                f"effective sample {band.ess:.0%}  expected share of broken windows {share:.1%}"
            )
    print(
        f"broken windows: {broken.float().mean():.1%} of the data, "
        f"{slots / (STEPS * BATCH):.1%} of the slots, {len(band.quarantine())} quarantined"
    )


if __name__ == "__main__":
    main()
