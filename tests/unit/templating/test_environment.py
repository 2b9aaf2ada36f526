"""What a template can reach: its values' items, and nothing that has a method."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from metrix_channels.errors import TemplateError
from metrix_channels.templating.environment import NameMissing, PlainText, Sandbox, run
from metrix_channels.templating.program import BODY_LIMIT, Program
from metrix_channels.templating.syntax import compile_tree

Render = Callable[..., dict[str, Any]]


def body(text: str, values: dict[str, Any], *, html: bool = False) -> Any:
    """Render the text of a template without files."""
    main = "t/x.html.j2" if html else "t/x.txt.j2"
    return Program(main, lambda _name: text, "root", email=html).render(values)["body"]


@given(st.text())
def test_any_text_comes_out_exactly(value: str) -> None:
    """A text template changes nothing in a value."""
    assert body("a{{ v }}b", {"v": value}) == f"a{value}b"


PIECES = st.lists(st.sampled_from(["سلام ", "{{ a }}", "{{b}}", "{{ self }}", "100% ", "%s", "%(a)s", "\n", "} "]))
VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.none(), st.decimals(), st.lists(st.text()))


@given(PIECES, st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES, "self": VALUES}), st.integers(0, 40))
def test_texts_and_names_come_out_as_from_jinja(pieces: list[str], values: dict[str, Any], limit: int) -> None:
    """Templates of only these are rendered without Jinja, unless a value is unusual or the text too long."""
    sandbox = Sandbox(html=False)
    tree = sandbox.parse("".join(pieces))
    template, plain = compile_tree(sandbox, tree, "t"), PlainText.of(tree)
    try:
        expected = run(template, None, values, limit)
    except Exception as error:  # noqa: BLE001 - both fail in the same way
        with pytest.raises(type(error)):
            run(template, plain, values, limit)
    else:
        assert run(template, plain, values, limit) == expected
    usual = all(type(values.get(name)) in (str, int) for name in ("a", "b"))
    is_plain = plain is not None and usual and (text := run(template, None, values, 4_000)) is not None
    if is_plain and plain is not None:
        assert plain.render(values, 4_000) == text


def test_a_text_that_would_be_too_long_is_not_made() -> None:
    """It could need more memory than the process may use."""
    plain = PlainText.of(Sandbox(html=False).parse("{{ a }}" * 100))
    values = {"a": "x" * 1_000_000}
    tracemalloc.start()
    try:
        assert plain is not None
        assert plain.render(values, BODY_LIMIT) is None
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@given(st.text())
def test_any_text_is_escaped_in_html(value: str) -> None:
    """An HTML template escapes every value, once."""
    assert body('<p title="{{ v }}">{{ "" ~ v }}</p>', {"v": value}, html=True) == (
        f'<p title="{escape(value)}">{escape(value)}</p>'
    )


@pytest.mark.parametrize("name", ["items", "keys", "id", "values", "get", "copy", "pop", "__class__"])
def test_a_column_is_the_column(name: str, render: Render) -> None:
    """An item that is called like a method is the item, by dot and by bracket."""
    values = {"row": {name: "column"}, name: "top"}
    text = f"{{{{ row.{name} }}}}{{{{ row['{name}'] }}}}{{{{ {name} }}}}"
    assert render(text, values)["body"] == "columncolumntop"


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "''['__class__']",
        "text.upper()",
        "text.format(1)",
        "row.items()",
        "row|attr('keys')",
        "(row|map(attribute='__class__')|list)[0].x",
        "[text]|map(attribute='__class__')|first",
        "[text]|map('attr', '__class__')|list|first",
        "now.strftime('%Y')",
        "now.__class__",
        "number.real",
        "range(3)|first",
        "lipsum()",
        "cycler.__init__",
        "namespace",
        "dict(a=1)",
        "joiner",
        "self._TemplateReference__context",
        "self.__init__",
        "caller()",
        "text()",
        "none.x",
        "text|tojson",
        "text|safe",
        "text|pprint",
        "text|xmlattr",
        "'%s'|format(text.__class__)",
        "undefined_name()",
    ],
)
def test_no_walk_leads_out_of_the_data(expression: str, render: Render) -> None:
    """Attributes, methods and globals of Python and Jinja are all out of reach."""
    with pytest.raises(TemplateError) as caught:
        render(f"{{{{ {expression} }}}}", {"text": "secret-value", "row": {"a": 1}, "number": 1})
    assert caught.value.code in {"template_undefined", "template_syntax", "template_value_refused"}
    assert "secret-value" not in str(caught.value)
    assert "t/sms.txt.j2:1:" in (caught.value.location or "")


def test_what_templates_need_of_jinja_works(render: Render) -> None:
    """Loops, conditions, filters, inheritance within one file, macros."""
    text = (
        "{% for x in xs if x != 2 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ loop.cycle('a', 'b') }}"
        "{{ ',' if not loop.last else '' }}{% else %}none{% endfor %}"
        "{% block b %}[{{ n|default('-') }}]{% endblock %}{{ self.b() }}"
        "{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}"
    )
    assert render(text, {"xs": [1, 2, 3]})["body"] == "1/2:1a,2/2:3b[-][-]<1>"


@pytest.mark.parametrize("value", [None, True, False, [1], {"a": 1}], ids=repr)
@pytest.mark.parametrize(
    "text", ["{{ v }}", "{{ 'a' ~ v }}", "{{ v|upper }}", "{{ [v]|join(',') }}", "{{ v|fa_digits }}"]
)
def test_only_text_and_numbers_come_out(value: object, text: str, render: Render) -> None:
    """Null, truths, lists and mappings never appear in a message, by whatever way; the error names the variable."""
    with pytest.raises(TemplateError) as caught:
        render("line\n" + text, {"v": value})
    assert caught.value.code == "template_value_refused"
    assert "`v`" in caught.value.message
    assert (caught.value.location or "").endswith(f"sms.txt.j2:2:{text.index('v') + 1}")


def test_numbers_come_out(render: Render) -> None:
    """Integers, floats and decimals are text enough."""
    assert render("{{ a }} {{ b }} {{ c }}", {"a": 1, "b": 1.5, "c": Decimal("1.50")})["body"] == "1 1.5 1.50"


@pytest.mark.parametrize(
    ("text", "name", "column", "near"),
    [
        ("name {{ nme }}", "nme", 9, "name"),
        ("{{ name }}{{ user.nme }}", "nme", 19, "name"),
        ("{% if nme %}x{% endif %}", "nme", 7, "name"),
        ("{{ nme|upper }}", "nme", 4, "name"),
        ("{% for x in nme %}x{% endfor %}", "nme", 13, "name"),
        ("{{ 'a' ~ nme }}", "nme", 10, "name"),
        ("{{ nme == 1 }}", "nme", 4, "name"),
        ("{{ user.a.b.c }}", "a", 9, None),
    ],
)
def test_an_undefined_name_is_an_error(text: str, name: str, column: int, near: str | None, render: Render) -> None:
    """Template, line, column and variable are named, and what may have been meant."""
    with pytest.raises(TemplateError) as caught:
        render("\n" + text, {"name": "x", "user": {"name": "y"}})
    assert caught.value.code == "template_undefined"
    assert f"`{name}`" in caught.value.message
    assert (caught.value.location or "").endswith(f"t/sms.txt.j2:2:{column}")
    assert near is None or f"`{near}`" in caught.value.remedy


def test_a_value_that_a_filter_cannot_take_is_the_value_s_fault(render: Render) -> None:
    """The line is correct, and with another value it renders."""
    text = "{{ items|unique|reverse|join }}"
    assert render(text, {"items": ["a", "b"]})["body"] == "ba"
    with pytest.raises(TemplateError, match="unhashable type: 'list'") as caught:
        render(text, {"items": [["a"], ["b"]]})
    assert caught.value.code == "template_value_refused"


def test_an_if_without_else_is_an_error_when_it_gives_nothing(render: Render) -> None:
    """`'a' if x` says nothing for the other case: "Hi ," is never sent."""
    with pytest.raises(TemplateError) as caught:
        render("Hi {{ 'Sara' if x }},", {"x": False})
    assert caught.value.code == "template_value_refused"
    assert "else" in caught.value.message


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("\n{{ a|uper }}", 2, "`upper`"),
        ("\n{{ a is defind }}", 2, "`defined`"),
        ("\n\n{% fi a %}", 3, ""),
        ("{% if a %}", 1, ""),
        ("{{ a|safe }}", 1, "escaped"),
        ("{% autoescape false %}{{ a }}{% endautoescape %}", 1, ""),
        ("{{ " + "(" * 500 + "a" + ")" * 500 + " }}", 1, ""),
        ("{% if a %}" * 70 + "{% endif %}" * 70, 1, ""),
        ("{% for a in b %}" * 25 + "{% endfor %}" * 25, 1, ""),
        ("{{ " + "9" * 5000 + " }}", 1, ""),
        ("{{ a" + "|upper" * 200 + " }}", 1, ""),
        ("\n{% extends name %}", 2, ""),
        ("\n{% include ['a', 'b'] %}", 2, ""),
        ("\n{% import name as x %}", 2, ""),
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 2, ""),
        ("\n{% for loop in a %}{% endfor %}", 2, ""),
        ("\n{% for x in a %}{% set loop = 1 %}{% endfor %}", 2, ""),
        ("\n{% macro m(a, a) %}{% endmacro %}", 2, ""),
        ("\n\n{{ a|default(x=1, x=2) }}", 3, ""),
        ("\n{% macro m(a=1, b) %}{% endmacro %}", 2, ""),
        ("\n{{ 1e999 }}", 2, ""),
        ("\n{{ 0x" + "f" * 5000 + " }}", 2, ""),
        ("\n{% block a-b %}{% endblock %}", 2, ""),
        ("\n{% block a required %}x{% endblock %}", 2, ""),
        ("---\ntitle: x\n---\n{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 5, ""),
        ("---\ntitle: '{{ a|default(x=1, x=2) }}'\n---\nx", 2, ""),
    ],
)
def test_what_cannot_be_compiled_names_the_line(text: str, line: int, hint: str, render: Render) -> None:
    """Syntax errors, unknown filters, dynamic names and absurd nesting are found when the template is loaded."""
    with pytest.raises(TemplateError) as caught:
        render(text, {"a": 1, "b": []})
    assert caught.value.code == "template_syntax"
    assert f"t/sms.txt.j2:{line}:" in (caught.value.location or "")
    assert hint in caught.value.remedy


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"main": "{% include 'l' %}", "l": "\n{% block a %}{% endblock %}{% block a %}{% endblock %}"}, "root/l:2:1"),
        ({"main": "{% extends 'l' %}", "l": "\n\n{{ f(x=1, x=2) }}"}, "root/l:3:1"),
    ],
)
def test_what_another_file_cannot_be_compiled_for_names_that_file(files: dict[str, str], place: str) -> None:
    """An included or extended file that is wrong is named with its own line."""
    with pytest.raises(TemplateError) as caught:
        Program("main", files.__getitem__, "root", email=False)
    assert (caught.value.code, caught.value.location) == ("template_syntax", place)


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ValueError, OverflowError, KeyError, SyntaxError])
def test_whatever_jinja_raises_is_the_templates_error(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody thought of is one of the template too, with its place."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise error("secret")

    for method in ("parse", "_generate"):
        with monkeypatch.context() as patched:
            patched.setattr(Sandbox, method, fail)
            with pytest.raises(TemplateError) as caught:
                body("{{ a }}", {"a": 1})
        assert (caught.value.location or "").startswith("root/t/x.txt.j2:1:")


def test_a_template_has_so_much_code_in_all_its_files() -> None:
    """Files that are small enough each are too much together; so are the texts of a front matter."""
    files = {f"l{at}": "{{ a }}" * 500 for at in range(10)}
    files["main"] = "".join(f"{{% include 'l{at}' %}}" for at in range(10))
    front = {"main": "---\n" + "".join(f"f{at}: '{'{{ a }}' * 100}'\n" for at in range(50)) + "---\nx"}
    for texts in (files, front):
        with pytest.raises(TemplateError, match="tokens") as caught:
            Program("main", texts.__getitem__, "root", email=False)
        assert caught.value.code == "template_too_costly"


@pytest.mark.parametrize("name", ["range", "dict", "lipsum", "cycler", "joiner", "namespace"])
def test_no_name_is_there_but_the_contexts(name: str, render: Render) -> None:
    """What Jinja makes global elsewhere is a column like any other: counted, and undefined where it is not given."""
    template = Program("t/x.txt.j2", lambda _name: f"{{{{ {name} }}}}", "root", email=False)
    assert template.variables == {name}
    assert template.render({name: "column"})["body"] == "column"
    with pytest.raises(NameMissing):
        Sandbox(html=False).from_string(f"{{{{ {name} }}}}").render()
    with pytest.raises(TemplateError) as caught:
        render(f"{{{{ {name} }}}}")
    assert caught.value.code == "template_undefined"
    assert caught.value.remedy.startswith(f"Jinja's function `{name}` is not available in templates. Give it a value")


def test_a_foreign_error_shows_no_value(render: Render) -> None:
    """What Python raises inside is told without the values."""
    with pytest.raises(TemplateError) as caught:
        render("{{ code + 1 }}", {"code": "4711"})
    assert caught.value.code == "template_value_refused"
    assert "4711" not in str(caught.value)
