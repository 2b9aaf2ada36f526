"""The other fields of a message: YAML first, each text in it a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.errors import TemplateError
from metrix_channels.templating.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable


def fields(text: str, values: dict[str, Any], *, email: bool = False) -> dict[str, Any]:
    """Render the text of a template without files."""
    return Program("t/x.txt.j2", lambda _name: text, "root", email=email).render(values)


def test_without_front_matter_all_is_body() -> None:
    """A file that does not begin with `---` is only a body; one line feed at its end is trimmed."""
    assert fields("سلام {{ n }}\n---\n\n", {"n": "سارا"}) == {"body": "سلام سارا\n---\n"}


def test_spaces_behind_a_line_of_front_matter_count_for_nothing() -> None:
    """Editors leave them, and nobody sees them."""
    assert fields("---  \ntitle: x\n---\t\nb", {}) == {"title": "x", "body": "b"}


def test_byte_order_mark_and_windows_lines(render: Callable[..., Any]) -> None:
    """Neither a byte order mark nor CRLF comes into a message."""
    assert render("\ufeff---\r\ntitle: T\r\n---\r\na\r\nb\r\n") == {"title": "T", "body": "a\nb"}


def test_values_keep_their_structure() -> None:
    """Numbers, truths, lists and nested mappings stay; keys are never templates."""
    text = '---\nextra: {"{{ k }}": [1, true, null, 1.5, "{{ n }}"], deep: {x: "{{ n }}!"}}\n---\nb'
    assert fields(text, {"n": "v"})["extra"] == {"{{ k }}": [1, True, None, 1.5, "v"], "deep": {"x": "v!"}}


@given(st.text())
def test_no_value_breaks_the_structure(value: str) -> None:
    """Whatever a value holds, YAML or Jinja, it comes out as itself, in one field."""
    text = '---\ntitle: "{{ v }}"\nbuttons: [{label: "a{{ v }}b", link: x}]\n---\n{{ v }}|'
    expected = {"title": value, "buttons": [{"label": f"a{value}b", "link": "x"}], "body": f"{value}|"}
    assert fields(text, {"v": value}) == expected


def test_subject_is_the_title_of_an_email_only() -> None:
    """Metrix calls it title; other channels know no subject."""
    text = "---\nsubject: S {{ n }}\n---\nb"
    assert fields(text, {"n": 1}, email=True) == {"title": "S 1", "body": "b"}
    assert fields(text, {"n": 1}) == {"subject": "S 1", "body": "b"}


def test_sensitive_names_are_no_field() -> None:
    """`sensitive` says what to hide and is not sent."""
    program = Program("t", lambda _name: "---\nsensitive: [code, pin]\n---\n{{ code }}", "root", email=False)
    assert program.sensitive == {"code", "pin"}
    assert program.render({"code": "1"}) == {"body": "1"}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("---\ntitle: x\n", "template_front_matter", 1),
        ("---\n- x\n---\n", "template_front_matter", 2),
        ("---\na: x\nbody: x\n---\n", "template_front_matter", 3),
        ("---\nsensitive: code\n---\n", "template_front_matter", 2),
        ("---\nsensitive: ['a b']\n---\n", "template_front_matter", 2),
        ("---\na: x\nb: '{% include \"x\" %}'\n---\n", "template_front_matter", 3),
        ("---\na: x\na: y\n---\n", "yaml_refused", 3),
        ("---\na: *x\n---\n", "yaml_refused", 2),
        ("---\na: [\n---\n", "yaml_invalid", 2),
        ("---\na: '{{ x'\n---\n", "template_syntax", 2),
        ("---\na: |\n  one\n  {{ x\n---\n", "template_syntax", 4),
        ('---\na: "x\\n\\n{{ x"\n---\n', "template_syntax", 2),
    ],
)
def test_a_wrong_front_matter_names_its_line(text: str, code: str, line: int) -> None:
    """The position is right in the template's file."""
    with pytest.raises(TemplateError) as caught:
        fields(text, {})
    assert caught.value.code == code
    assert (caught.value.location or "").startswith(f"root/t/x.txt.j2:{line}:")


def test_subject_and_title_together_are_refused() -> None:
    """An email has one title."""
    with pytest.raises(TemplateError, match="subject"):
        fields("---\nsubject: a\ntitle: b\n---\n", {}, email=True)


def test_a_bare_expression_asks_for_quotes() -> None:
    """The usual mistake, `title: {{ x }}`, gets the remedy that fits."""
    with pytest.raises(TemplateError) as caught:
        fields("---\ntitle: {{ x }}\n---\n", {})
    assert "quotes" in caught.value.remedy


def test_front_matter_is_never_escaped(render: Callable[..., Any]) -> None:
    """The title of an HTML email is text."""
    got = render('---\nsubject: "{{ n }}"\n---\n<p>{{ n }}</p>', {"n": "<a & b>"}, html=True)
    assert got == {"title": "<a & b>", "body": "<p>&lt;a &amp; b&gt;</p>"}


def test_lines_of_the_body_count_from_the_file() -> None:
    """An error below a front matter names the line and column that an editor shows."""
    with pytest.raises(TemplateError) as caught:
        fields("---\ntitle: x\n---\n\nحال {{ nme }}", {"name": "x"})
    assert caught.value.location == "root/t/x.txt.j2:5:8"
    assert "`name`" in caught.value.remedy
