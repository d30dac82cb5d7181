"""What the pages name exists, and what exists is on the pages."""

import re
from pathlib import Path

import pytest

from bandpass.cli import app
from bandpass.curriculum import POLICIES, PROMISES, SCORES
from bandpass.curriculum.rules import RULES
from bandpass.curriculum.triage import VERDICTS, TriageSettings
from bandpass.recipes import find, keys, override
from bandpass.recipes.recipe import POLICY
from bandpass.training.feed import SCORABLE

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["choose-a-policy.md", "concepts.md", "curriculum.md", "store.md", "getting-started.md"]
PAGES += ["schedule-embeddings.md", "schedule-evaluation.md", "confirm.md"]
CODE = re.compile(r"`([^`\n]+)`")
KEY = re.compile(r"((?:train|band|model|windows|schedule)\.[a-z_.]+)(?:=.*)?")
CHANGE = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)=([a-z0-9._-]+)`")


def read(page: str) -> str:
    return (DOCS / page).read_text()


def table(page: str, heading: str) -> list[list[str]]:
    """Cells of the rows of the first table under a heading."""
    part = read(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines[1:]]


def names(rows: list[list[str]]) -> list[str]:
    return [re.findall(r"`([^`]+)`", row[0])[0] for row in rows]


def test_every_policy_has_a_card_and_every_card_a_policy():
    assert sorted(names(table("choose-a-policy.md", "Cards"))) == sorted(POLICIES)


def test_cards_promise_what_the_policies_promise():
    for name, row in zip(names(cards := table("choose-a-policy.md", "Cards")), cards, strict=True):
        text = row[3]
        listed = frozenset(re.findall("|".join(PROMISES), text))
        promised = PROMISES - listed if text.startswith("all") else listed
        assert promised == POLICIES[name].promises, name


def test_cards_name_the_rules_of_the_policies():
    for name, row in zip(names(cards := table("choose-a-policy.md", "Cards")), cards, strict=True):
        assert row[2] in {*RULES, "none"}, name
        if "floor" in POLICIES[name].promises or row[2] != "none":
            assert row[2] == POLICIES[name].settings.rule, name


def test_measured_policies_exist():
    assert set(names(table("choose-a-policy.md", "Measured"))) <= set(POLICIES)


def test_every_score_has_a_line_with_its_cost():
    rows = table("choose-a-policy.md", "Which score?")
    assert {name: float(row[2]) for name, row in zip(names(rows), rows, strict=True)} == {
        name: score.forwards for name, score in SCORES.items()
    }


def test_scores_that_training_has_no_means_for_are_marked():
    rows = table("choose-a-policy.md", "Which score?")
    for name, row in zip(names(rows), rows, strict=True):
        assert (row[3] == "yes") == (set(SCORES[name].needs) <= SCORABLE), name


def test_the_triage_table_is_the_one_in_the_code():
    page, lines = read("curriculum.md"), TriageSettings()
    for verdict in VERDICTS:
        assert f"| {verdict} |" in page
    number = {name: f"{value:g}".removeprefix("0") for name, value in vars(lines).items()}
    assert f"| faults of {number['conviction']} or more | any | faulty |" in page
    assert f"| c above {number['isolated']} | yes, or fewer than {lines.visits} visits |" in page
    assert f"| {number['probation']} times uniform |" in page


@pytest.mark.parametrize("page", PAGES)
def test_recipe_keys_exist(page: str):
    words = [word for code in CODE.findall(read(page)) for word in code.split()]
    files = (".parquet", ".npy", ".md", ".gz")
    named = {found[1] for word in words if (found := KEY.fullmatch(word))}
    assert {name for name in named if not name.endswith(files)} <= set(keys())


@pytest.mark.parametrize("page", ["choose-a-policy.md", "curriculum.md", "concepts.md"])
def test_changes_of_a_recipe_are_accepted(page: str):
    recipe, tried = find("smd"), 0
    for key, value in CHANGE.findall(read(page)):
        override(recipe, [f"{key}={value}"])
        tried += 1
    assert tried or page == "concepts.md"


def test_presets_of_all_policies_load():
    for name in POLICIES:
        assert override(find("smd"), [f"{POLICY}{name}"]).policy == name


def test_pictures_are_small_and_follow_the_colour_scheme():
    pictures = re.findall(r"\]\((figures/[a-z]+\.svg)\)", read("curriculum.md"))
    assert len(pictures) == len(list((DOCS / "figures").iterdir())) > 0
    for picture in pictures:
        text = (DOCS / picture).read_text()
        assert len(text) < 60_000
        assert "prefers-color-scheme:dark" in text
        assert "<image" not in text


def test_every_command_is_on_a_page():
    pages = "\n".join(page.read_text() for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"])
    commands = {
        each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands
    }
    assert {"export", "import", "confirm"} <= commands
    assert {name for name in commands if f"bandpass {name}" not in pages} == set()
