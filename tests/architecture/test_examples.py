"""The pages about frameworks show code of the examples, whose own tests run it against the built wheel."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["django", "fastapi", "celery"]


def blocks(page):
    """Return each block of Python, and the file that the comment above it names; an empty name where there is none."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"(?:<!-- (\S+) -->\n)?```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_stands_in_an_example(page):
    """Line by line, so that it is code that runs."""
    named = [(file, code) for file, code in blocks(page) if file]
    assert named
    for file, code in named:
        assert code in (ROOT / file).read_text(encoding="utf-8"), file


@pytest.mark.parametrize("page", PAGES)
def test_other_code_of_a_page_is_python(page):
    """Where it stands in no example, it is a line or two."""
    for file, code in blocks(page):
        if not file:
            ast.parse(textwrap.dedent(code))
            assert code.count("\n") < 8
