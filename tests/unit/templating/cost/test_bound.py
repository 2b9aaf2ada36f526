"""The model of a template's costs: what it lets into this process costs little, whatever the values are."""

from __future__ import annotations

import random
import resource
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from metrix_channels.errors import TemplateError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates
from metrix_channels.templating.context import MAX_SIZE, prepare
from metrix_channels.templating.program import Program

NOW = datetime(2026, 11, 20, tzinfo=UTC)
Write = Callable[..., Path]

ORDINARY = 2_000
"""The size of the values of a long order."""


def program(text: str, **files: str) -> Program:
    """Compile a text, with files that it refers to."""
    texts = {"t/x.txt.j2": text, **files}
    return Program("t/x.txt.j2", texts.__getitem__, "root", email=False)


@pytest.mark.parametrize(
    "text",
    [
        "{{ t|striptags }}",
        "{{ t|wordwrap(1) }}",
        "{{ l|sort|join }}",
        "{{ l|unique|join }}",
        "{{ l|select('in', l)|list|length }}",
        "{{ l|sum(start=[])|length }}",
        "{{ 1 if t in u else 2 }}",
        "{{ 1 if t is in u else 2 }}",
        "{% for x in l %}{{ t|title|length }}{% endfor %}",
        "{% for x in l %}{{ t|length if x == t else '' }}{% endfor %}",
        "{% for x in l %}{{ 1 if loop.changed(t) else 2 }}{% endfor %}",
        "{% for x in l %}{% for y in l %}{% endfor %}{% endfor %}",
        "{% for x in l if x in l %}{% endfor %}",
        "{% for t in l %}{% block b %}{{ t|upper }}{% endblock %}{% endfor %}",
        "{% for x in l %}{% include 'inc' %}{% endfor %}",
        "{{ t|replace('', u) }}",
        "{{ l|join(t) }}",
        "{{ t|upper }}" * 500,
        "{% set a = t ~ t %}{% set b = a ~ a %}{% set c = b ~ b %}{{ c ~ c }}",
        "{% set x %}{% for y in l %}{{ t }}{% endfor %}{% endset %}{{ x|length }}",
        '---\ntitle: "{% for x in l %}{{ 1 if t in u else 2 }}{% endfor %}"\n---\nx',
    ],
)
def test_what_grows_faster_than_its_values_renders_here_only_with_few(text: str) -> None:
    """Loops in loops, searches, sorting, what repeats a value: with an order's values here, with a megabyte apart."""
    cost = program(text, inc="{{ t|trim }}").cost
    assert cost.risk is None
    assert cost.allows(300)
    assert not cost.allows(MAX_SIZE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ t }}{{ t|upper }}{{ t|fa_digits }}{{ t|urlencode|length }}{{ t|e|length }}",
        "{% for x in l %}{{ loop.index }}. {{ x.name }}: {{ x.price|fa_digits }}\n{% endfor %}",
        "{% if t == u %}{{ t|truncate(20) }}{% endif %}",
    ],
)
def test_what_goes_once_through_its_values_renders_here_with_many(text: str) -> None:
    """The model is not so careful that it keeps out what is ordinary."""
    assert program(text).cost.allows(100_000)


def test_ordinary_templates_render_here() -> None:
    """Two loops within each other, over the lines of an order; prices; layouts with `super()`."""
    assert program(
        "{% extends 'base' %}{% block a %}{{ super() }}{% for o in orders %}{{ o.id }}"
        "{% for x in o.rows %}{{ '%.2f'|format(x.price) }} {{ x.n * 2 }}{% endfor %}{% endfor %}{% endblock %}",
        base="<{% block a %}{{ brand }}{% endblock %}>",
    ).cost.allows(ORDINARY // 4)


def test_a_block_in_a_loop_does_not_see_its_item() -> None:
    """There the name of the item is a value of the context, and may be long in every round."""
    assert program("{% for t in l %}{{ t|upper }}{% endfor %}").cost.allows(40_000)
    assert not program("{% for t in l %}{% block b %}{{ t|upper }}{% endblock %}{% endfor %}").cost.allows(40_000)


def test_more_values_never_cost_less() -> None:
    """What is asked about sizes in any order is answered alike."""
    text = "{% for x in l %}{{ t|title }}{% endfor %}"
    sizes = random.Random(7).sample(range(1, 20_000), 300)
    first, second = program(text).cost, program(text).cost
    answers = {size: first.allows(size) for size in sizes}
    assert {size: second.allows(size) for size in reversed(sizes)} == answers
    largest = max(size for size in sizes if answers[size])
    assert all(answers[size] for size in sizes if size <= largest)


def test_what_makes_it_costly_is_named(write: Write, templates: Templates) -> None:
    """A rendering that was given up points at the loop that is too long."""
    write("t/sms.txt.j2", "a\n{% for x in l %}{% for y in l %}{% for z in l %}{% endfor %}{% endfor %}{% endfor %}")
    template = templates.find("t", "sms", ChannelType.SMS)
    with pytest.raises(TemplateError, match="loop") as caught:
        template.render({"l": list(range(3_000))}, NOW)
    assert caught.value.code == "template_too_costly"
    assert (caught.value.location or "").endswith("sms.txt.j2:2:1")


HOSTILE = {
    "tags": "x" * 400_000 + "<>" * 200_000,
    "comments": "<!--a-->" * 100_000,
    "words": "ab " * 300_000,
    "needle": "a" * 50_000 + "b",
    "hay": "a" * 400_000,
    "same_hash": [(2**61 - 1) * at for at in range(20_000)],
    "many": [str(at) for at in range(40_000)],
    "format": "%999999999d",
}


@pytest.mark.parametrize(
    "text",
    [
        "{{ tags|striptags|length }}",
        "{{ comments|striptags|length }}",
        "{{ words|title|length }}" * 800,
        "{{ words|upper|lower|length }}" * 800,
        "{{ same_hash|unique|list|length }}",
        "{% for x in many %}{{ many|sort|length }}{% endfor %}",
        "{% for x in many %}{{ hay|truncate(5) }}{% endfor %}",
        "{% for x in many %}{{ hay|replace('a', 'b')|length }}{% endfor %}",
        "{% for x in many %}{{ 'y' if x in many else 'n' }}{% endfor %}",
        "{{ many|select('in', many)|list|length }}",
        "{{ 'y' if needle in hay else 'n' }}" * 400,
        "{{ hay|wordwrap(1)|length }}",
        "{{ 1 if format is even else 2 }}",
        "{{ hay|replace('', hay)|length }}",
        "{{ hay|list|length }}{{ hay|sort|length }}",
        "{{ unknown_of_many[hay] }}",
        "{{ (tags|striptags) ~ missing }}",
    ],
)
def test_hostile_values_end(text: str, write: Write, templates: Templates) -> None:
    """Rendered, refused or ended: in no case does this process work for it, or grow."""
    write("t/sms.txt.j2", text)
    template = templates.find("t", "sms", ChannelType.SMS)
    values = {name: HOSTILE[name] for name in template.variables if name in HOSTILE}
    values["unknown_of_many"] = {f"{at}{'y' * 900}": 1 for at in range(400)} if "unknown" in text else ""
    work, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        template.render(values, NOW)
    except TemplateError as error:
        assert error.code in {  # noqa: PT017  some may also be rendered
            "template_too_costly",
            "template_value_refused",
            "template_undefined",
            "context_too_large",
        }
    assert time.process_time() - work < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 256 * 1024


def test_an_error_about_a_long_name_costs_little() -> None:
    """What may have been meant is not looked for among long names, nor the place of one."""
    long = "".join(chr(0x4E00 + at) for at in range(150)) * 300
    rows = {f"{long[1:]}{at}": 1 for at in range(20)}
    template = program("{{ rows[long] }}")
    work = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError) as caught:
            template.render({"rows": rows, "long": long})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "template_undefined"
    assert time.process_time() - work < 10
    assert peak < 4 * 1024 * 1024


class Author:
    """Writes random templates whose operations fit their values, so that they run to their end."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.2:
            return self.random.choice(("t", "u", "s", "'aab'"))
        inner = self.text(depth - 1)
        filters = (
            *(
                "upper",
                "title",
                "trim",
                "striptags",
                "truncate(999)",
                "truncate(9, true, u)",
                "urlencode",
                "e",
                "string",
            ),
            *("center(10000)", "indent(3, true, true)", "wordwrap(1)", "wordwrap(2, true, u)", "replace('a', 'bb')"),
            *("replace(t, u)", "replace('', u)", "replace('aa', 'a')", "fa_digits", "default(u)", "reverse"),
        )
        return self.random.choice(
            (
                *(f"({inner})|{each}" for each in self.random.sample(filters, 4)),
                f"({inner} ~ {self.text(depth - 1)})",
                f"({inner})[{self.random.choice(('1:', '::-1', '::2'))}]",
                f"({self.items(depth - 1)})|join({self.random.choice(('t', repr('')))})",
            )
        )

    def items(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.3:
            return self.random.choice(("l", "l", "t"))
        filters = (
            "sort",
            "unique",
            "list",
            "reverse",
            "select('in', l)",
            "reject('in', u)",
            "sum(start=[])",
            "sort(true)",
        )
        return f"({self.items(depth - 1)}|{self.random.choice(filters)})"

    def condition(self, depth: int) -> str:
        operator = self.random.choice(("in", "==", "<", "not in", "is in"))
        return f"({self.text(depth)}) {operator} ({self.text(depth)})"

    def statement(self, depth: int) -> str:
        kind = self.random.random()
        if depth == 0 or kind < 0.4:
            shown = self.random.choice(
                (
                    f"{{{{ ({self.text(3)})|length }}}}",
                    f"{{{{ ({self.items(2)})|list|length }}}}",
                    f"{{{{ {self.text(3)} }}}}",
                )
            )
            return shown * self.random.choice((1, 1, 5, 40))
        inner = self.statement(depth - 1)
        if kind < 0.8:
            name = self.random.choice(("x", "t", "u", "l"))
            return f"{{% for {name} in {self.items(1)} %}}{inner}{{% endfor %}}"
        if kind < 0.9:
            return f"{{% set s = {self.text(2)} %}}{inner}"
        return f"{{% if {self.condition(2)} %}}{inner}{{% endif %}}"

    def values(self, size: int) -> dict[str, Any]:
        part = size // 4
        texts = (
            "a" * part,
            "<>" * (part // 2),
            "<!--a-->" * (part // 8),
            "\n" * part,
            "a-" * (part // 2),
            "ab " * (part // 3),
        )
        count = max(1, part // self.random.choice((9, 12, 40, 200)))
        lists: tuple[list[Any], ...] = (
            ["a" * max(1, part // count - 9)] * count,
            [(2**61 - 1) * at for at in range(part // 30)],
            [[] for _ in range(part // 9)],
            ["a" * part],
        )
        t, u, s = (self.random.choice(texts) for _ in range(3))
        return {"t": t, "u": u, "s": s, "l": self.random.choice(lists)}


def largest_allowed(template: Program) -> int:
    """Return about the largest size of values that the template renders with in this process."""
    low, high = 0, MAX_SIZE
    while high - low > low // 8 + 64:
        middle = (low + high) // 2
        low, high = (middle, high) if template.cost.heaviest(middle) is None else (low, middle)
    return low


@pytest.mark.parametrize(
    "seed", [*range(40), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(40, 1_000))]
)
def test_what_renders_here_is_cheap_at_its_limit(seed: int) -> None:
    """Random templates, each with as large and as hostile values as the model lets in: it holds what it says."""
    author = Author(seed)
    text = "".join(author.statement(author.random.randint(0, 3)) for _ in range(3))
    template = Program(f"t/x.{author.random.choice(('txt', 'html'))}.j2", lambda _name: text, "root", email=False)
    values, size = prepare(author.values(largest_allowed(template)), NOW)
    if not template.cost.allows(size):
        return
    work, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        template.render(values)
    except TemplateError as error:
        assert error.code in {"template_value_refused", "template_too_costly"}  # noqa: PT017
    assert time.process_time() - work < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 256 * 1024
