"""What a grid consists of."""

import pickle
from dataclasses import replace

import pytest

from bandpass.bench.arms import ARMS, ROLES, find_arm
from bandpass.bench.cost import Price
from bandpass.bench.grid import ordered, plan, recipe_hash, unpaid
from bandpass.recipes import find, override

from .grid_script import TOY

BASE = override(find("plant"), ["steps=1000"])
SEEDS = (100, 101)
NAMES = (*ROLES, "rs2", "hard-only")


def price(flops, seconds):
    return Price(flops=flops, seconds=seconds)


@pytest.fixture
def prices():
    dear = {"band": price(200.0, 0.0125), "shuffled": price(200.0, 0.0125)}
    return {name: price(100.0, 0.01) for name in ARMS} | dear


@pytest.fixture
def planned(prices, tmp_path):
    arms = [find_arm(name) for name in NAMES]
    return plan(TOY, arms, SEEDS, prices, BASE, tmp_path)


def of(cells, arm, seed=100):
    mine = [cell for cell in cells if (cell.arm, cell.seed) == (arm, seed)]
    return {cell.budgets: cell.steps for cell in mine}


def test_uniform_has_the_steps_of_the_recipe_and_others_what_they_can_pay(planned):
    assert of(planned, "uniform") == {("flops", "time"): 1000, ("half",): 500}
    assert of(planned, "band") == {("flops",): 500, ("time",): 800, ("half",): 250}
    assert of(planned, "oracle") == {("flops", "time"): 1000}


def test_no_cell_spends_more_than_its_budget_but_for_rounding(planned, prices):
    for cell in planned:
        spent = {"flops": cell.flops / (1000 * 100.0), "time": cell.seconds / (1000 * 0.01)}
        spent["half"] = 2 * spent["flops"]
        assert all(spent[budget] <= 1.01 for budget in cell.budgets), str(cell)


def test_a_cell_is_whole_and_can_be_sent_to_another_process(planned):
    for cell in planned:
        assert (cell.recipe.train.seed, cell.recipe.train.steps) == (cell.seed, cell.steps)
        assert cell.recipe.policy == find_arm(cell.arm).recipe(BASE).policy
        again = pickle.loads(pickle.dumps(cell))
        assert (again, again.key) == (cell, cell.key)
    assert len({cell.path for cell in planned}) == len({cell.key for cell in planned})
    assert len({str(cell) for cell in planned}) == len(planned)


def test_whole_seeds_of_the_arms_that_verdicts_rest_on_come_first(planned):
    head = [(cell.seed, cell.arm) for cell in planned]
    roles = [pair for pair in head if pair[1] in ROLES]
    assert head[: len(roles)] == roles
    assert [seed for seed, _ in roles] == sorted(seed for seed, _ in roles)
    assert {arm for seed, arm in roles if seed == 100} == set(ROLES)
    others = head[len(roles) :]
    assert [seed for seed, _ in others] == sorted(seed for seed, _ in others)


def test_several_benchmarks_take_turns_seed_by_seed(planned):
    twin = replace(TOY, name="twin", seeds=(7, 8))
    theirs = [replace(cell, benchmark=twin, seed=cell.seed - 93) for cell in planned]
    mixed = ordered([*planned, *theirs])
    first = [cell for cell in mixed if cell.arm in ROLES and cell.seed in (7, 100)]
    assert mixed[: len(first)] == first
    assert {cell.benchmark.name for cell in first} == {"toy", "twin"}


def test_a_budget_that_does_not_pay_for_the_start_is_left_out_and_said(prices, tmp_path):
    dear, arms = prices | {"band": price(2e5, 0.01)}, [find_arm("band")]
    cells = plan(TOY, arms, SEEDS, dear, BASE, tmp_path)
    told = list(unpaid(TOY, arms, dear, BASE.train.steps))
    assert {budget for cell in cells for budget in cell.budgets} == {"time"}
    assert ["flops" in told[0], "half" in told[1]] == [True, True]
    assert len(told) == 2


@pytest.mark.parametrize("change", ["seed=5", "steps=5", "device=cuda"])
def test_the_hash_of_a_recipe_leaves_out_what_the_table_says_anyway(change):
    assert recipe_hash(override(BASE, [change])) == recipe_hash(BASE)
    assert recipe_hash(replace(BASE, name="another")) == recipe_hash(BASE)


def test_the_hash_of_a_recipe_tells_everything_else_apart():
    changes = ["lr=0.1", "policy=uniform", "windows.length=64", "band.floor=0.5", "draw_seed=1"]
    hashes = {recipe_hash(override(BASE, [change])) for change in changes}
    assert len(hashes | {recipe_hash(BASE)}) == len(changes) + 1
    assert all(len(each) == 12 and int(each, 16) >= 0 for each in hashes)
