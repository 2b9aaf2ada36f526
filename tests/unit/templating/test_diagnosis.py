"""What an error of a template says to do fits the cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from metrix_channels.errors import TemplateError

Render = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("text", "value", "remedy"),
    [
        ("{{ a }}", [1], "Pass text or a number."),
        ("{{ a | upper }}", None, "Pass text or a number."),
        ("{{ a | jalali }}", "1404-08-30", "Pass a Gregorian date"),
        ("{{ a | jalali('%Q') }}", "2026-03-20", "Pass a Gregorian date"),
        ("{{ a | fa_number }}", "many", "Pass a number"),
        ("{{ a | int }}", "many", "Pass a number"),
        ("{{ a | round }}", "many", "Pass a number"),
        ("{{ a + 1 }}", "1", "as in `{{ total | int + 1 }}`"),
        ("{{ b }}", "", "give it a default in the template"),
        ("{{ b }}", "", "`--set b=…` on the command line"),
        ("{{ نام }}", "", '`context={"نام": …}` in Python'),
        ("{{ a.b }}", {}, "Add the value to the context"),
        ("{{ first name }}", "", "as in `{{ first_name }}`"),
    ],
)
def test_the_remedy_fits_the_value(text: str, value: object, remedy: str, render: Render) -> None:
    """A date, a number, text or a conversion, as the template needs it."""
    with pytest.raises(TemplateError) as caught:
        render(text, {"a": value})
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("head", "remedy"),
    [
        ("body: Hello", "Remove `body`"),
        ("sensitive: code", "Write `sensitive: [code]`"),
        ("just text", "Write one field per line"),
        ("title: '{% include \"x\" %}'", "Use it in the text below the front matter."),
    ],
)
def test_the_remedy_fits_the_front_matter(head: str, remedy: str, render: Render) -> None:
    """It names the field at fault."""
    with pytest.raises(TemplateError) as caught:
        render(f"---\n{head}\n---\nHello", {})
    assert caught.value.code == "template_front_matter"
    assert remedy in caught.value.remedy
