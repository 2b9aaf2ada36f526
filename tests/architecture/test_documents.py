"""Pages that are drawn from the code say what the code says."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_situations_is_that_of_the_catalogue():
    """After a change of the catalogue: `make docs`."""
    written = runpy.run_path(str(DOCS / "write_situations.py"))
    assert (DOCS / "situations.md").read_text(encoding="utf-8") == written["page"]()
