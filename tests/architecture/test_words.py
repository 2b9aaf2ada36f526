"""The words of docs/glossary.md are those of the code, the tables and the documentation; retired ones stay away."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RETIRED = {
    "barred", "crew", "enqueueing", "intake", "office", "parcel", "parcels",
    "queueing", "screens", "sole", "surroundings", "takeover", "tallies", "tally", "troubles", "wish",
    "wished", "witness", "wording", "worded",
}  # fmt: skip
CLASSES = {
    "Barred", "ClusterRunBook", "Crew", "Elsewhere", "Here", "Hold", "Intake", "Office", "Orders", "Pace", "Parcel",
    "Queued", "Queueing", "Screens", "Share", "SoleRunBook", "Surroundings", "Takeover", "Tally", "Terms", "Trouble",
    "Wish", "Witness", "Worded", "Wording", "Writer",
}  # fmt: skip
TABLES = ("parcels", "marks", "tallies", "troubles", "events", "pace")
CODE = sorted([*ROOT.glob("channels/**/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")])
SCHEMAS = sorted(ROOT.glob("channels/**/*.sql"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_no_name_in_the_code_is_a_retired_word(path):
    """Classes, functions, variables and attributes."""
    if path == Path(__file__):
        return
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    # "Counts" of the sandbox and the pages have words of their own: only whole names are looked at.
    assert {name for name in names if name in CLASSES or name.strip("_") in RETIRED} == set()


@pytest.mark.parametrize("path", SCHEMAS, ids=name_of)
def test_no_table_has_a_retired_name(path):
    """They are what somebody sees who opens a ledger with another tool."""
    made = re.findall(r"CREATE TABLE (\w+)", path.read_text(encoding="utf-8"))
    assert set(made) & set(TABLES) == set()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_page_speaks_of_retired_words(path):
    """Documentation and code call one thing by one word."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\b(parcels?|tall(?:y|ies)|witness(?:es)?|takeover|crew)\b", text, re.IGNORECASE) == []


def test_the_glossary_gives_each_word_a_row():
    """One sentence for each, and no word twice."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    words = [word.strip() for word, _ in rows if word.strip() not in ("word", "---")]
    assert len(words) > 50
    assert len(words) == len(set(words))
