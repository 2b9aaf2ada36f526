"""Which values leave a gap in a text when they are empty, and which the template asks about."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates

NOW = datetime(2026, 11, 20, tzinfo=UTC)
EMPTY = {"x": "", "y": "", "n": "basic"}
BLANKS = {"x": "  ", "y": " ", "n": "basic"}
ONE = {"x": "Sara", "y": "", "n": "basic"}
SHOWN = [
    "{{ x }}",
    "{{ x | upper | trim }}",
    "{{ x | default('friend') }}",
    "{{ 'Dear ' ~ x }}",
    "{{ '%s' | format(x) }}",
    "{% set name = x %}{{ name }}",
    "{% set name %}{{ x }}{% endset %}{{ name }}",
    "{% with name = x %}{{ name }}{% endwith %}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x) }}",
    "{% macro m(a=x) %}{{ a }}{% endmacro %}{{ m() }}",
    "{% if x == 'gold' %}!{% else %}{{ x }}{% endif %}",
    "{% filter upper %}{{ x }}{% endfilter %}",
    "---\nurl: 'https://example.com/{{ x }}'\n---\nHi",
    "---\nbuttons: [{label: 'See', link: 'https://example.com/{{ x }}'}]\n---\nHi",
]
ONLY_ASKED = "{% if x %}Dear{% endif %}"
ASKED = [
    "{% if x %}{{ x }}{% endif %}",
    ONLY_ASKED,
    "{% if not x %}friend{% else %}{{ x }}{% endif %}",
    "{% if x != '' %}{{ x }}{% endif %}",
    "{% if x is defined and x %}{{ x }}{% endif %}",
    "{% if x | length > 0 %}{{ x }}{% endif %}",
    "{{ x or 'friend' }}",
    "{{ x | default('friend', true) }}",
    "{{ x | default('friend', boolean=true) }}",
    "{{ x if x else 'friend' }}",
    "{{ x and 'Dear ' ~ x }}",
    "{% set name = x or 'friend' %}{{ name }}",
    "{% set name = x %}{% if not name %}{% set name = 'friend' %}{% endif %}{{ name }}",
    "{% macro m(a) %}{% if a %}{{ a }}{% endif %}{% endmacro %}{{ m(x) }}",
]
NEVER = [
    "{% if x | trim %}{{ x }}{% endif %}",
    "{% if x == 'gold' %}{{ x }}{% endif %}",
    "{% if x in ['a', 'b'] %}{{ x }}{% endif %}",
    "{{ x | length }}",
    "{{ x | trim or 'friend' }}",
    "{% for item in [] %}{{ x }}{% endfor %}",
]


@pytest.fixture
def gaps(tmp_path: Path):
    """Return the values of a text that leave a gap."""

    def find(text, values, **layouts):
        for name, each in {"t/sms": text, **{f"layouts/{name}": each for name, each in layouts.items()}}.items():
            path = tmp_path / f"{name}.txt.j2"
            path.parent.mkdir(exist_ok=True)
            path.write_text(each)
        templates = Templates(tmp_path)
        try:
            return templates.find("t", "sms", ChannelType.SMS).empty_values(values, NOW)
        finally:
            templates.close()

    return find


@pytest.mark.parametrize("text", SHOWN)
@pytest.mark.parametrize("values", [EMPTY, BLANKS])
def test_what_is_printed_leaves_a_gap(gaps, text, values):
    """However it comes there: filters, names, macros, the front matter."""
    assert gaps(text, values) == ("x",)
    assert gaps(text, ONE) == ()


@pytest.mark.parametrize("text", ASKED)
def test_what_the_template_asks_about_leaves_none(gaps, text):
    """It says what stands in for an empty value; one of blanks alone it does not notice."""
    assert gaps(text, EMPTY) == ()
    assert gaps(text, BLANKS) == (() if text == ONLY_ASKED else ("x",))


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("values", [EMPTY, BLANKS])
def test_what_is_never_printed_empty_leaves_none(gaps, text, values):
    """Nor one of blanks alone."""
    assert gaps(text, values) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ x or y }}", ()),
        ("{{ x if x else y }}", ()),
        ("{% if x %}{{ x }}{% else %}{{ y }}{% endif %}", ()),
        ("{% set name = x or y %}{{ name }}", ()),
        ("{% if n == 'gold' %}{{ y }}{% endif %}", ()),
        ("{% if n == 'basic' %}{{ y }}{% endif %}", ("y",)),
        ("{{ x and y }}", ("y",)),
        ("{{ y }}{{ x }}", ("y",)),
    ],
)
def test_only_the_branch_that_a_row_takes_counts(gaps, text, found):
    """Whether an empty value is printed may depend on another one."""
    assert gaps(text, ONE) == found


@pytest.mark.parametrize(
    ("text", "values", "found"),
    [
        ("{% for i in items %}{{ i.title }}{% endfor %}", {"items": [{"title": "a"}, {"title": ""}]}, ("items.title",)),
        ("{% for i in items %}{{ i.title }}{% endfor %}", {"items": []}, ()),
        ("{% for k, v in m.items() %}{{ v }}{% endfor %}", {"m": {}}, ()),
        ("{{ order.customer.name }}", {"order": {"customer": {"name": " "}}}, ("order.customer.name",)),
        ("{% if order %}{{ order.name }}{% endif %}", {"order": {"name": ""}}, ("order.name",)),
        ("{% if order.name %}{{ order.name }}{% endif %}", {"order": {"name": ""}}, ()),
        ("{{ rows[0]['name'] }}", {"rows": [{"name": ""}]}, ("rows.0.name",)),
        ("{{ tags | join(', ') }}", {"tags": []}, ("tags",)),
        ("{{ tags | join(', ') }}", {"tags": ["a", ""]}, ("tags",)),
        ("{{ tags | map(attribute='name') | join }}", {"tags": [{"name": ""}]}, ("tags.name",)),
        ("{{ n }}", {"n": None}, ("n",)),
        ("{{ n }}", {"n": 0}, ()),
        ("{{ n }}", {}, ()),
    ],
)
def test_values_within_values_are_found(gaps, text, values, found):
    """Zero is no gap; what is not there is an error of the rendering."""
    assert gaps(text, values) == found


def test_included_and_extended_files_are_followed(gaps):
    """Of a block, the definition that counts."""
    assert gaps("{% include 'layouts/a.txt.j2' %}", EMPTY, a="{{ x }}") == ("x",)
    layout = "{{ n }}{% block b %}{{ x }}{% endblock %}"
    assert gaps("{% extends 'layouts/a.txt.j2' %}{% block b %}{{ y }}{% endblock %}", EMPTY, a=layout) == ("y",)
    with_super = "{% extends 'layouts/a.txt.j2' %}{% block b %}{{ super() }}{% endblock %}"
    assert gaps(with_super, EMPTY, a=layout) == ("x",)
    macro = "{% macro m(q) %}{{ q }}{% endmacro %}"
    assert gaps("{% from 'layouts/a.txt.j2' import m %}{{ m(x) }}", EMPTY, a=macro) == ("x",)
    assert gaps("{% import 'layouts/a.txt.j2' as z %}{{ z.m(y) }}", EMPTY, a=macro) == ("y",)


def test_a_template_that_runs_apart_is_not_run_for_it(gaps):
    """What may leave a gap counts then."""
    text = "{% set s = 'a' %}{% for i in l %}{% set s = s ~ s %}{% endfor %}{{ y }}"
    assert gaps(text, {"l": ["a"], **EMPTY}) == ("y",)


def test_macros_that_call_each_other_end(gaps):
    """The look at a template is bounded."""
    first = "{% macro a(v) %}{{ b(v) }}{{ b(v) }}{% endmacro %}"
    text = first + "{% macro b(v) %}{{ a(v) }}{{ a(v) }}{% endmacro %}{{ a(n) }}"
    assert gaps(text, {"n": "x"}) == ()


def test_the_mark_is_no_filter_of_templates(gaps):
    """It exists in the second form of a template alone."""
    with pytest.raises(Exception, match="There is no filter `gap__`"):
        gaps("{{ x | gap__(1) }}", EMPTY)
