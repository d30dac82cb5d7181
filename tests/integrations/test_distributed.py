"""Real processes over gloo: ranks share a draw, agree on the state, and may be more or fewer."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).with_name("rank.py")
BATCH, STEPS, HALF = 16, 60, 33


def run(case: str, world: int, folder: Path, resume: Path | None = None) -> list[Any]:
    """What each rank of a world found."""
    rest = [str(folder), *([str(resume)] if resume else [])]
    ranks = [
        subprocess.Popen([sys.executable, SCRIPT, case, str(rank), str(world), *rest])
        for rank in range(world)
    ]
    assert [rank.wait(timeout=280) for rank in ranks] == [0] * world
    after = f"-after-{resume.stem}" if resume else ""
    names = [f"{case}-{rank}-of-{world}{after}.pt" for rank in range(world)]
    return [torch.load(folder / name) for name in names]


def whole(found: list[Any]) -> list[tuple[int, list[int], list[float]]]:
    """The global draws, put together from the ranks' shares."""
    draws = []
    for shares in zip(*(rank["seen"] for rank in found), strict=True):
        assert len({number for number, _, _ in shares}) == 1
        ids, p = [0] * BATCH, [0.0] * BATCH
        for rank, (_, part, probability) in enumerate(shares):
            assert len(part) == BATCH // len(found)
            ids[rank :: len(found)] = part
            p[rank :: len(found)] = probability.tolist()
        draws.append((shares[0][0], ids, p))
    return draws


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One rank throughout: the folder, and what it drew before and after the stop."""
    folder = tmp_path_factory.mktemp("alone")
    first = run("follow", 1, folder)
    second = run("follow", 1, folder, folder / "follow-0-of-1.pt")
    return first, second


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (4, 2)])
def test_any_world_resumes_any_other_as_if_alone(alone, exact, tmp_path, before, after):
    first = run("follow", before, tmp_path)
    assert whole(first) == whole(alone[0])
    for rank in first:
        assert exact(rank["state"]) == exact(alone[0][0]["state"])
    second = run("follow", after, tmp_path, tmp_path / f"follow-{before - 1}-of-{before}.pt")
    assert whole(second) == whole(alone[1])
    assert [number for number, _, _ in whole(first) + whole(second)] == list(range(STEPS))
    for rank in second:
        assert exact(rank["state"]) == exact(alone[1][0]["state"])
    for found, expected in ((first, alone[0]), (second, alone[1])):
        mean = torch.tensor([rank["losses"] for rank in found]).mean(dim=0)
        torch.testing.assert_close(mean, torch.tensor(expected[0]["losses"]))


@pytest.mark.slow
def test_averaged_gradient_is_that_of_one_process(tmp_path):
    """With importance weights, which every rank must scale by the same sum."""
    expected = run("gradient", 1, tmp_path)[0]
    assert max(expected["spread"]) > 3, "the band is on, so that weights differ"
    for rank in run("gradient", 2, tmp_path):
        for found, gradient in zip(rank["gradients"], expected["gradients"], strict=True):
            torch.testing.assert_close(found, gradient, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("world", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_rows_come_in_the_order_of_slots_and_wrong_ones_raise_everywhere(tmp_path, world):
    found = run("exchange", world, tmp_path)
    expected = torch.arange(10.0 * world, dtype=torch.float64).view(-1, 2)
    expected[1] = torch.nan
    last = world - 1
    for rank, result in enumerate(found):
        torch.testing.assert_close(result["rows"], expected, equal_nan=True, rtol=0, atol=0)
        assert "ValueError: all ranks must give rows of one shape and one draw" in result["short"]
        assert "got rank 0: 5 x 2 of draw 0" in result["short"]
        assert f"rank {last}: 4 x 2 of draw 0" in result["short"]
        assert f"rank {last}: 5 x 1 of draw 0" in result["wide"]
        assert f"rank {last}: 5 x 2 of draw 5" in result["key"]
        if rank == last:
            assert "rows must be (b, k) float64, got (5, 2) torch.float32" in result["float"]
            assert result["abandon"] == "nothing"
        else:
            assert f"draw 0: ranks [{last}] failed at this step" in result["float"]
            assert f"draw 4: ranks [{last}] failed at this step" in result["abandon"]
        assert f"the process group says ({rank}, {world})" in result["rank"]
