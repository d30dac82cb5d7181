import dataclasses

import numpy as np
import pytest

from bandpass.bench.compare import compare
from bandpass.bench.judgement import judge, training
from bandpass.bench.overall import over_benchmarks, target_compute
from bandpass.bench.telling import lines, together, told
from bandpass.bench.verdict import verdict
from bandpass.evaluation import equal_arms, paired_difference, rejection_rate
from bandpass.evaluation.words import plain, probability, signed

from .made_up import BENCHMARK, CLEAR, GOOD_ORACLE, NONE, SEEDS, table

SCREEN = BENCHMARK.screen


def one(arms, **options):
    """The verdict on the arm that is no role."""
    rows = table(GOOD_ORACLE | arms, **options)
    (found,) = [v for v in verdict(rows, BENCHMARK, "flops") if v.arm != "shuffled"]
    return found


def test_numbers_of_a_comparison_by_hand():
    plus = np.array([3, 1, 2, 4, 3, 2, 1, 4]) / 100  # all positive: p = 2 / 256
    rows = table({"band": {"rare": plus - np.roll(NONE, len("band")), "corrupt": -CLEAR}})
    rare, normal, corrupt = compare(rows, BENCHMARK, "band", "uniform", "flops", SEEDS)
    assert (rare.role, normal.role, corrupt.role) == ("rare", "normal", "corrupt")
    assert rare.mean - rare.other == pytest.approx(rare.difference)
    assert rare.difference == pytest.approx(plus.mean())
    assert (rare.p, corrupt.p) == (2 / 256, 2 / 256)
    assert rare.p_holm == corrupt.p_holm == pytest.approx(6 / 256)
    assert (rare.outcome, normal.outcome, corrupt.outcome) == ("better", "", "better")
    assert rare.low < rare.difference < rare.high
    assert normal.retention.holds
    assert normal.retention.margin == 0.02
    assert rare.retention is corrupt.retention is None
    # Noise of NONE: standard deviation sqrt(20 / 7) / 1000; 1.468 of it at alpha .05 / 3, n 8.
    assert normal.mde == pytest.approx(1.468 * (20 / 7) ** 0.5 / 1000, rel=1e-3)
    # Standard deviation sqrt(10 / 7) / 100, t(.975, 7) = 2.365: half an interval is .00999.
    assert rare.figures == "+.025 (+.015 to +.035, n 8)"
    assert normal.sentence == (
        "normal: band - uniform +.000 (-.001 to +.001, n 8), p 1.000, after Holm p 1.000: "
        "no difference found, it finds .002."
    )


@pytest.mark.parametrize(
    ("untrained", "said"),
    [
        (-CLEAR, "Training adds to the untrained model: +.05"),
        (CLEAR, "Training takes from the untrained model: -.05"),
        (0.0, "That training adds to the untrained model is not shown: "),
    ],
)
def test_what_training_adds_is_said_beside_the_oracle(untrained, said):
    rows = table(GOOD_ORACLE | {"random-init": {"rare": untrained}})
    sentence = training(rows, BENCHMARK, "flops")
    assert sentence.startswith(said)
    assert lines(rows, BENCHMARK, [])[:2] == [judge(rows, BENCHMARK, "flops").sentence, sentence]
    assert told(rows, BENCHMARK).sentences[1] == sentence
    assert training(table(GOOD_ORACLE), BENCHMARK, "flops") == ""


def test_less_is_better_for_corruption_only():
    rows = table({"band": dict.fromkeys(("rare", "normal", "corrupt"), CLEAR)})
    found = compare(rows, BENCHMARK, "band", "uniform", "flops", SEEDS)
    assert [each.outcome for each in found] == ["better", "better", "worse"]


def test_only_pairs_of_this_benchmark_version_and_budget_count():
    rows = table({"band": {"rare": CLEAR}})
    expected = compare(rows, BENCHMARK, "band", "uniform", "flops", SEEDS)
    strange = table({"band": {"rare": -9.0}})
    strangers = [
        *(r | {"version": 1} for r in strange),
        *(r | {"benchmark": "other"} for r in strange),
        *(r | {"budgets": "time"} for r in strange),
        *(r | {"seed": r["seed"] + 500} for r in strange),
    ]
    assert compare([*strangers, *rows], BENCHMARK, "band", "uniform", "flops", SEEDS) == expected
    spoilt = [r | {"value": float("nan")} if _is(r, "band", 101) else r for r in rows]
    missing = [r for r in spoilt if not _is(r, "uniform", 103)]
    rare = compare(missing, BENCHMARK, "band", "uniform", "flops", SEEDS)[0]
    assert (rare.n, rare.asked) == (6, 8)
    assert "n 6 of 8)" in rare.figures
    assert rare.mean - rare.other == pytest.approx(rare.difference)


def _is(row, arm, seed):
    return (row["arm"], row["seed"]) == (arm, seed)


def test_a_metric_without_pairs_is_not_in_the_family():
    rows = [r for r in table({"band": {"rare": CLEAR}}) if r["task"] != "slots"]
    rare, _, corrupt = compare(rows, BENCHMARK, "band", "uniform", "flops", SEEDS)
    assert rare.p_holm == pytest.approx(2 * 2 / 256)
    assert np.isnan([corrupt.mean, corrupt.difference, corrupt.p, corrupt.p_holm]).all()
    assert (corrupt.n, corrupt.outcome, corrupt.figures) == (0, "", "unknown (n 0)")


def test_compared_arms_are_tested_as_the_simulation_tests_them():
    tables = equal_arms((40, 8, 3), seed=5) / 100
    found = 0
    for drawn in tables:
        rows = [r for r in table({}) if r["arm"] == "uniform"]
        again = [r | {"arm": "again"} for r in rows]
        for place, r in enumerate(again):
            r["value"] += drawn[place // 3, place % 3]
        compared = compare([*rows, *again], BENCHMARK, "again", "uniform", "flops", SEEDS)
        found += any(each.outcome for each in compared)
        assert compared[0].p == paired_difference(drawn[:, 0], np.zeros(8)).p
    assert found / 40 == rejection_rate(tables).value


def test_an_oracle_beyond_the_noise_makes_a_judge():
    found = judge(table(GOOD_ORACLE), BENCHMARK, "flops")
    assert found.state == "yes"
    assert found.oracle.p == 2 / 256
    assert found.spread == max(abs(found.again.low), abs(found.again.high))
    assert found.sentence == (
        "toy can judge a sampler: the oracle gains +.050 (+.049 to +.051, n 8), p .008; "
        "two equal arms differ by .000, at most .001."
    )


@pytest.mark.parametrize(
    ("arms", "state", "said"),
    [
        ({"oracle": {}, "uniform-again": {}}, "no", "cannot judge a sampler: the oracle gains"),
        ({"oracle": {"rare": -CLEAR}, "uniform-again": {}}, "no", "changes the rare metric by -"),
        (
            {"oracle": {"rare": CLEAR}, "uniform-again": {"rare": 50 * NONE}},
            *("no", "two equal arms differ by .000, at most .069"),
        ),
        ({"oracle": {"rare": CLEAR}}, "open", "n = 0; the oracle gains +.050"),
        ({"uniform-again": {}}, "open", "is not known to be able to judge"),
    ],
)
def test_a_benchmark_may_be_unable_to_judge(arms, state, said):
    found = judge(table(arms), BENCHMARK, "flops")
    assert found.state == state
    assert said in found.sentence


def test_screening_seeds_make_no_judge_and_are_never_pooled():
    pilot = judge(table(GOOD_ORACLE, SCREEN), BENCHMARK, "flops")
    assert (pilot.state, pilot.oracle.n) == ("open", 3)
    assert "pilot, n = 3; the oracle gains +.0" in pilot.sentence
    both = [*table(GOOD_ORACLE, SCREEN), *table(GOOD_ORACLE, SEEDS[:4])]
    assert judge(both, BENCHMARK, "flops").oracle.n == 4


@pytest.mark.parametrize(
    ("effects", "kind", "said"),
    [
        ({"rare": CLEAR}, "helps", "band helps: rare +.050 ("),
        ({"rare": -CLEAR}, "hurts", "band hurts: rare -.050 ("),
        ({}, "no difference", "band: no difference found, less than .002 could have been missed"),
    ],
)
def test_an_arm_helps_or_hurts_or_neither_is_found(effects, kind, said):
    found = one({"band": effects})
    assert found.kind == kind
    assert found.sentence.startswith(said)
    assert "; retention kept: normal " in found.sentence
    assert "margin .020" in found.sentence
    assert [each.role for each in found.against_uniform] == ["rare", "normal", "corrupt"]


def test_where_the_benchmark_cannot_judge_no_arm_is_judged():
    cannot = one({"oracle": {}, "band": {"rare": CLEAR, "normal": -CLEAR}})
    assert cannot.kind == "not judged"
    assert cannot.retention == "lost"
    assert cannot.sentence.startswith(
        "band is not judged, as toy cannot judge a sampler; rare +.05"
    )
    (unknown,) = verdict(table({"band": {"rare": CLEAR}}), BENCHMARK, "flops")
    assert unknown.kind == "not judged"
    assert "is not known to be able to judge" in unknown.sentence


@pytest.mark.parametrize("n", [1, 3, 5, 6])
def test_too_few_seeds_are_a_pilot_however_large_the_effect(n):
    rows = [*table(GOOD_ORACLE), *(r for r in _of("band", SEEDS[:n]))]
    (found,) = verdict(rows, BENCHMARK, "flops")
    assert found.kind == "pilot"
    assert found.sentence.startswith(f"band: pilot, n = {n}; rare +.5")


def test_seven_seeds_are_enough():
    (found,) = verdict([*table(GOOD_ORACLE), *_of("band", SEEDS[:7])], BENCHMARK, "flops")
    assert (found.kind, found.against_uniform[0].p_holm) == ("helps", 3 * 2 / 128)


def _of(arm, seeds):
    effects = dict.fromkeys(("rare", "normal", "corrupt"), 0.5)
    return [r for r in table({arm: effects}, seeds) if r["arm"] == arm]


def test_screening_is_a_pilot_with_any_number_of_seeds():
    benchmark = dataclasses.replace(BENCHMARK, screen=tuple(range(9)))
    rows = [*table(GOOD_ORACLE), *table({"band": {"rare": CLEAR}}, tuple(range(8)))]
    (found,) = verdict(rows, benchmark, "flops")
    assert (found.kind, found.against_uniform[0].n) == ("pilot", 8)


@pytest.mark.parametrize(
    ("normal", "retention"),
    [(0.0, "kept"), (-0.01, "kept"), (-CLEAR, "lost"), (-0.015 + 20 * NONE, "not shown")],
)
def test_retention_is_said_of_every_arm(normal, retention):
    for rare, kind in ((CLEAR, "helps"), (0.0, "no difference")):
        found = one({"band": {"rare": rare, "normal": normal}})
        assert (found.kind, found.retention) == (kind, retention)
        assert f"retention {retention}: normal" in found.sentence


@pytest.mark.parametrize(
    ("shuffled", "cause", "said"),
    [
        (0.0, "information", "the gain is information"),
        (CLEAR, "re-use", "shuffled scores gain as well, so it is re-use, not information"),
        (50 * NONE + 0.04, "not shown", "that it is information is not shown"),
    ],
)
def test_a_gain_is_held_against_shuffled_scores(shuffled, cause, said):
    found = one({"shuffled": {"rare": shuffled}, "band": {"rare": CLEAR}})
    assert (found.kind, found.cause) == ("helps", cause)
    assert said in found.sentence
    flat = one({"shuffled": {"rare": shuffled}, "band": {}})
    assert "against shuffled scores" in flat.sentence
    assert "information" not in flat.sentence


def test_shuffled_scores_are_judged_too_and_not_against_themselves():
    (found,) = verdict(table(GOOD_ORACLE | {"shuffled": {}}), BENCHMARK, "flops")
    assert (found.arm, found.kind, found.against_shuffled) == ("shuffled", "no difference", [])
    assert "shuffled scores" not in found.sentence
    assert "not compared with shuffled scores" in one({"band": {}}).sentence


def test_half_of_the_budget_is_judged_where_the_full_one_can_judge():
    rows = [*table(GOOD_ORACLE), *table({"band": {"rare": -CLEAR}}, budgets="half")]
    (found,) = verdict(rows, BENCHMARK, "half")
    assert (found.arm, found.budget, found.kind) == ("band", "half", "hurts")
    assert verdict(rows, BENCHMARK, "flops") == []


def test_corruption_is_named_where_it_changes():
    assert "corrupt worse: +.050" in one({"band": {"corrupt": CLEAR}}).sentence
    assert "corrupt better: -.050" in one({"band": {"corrupt": -CLEAR}}).sentence
    assert "corrupt" not in one({"band": {}}).sentence


def half(**effects):
    seeds = effects.pop("seeds", SEEDS)
    rows = [r for r in table({"band": effects}, seeds, "half") if r["arm"] == "band"]
    return target_compute([*rows, *table({}, seeds)], BENCHMARK, "band")


@pytest.mark.parametrize(
    ("effects", "state", "said"),
    [
        ({"rare": 0.01}, "yes", "band reaches uniform's rare figure with 50% of the compute: rare"),
        ({"rare": -0.01}, "no", "band does not reach uniform's rare figure"),
        ({"rare": 0.01, "normal": -CLEAR}, "no", "band loses normal operation with 50% of"),
        ({}, "open", "band is not shown to reach"),
        ({"rare": CLEAR, "seeds": SCREEN}, "open", "pilot, n = 3."),
        ({"rare": CLEAR, "seeds": SEEDS[:5]}, "open", "pilot, n = 5."),
    ],
)
def test_less_compute_reaches_the_figure_or_not(effects, state, said):
    found = half(**effects)
    assert found.state == state
    assert said in found.sentence
    assert found.share == 0.5


def test_less_compute_that_never_ran():
    found = target_compute(table({"band": {}}), BENCHMARK, "band")
    assert found.state == "open"
    assert found.sentence.startswith("band did not run at half")


def test_one_number_over_benchmarks():
    other = dataclasses.replace(BENCHMARK, name="other")
    rows = table({"band": {"rare": CLEAR}})
    rows += [r | {"benchmark": "other"} for r in table({"band": {"rare": 3 * CLEAR}})]
    found = over_benchmarks(rows, [BENCHMARK, other], "band", "uniform", "flops")
    assert found.value == pytest.approx(0.1, abs=0.002)
    assert found.low < 0.1 < found.high
    assert found.count == 16
    fewer = dataclasses.replace(other, seeds=SEEDS[:7])
    assert "1 of 16" in over_benchmarks(rows, [BENCHMARK, fewer], "band", "uniform", "flops").note
    assert np.isnan(over_benchmarks(rows, [], "band", "uniform", "flops").value)


def test_numbers_are_written_short():
    assert [signed(x) for x in (0.03, -0.0042, 1.5, -0.00001, 0.9999)] == [
        *("+.030", "-.004", "+1.500", "+.000", "+1.000")
    ]
    assert [plain(x) for x in (0.0213, 2.0, 10.25)] == [".021", "2.000", "10.250"]
    assert probability(0.0078) == "p .008"
    assert probability(0.0001) == "p < .001"
    assert probability(float("nan")) == "no p"


def test_several_benchmarks_are_said_together_where_their_metrics_are_of_one_scale():
    other = dataclasses.replace(BENCHMARK, name="other")
    rows = table(GOOD_ORACLE | {"band": {"rare": CLEAR}})
    alone = [row | {"benchmark": "other"} for row in table({"band": {"rare": CLEAR}})]
    assert together([*rows, *alone], [BENCHMARK, other], ["band"]) == []  # other cannot judge
    rows += [row | {"benchmark": "other"} for row in rows]
    (line,) = together(rows, [BENCHMARK, other], ["uniform", "band", "random-init"])
    assert line.startswith(f"band over {BENCHMARK.name}, other: interquartile mean")
    assert "+.050 (+" in line
    assert together(rows, [BENCHMARK], ["band"]) == []
    metric = dataclasses.replace(BENCHMARK.rare, metric="recall")
    assert together(rows, [BENCHMARK, dataclasses.replace(other, rare=metric)], ["band"]) == []
