"""Pages that are drawn from the code say what the code says."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_of_situations_is_that_of_the_catalogue():
    """After a change of the catalogue: `make docs`."""
    written = runpy.run_path(str(DOCS / "write_situations.py"))
    assert (DOCS / "situations.md").read_text(encoding="utf-8") == written["page"]()


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", DOCS / "architecture.md"], ids=lambda page: page.name)
def test_the_files_that_a_guide_names_are_there(page):
    """Whoever follows it finds what it speaks of."""
    named = re.findall(r"`([\w./]+/[\w.]*)`", page.read_text(encoding="utf-8"))
    roots = (ROOT, ROOT / "channels" / "metrix_channels")
    missing = {name for name in named if not any((root / name).exists() for root in roots)}
    assert {name for name in missing if not re.search("NAME|VERB", name)} == set()
    assert len(named) > 10
