"""The page of an ablation: what it says, what it says is missing, and odd names in it."""

import math
import re
import runpy
from pathlib import Path
from types import SimpleNamespace as Plain

import numpy as np
import pytest

from bandpass.report import ReportError
from bandpass.report.ablation import About, Comparison, Failed, Told, write
from bandpass.report.ablation_cells import MINUS, in_order, number
from bandpass.report.ablation_labels import spread
from bandpass.report.ablation_seeds import reached
from bandpass.report.ablation_tradeoff import front

MADE = runpy.run_path(str(Path(__file__).parent / "made_ablation.py"))
DASH = "\N{EN DASH}"
SECTIONS = [
    *("verdict", "primary", "tradeoff", "cost", "slots", "seeds", "budget", "others", "ran"),
]


def page(
    path: Path,
    table: list[dict],
    bench: Plain | None = None,
    told: Told | None = None,
    about: About | None = None,
) -> str:
    """The page of one benchmark; its verdict follows from the table unless it is given."""
    bench = bench or MADE["benchmark"]()
    told = told or MADE["told"](table, bench)
    arms = tuple(arm for arm in MADE["ARMS"] if any(row["arm"] == arm for row in table))
    prices = {bench.name: MADE["prices"](arms)}
    return write(table, [bench], prices, {bench.name: told}, path / "a.html", about).read_text()


def section(text: str, name: str) -> str:
    """A chapter as plain words, tags and figures out."""
    found = re.search(rf'<section id="{name}".*?</section>', text, flags=re.S)
    assert found is not None
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", found[0], flags=re.S).split())


def row_of(text: str, caption: str, arm: str) -> list[str]:
    """The cells of an arm in the table of that caption."""
    table = re.search(rf"<caption>{re.escape(caption)}</caption>.*?</table>", text, flags=re.S)
    assert table is not None
    for line in re.findall(r"<tr>(.*?)</tr>", table[0], flags=re.S):
        cells = [
            " ".join(re.sub(r"<[^>]*>", " ", cell).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", line, flags=re.S)
        ]
        if cells[0].split()[0] == arm:
            return cells
    raise AssertionError(f"no row of {arm} in {caption}")


@pytest.fixture(scope="module")
def table() -> list[dict]:
    return MADE["rows"]()


@pytest.fixture(scope="module")
def whole(table: list[dict], tmp_path_factory: pytest.TempPathFactory) -> str:
    failed = [Failed("skab", "rs2", 109, 800, "the loss is not finite")]
    about = About("3f2a1bc", "two cores", failed)
    return page(tmp_path_factory.mktemp("whole"), table, about=about)


def test_page_has_all_chapters_in_order_and_every_figure(whole: str) -> None:
    assert re.findall(r'<section id="(\w+)"', whole) == SECTIONS
    assert whole.count("<svg") == 5
    assert not re.search(r"\bnan\b|\binf\b", whole)


def test_the_same_input_gives_the_same_page(table: list[dict], whole: str, tmp_path: Path) -> None:
    failed = [Failed("skab", "rs2", 109, 800, "the loss is not finite")]
    again = page(tmp_path, table[::-1][::-1], about=About("3f2a1bc", "two cores", failed))
    assert again == whole


def test_verdict_and_the_noise_beside_it_come_first(whole: str) -> None:
    told = section(whole, "verdict")
    assert "skab. skab: the oracle beats uniform" in told
    assert "A/A. uniform-again against uniform: rare +0.00" in told
    assert "No difference shown, as it should be." in told
    assert re.findall(r'<li class="(\w+)"', whole)[:2] == ["yes", "yes"]


@pytest.mark.parametrize(
    ("rare", "normal", "outcome"),
    [
        ((0.05, 0.01), (-0.001, 1.0, True), "yes"),
        ((0.05, 0.2), (-0.001, 1.0, True), "open"),
        ((0.05, 0.01), (-0.03, 0.01, False), "no"),
        ((0.05, 0.01), (-0.01, 0.01, True), "yes"),
        ((0.05, 0.01), (-0.01, 0.3, False), "open"),
        ((-0.05, 0.01), (0.0, 1.0, True), "no"),
    ],
)
def test_mark_of_the_verdict_weighs_the_gain_and_what_it_hurt(
    table: list[dict], tmp_path: Path, rare: tuple, normal: tuple, outcome: str
) -> None:
    def each(role: str, difference: float, p: float, kept: bool | None) -> Comparison:
        ends = (difference - 0.01, difference + 0.01)
        figures = (0.5 + difference, 0.5, difference, *ends, p, p, 0.01, 8, 8)
        bound = 0.0 if kept else -1.0
        held = None if kept is None else MADE["retention"](difference, bound, 0.01)
        return Comparison("band", "uniform", "flops", role, *figures, retention=held)

    compared = [each("rare", *rare, None), each("normal", *normal)]
    text = page(tmp_path, table, told=Told(["Says.", "More."], ["flops"], compared))
    assert re.findall(r'<li class="(\w+)"', text)[0] == outcome
    assert "<p>More.</p>" in text
    text = page(tmp_path, table, told=Told(["Says.", "More."], [], compared))
    assert re.findall(r'<li class="(\w+)"', text)[0] == "open"


def test_differences_that_count_are_marked_by_a_word(whole: str) -> None:
    band = row_of(whole, "skab: equal counted FLOPs", "band")
    assert re.fullmatch(r"\+0\.05\d better \[\+0\.0\d+, \+0\.0\d+\], p &lt;0\.001", band[2])
    assert "kept" in band[4]
    assert re.match(rf"{MINUS}3\.\d+ better \[", band[6])  # fewer corrupt slots
    assert band[7] == "8"
    hard = row_of(whole, "skab: equal reference time", "hard-only")
    assert "worse, not kept" in hard[4]
    assert re.match(r"\+1\d\.\d+ worse", hard[6])
    again = row_of(whole, "skab: equal counted FLOPs", "uniform-again")
    assert not re.search("better|worse", " ".join(again))
    assert row_of(whole, "skab: equal counted FLOPs", "uniform")[2] == DASH


def test_comparisons_with_other_controls_are_listed_first_in_words(whole: str) -> None:
    listed = whole.split("All comparisons of skab (")[1].split("</details>")[0]
    assert listed.index("rare: band - shuffled") < listed.index("band - uniform")


def test_row_of_the_noise_is_there_without_its_arm(table: list[dict], tmp_path: Path) -> None:
    text = page(tmp_path, [row for row in table if row["arm"] != "uniform-again"])
    assert "not run" in row_of(text, "skab: equal counted FLOPs", "uniform-again")
    assert "The arm “uniform-again” was not compared" in section(text, "verdict")


def test_noise_that_differs_is_told(table: list[dict], tmp_path: Path) -> None:
    shifted = [
        row | {"value": row["value"] + 0.1 * (row["arm"] == "uniform-again")} for row in table
    ]
    told = section(page(tmp_path, shifted), "verdict")
    assert "do not trust the other comparisons" in told


def test_benchmark_without_an_oracle_says_so(table: list[dict], tmp_path: Path) -> None:
    text = page(tmp_path, [row for row in table if row["arm"] != "oracle"])
    assert "No arm “oracle”." in section(text, "verdict")


def test_one_arm_alone(tmp_path: Path) -> None:
    text = page(tmp_path, MADE["rows"](arms=("rs2",)))
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS
    assert "No arm “uniform”." in section(text, "verdict")
    assert "not compared" in row_of(text, "skab: equal counted FLOPs", "rs2")
    assert "the natural ones are not known" in section(text, "slots")
    assert "the cost of “uniform” was not measured" in section(text, "cost")
    assert "no arm shares a seed with “uniform”" in section(text, "seeds")
    assert "no arm was run at half the budget" in section(text, "budget")


def test_uniform_alone(tmp_path: Path) -> None:
    text = page(tmp_path, MADE["rows"](arms=("uniform",)))
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS
    assert "no arm shares a seed" in section(text, "seeds")


def test_one_seed_has_no_interval_and_the_page_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, MADE["rows"](seeds=(100,)))
    band = row_of(text, "skab: equal counted FLOPs", "band")
    assert "no interval, no p" in band[2]
    assert not re.search("better|worse", band[2])
    assert "that takes two seeds or more" in section(text, "primary")
    assert "rare none" in section(text, "primary")  # no difference could be shown
    assert "Without an interval it says nothing." in section(text, "verdict")
    assert not re.search(r"\bnan\b|\binf\b", text)


def test_values_that_are_not_finite_are_left_out_and_counted(
    table: list[dict], tmp_path: Path
) -> None:
    holes = [dict(row) for row in table]
    for row in holes:
        if (row["arm"], row["seed"], row["task"]) == ("band", 103, "few-shot rare"):
            row["value"] = math.nan
        if (row["arm"], row["task"]) == ("rs2", "health"):
            row["value"] = None
    text = page(
        tmp_path, holes, told=MADE["told"]([r for r in holes if r["value"] is not None], _bench())
    )
    assert "11 of 1," in section(text, "ran")
    assert "values are not finite and are left out" in section(text, "ran")
    assert row_of(text, "skab: equal counted FLOPs", "band")[-1] == "7 to 8"
    rankme = row_of(text, "skab: other metrics by arm", "health,")
    assert rankme.count("n/a") == 1
    assert not re.search(r"\bnan\b", text)


def _bench() -> Plain:
    return MADE["benchmark"]()


def test_without_any_result(tmp_path: Path) -> None:
    text = write([], [_bench()], {}, {}, tmp_path / "a.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS
    assert "skab: no verdict" in section(text, "verdict")
    assert "No cell of this benchmark has a result yet." in section(text, "verdict")
    assert "code of an unknown commit" in section(text, "ran")
    assert "<svg" not in text
    empty = write([], [], {}, {}, tmp_path / "b.html").read_text()
    assert "No benchmark was given" in empty


def test_nothing_at_a_full_budget(table: list[dict], tmp_path: Path) -> None:
    text = page(tmp_path, [row for row in table if row["budgets"] == "half"])
    assert "equal counted FLOPs: no cell of this budget has a result." in text
    assert "no arm has both a rare and a normal figure" in section(text, "tradeoff")
    assert "<svg" in text  # prices are known all the same


def test_figures_are_of_the_time_budget_where_no_other_was_run(
    table: list[dict], tmp_path: Path
) -> None:
    timed = [row | {"budgets": "time"} for row in table if "time" in row["budgets"]]
    assert "At equal reference time." in section(page(tmp_path, timed), "tradeoff")


def test_names_are_escaped_everywhere(table: list[dict], tmp_path: Path) -> None:
    odd = '<b>&"$x_1$\nnew line that goes on and on'
    bench = MADE["benchmark"](title="<i>t</i>")
    renamed = [row | {"arm": odd if row["arm"] == "band" else row["arm"]} for row in table]
    prices = {"skab": MADE["prices"](("uniform",)) | {odd: MADE["prices"]()["band"]}}
    about = About("<c>", "<m>", [Failed("skab", odd, 1, 2, "<script>")])
    told = Told(["<s>"], ["flops"], [])
    out = write(renamed, [bench], prices, {"skab": told}, tmp_path / "a.html", about)
    text = out.read_text()
    assert "&lt;b&gt;&amp;" in text
    assert not re.search(r"<(b>&|i>t|c>|m>|s>|script)", text)


def test_arms_that_were_only_screened_are_marked(table: list[dict], tmp_path: Path) -> None:
    kept = [row for row in table if row["arm"] != "rs2"]
    text = page(tmp_path, kept + MADE["rows"](arms=("rs2", "uniform"), seeds=(0, 1, 2)))
    assert row_of(text, "skab: equal counted FLOPs", "rs2")[0] == "rs2 screening seeds"
    assert row_of(text, "skab: equal counted FLOPs", "uniform")[0] == "uniform control"
    assert "rs2 (screen)" in text
    # Screening seeds do not enter the mean of an arm that has seeds that count.
    assert row_of(text, "skab: equal counted FLOPs", "uniform")[-1] == "8"


def test_what_was_run(whole: str) -> None:
    ran = section(whole, "ran")
    assert "Page written by code 3f2a1bc, on two cores; rows may be of an earlier call." in ran
    assert "1 cell failed in this one." in ran
    assert "the loss is not finite" in ran
    cells = row_of(whole, "Results", "skab")
    # Arms as dear as uniform ran once for both budgets, six others twice, two at half as well.
    assert cells[1] == str(8 * (5 + 7 * 2 + 2))
    assert cells[3:5] == [f"100{DASH}107 of 8", "none of 3"]


def test_rows_of_other_versions_are_left_out_and_told(table: list[dict], tmp_path: Path) -> None:
    old = [row | {"version": 0, "value": 9.0} for row in table[:5]]
    text = page(tmp_path, table + old, told=MADE["told"](table, _bench()))
    assert "5 rows of other versions than 1 are left out" in section(text, "ran")


def test_two_values_of_the_same_number_are_refused(table: list[dict], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"arm uniform, seed 100, .* has two values"):
        page(tmp_path, [*table, table[0] | {"steps": 7}], told=Told([""], ["flops"]))


def test_unknown_budgets_are_refused(table: list[dict], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="budget 'double' is none of"):
        page(tmp_path, [table[0] | {"budgets": "double"}], told=Told([""], ["flops"]))


def test_half_the_budget_tells_when_uniform_is_reached(whole: str) -> None:
    name = "skab: few-shot rare, Average precision by budget"
    assert row_of(whole, name, "band")[3] == "50% or less"
    assert row_of(whole, name, "uniform")[3] == "about 100%"
    assert reached(0.3, 0.5, 0.4) == "about 75%"
    assert reached(0.3, 0.35, 0.4) == "not within it"


def test_pareto_front() -> None:
    points = {"a": (0.0, 3.0), "b": (1.0, 2.0), "c": (0.5, 1.0), "d": (2.0, 0.0), "e": (2.0, -1.0)}
    assert front(points) == ["a", "b", "d"]
    assert front({"a": (1.0, 1.0), "b": (1.0, 1.0)}) == ["a", "b"]


def test_labels_are_kept_apart_and_stay_near() -> None:
    wanted = np.array([0.1, 0.11, 0.12, 0.9])
    at = spread(wanted, 0.1)
    assert np.diff(at).min() >= 0.1 - 1e-9
    np.testing.assert_allclose(at, [0.01, 0.11, 0.21, 0.9])


def test_arms_are_ordered_by_their_role() -> None:
    given = ["oracle", "hand-made", "rs2", "band", "uniform-again", "per", "uniform"]
    last = ("band", "oracle", "hand-made")
    assert in_order(given) == ("uniform", "uniform-again", "rs2", "per", *last)


def test_controls_are_shown_and_compared_with_nothing(tmp_path: Path) -> None:
    arms = ("uniform", "uniform-again", "band")
    table = MADE["rows"](arms=arms)
    free = {"steps": 0, "flops": 0.0, "reference_seconds": 0.0, "budgets": "flops+time"}
    untrained = [
        row | free | {"arm": "random-init", "value": 9.0}
        for row in MADE["rows"](arms=("uniform",))
        if row["budgets"] == "flops+time" and row["task"] != "slots"
    ]
    text = page(tmp_path, [*table, *untrained])
    for budget in ("equal counted FLOPs", "equal reference time"):
        row = row_of(text, f"skab: {budget}", "random-init")
        assert row == ["random-init untrained", *("9.000", DASH) * 2, "n/a", DASH, "0 to 8"]
    assert row_of(text, "skab: other metrics by arm", "metric")[-1] == "random-init"
    assert "without controls and oracle, which knows the labels" in section(text, "tradeoff")
    assert "Not priced" not in section(text, "cost")


def test_numbers_are_written_plainly() -> None:
    rare, slots = Plain(task="few-shot rare", metric="ap"), Plain(task="slots", metric="rare")
    assert number(rare, 0.4126) == "0.413"
    assert number(rare, -0.0002, signed=True) == "0.000"
    assert number(rare, -0.02, signed=True) == f"{MINUS}0.020"
    assert number(slots, 0.0412) == "4.12%"
    assert number(slots, 0.0412, signed=True) == "+4.12"
    assert number(rare, math.nan) == "n/a"


def test_outcome_needs_the_corrected_test() -> None:
    def outcome(role: str, difference: float, p_holm: float) -> str:
        numbers = {"mean": 0.0, "other": 0.0, "low": 0.0, "high": 0.0, "mde": 0.0, "p": 0.001}
        names = {"arm": "a", "against": "b", "budget": "time", "n": 8, "asked": 8}
        return Comparison(
            **numbers, **names, role=role, difference=difference, p_holm=p_holm
        ).outcome

    assert outcome("rare", 0.1, 0.01) == "better"
    assert outcome("corrupt", 0.1, 0.01) == "worse"
    assert outcome("normal", -0.1, 0.06) == ""
    assert outcome("normal", -0.1, math.nan) == ""
