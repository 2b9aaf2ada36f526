"""Layouts: what a template extends and includes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metrix_channels.errors import TemplateError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates
from metrix_channels.templating.program import Program

Write = Callable[..., Path]


def program(**files: str) -> Program:
    """Compile `main` with the other files beside it."""

    def read(name: str) -> str:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return Program("main", read, "root", email=False)


def test_blocks_and_super() -> None:
    """A block replaces or continues the layout's."""
    made = program(
        main="{% extends 'base' %}{% block a %}{{ super() }}+{{ x }}{% endblock %}",
        base="<{% block a %}A{% endblock %}>",
    )
    assert made.render({"x": 1}) == {"body": "<A+1>"}
    assert made.cost.risk is None


def test_variables_are_those_of_all_files() -> None:
    """Front matter, body, layout and include count; what the template sets for its layout does not."""
    made = program(
        main="---\ntitle: '{{ t }}'\n---\n{% extends 'base' %}{% set lang = code %}"
        "{% block a %}{{ x }}{{ lang }}{% include 'inc' %}{% endblock %}",
        base="{{ lang }}{{ brand }}{% block a %}{% endblock %}",
        inc="{{ y }}{{ now }}",
    )
    assert made.variables == {"t", "code", "x", "y", "brand"}
    assert list(made.texts) == ["main", "base", "inc"]


def test_a_name_used_before_it_is_set_is_a_variable() -> None:
    """`{% set x = x|default(1) %}` takes x from the context."""
    assert program(main="{% extends 'base' %}{% set x = x|default(1) %}", base="{{ x }}").variables == {"x"}


@pytest.mark.parametrize("verb", ["extends", "include"])
def test_a_circle_is_refused(verb: str) -> None:
    """A file that comes back to itself is found when it is loaded, with the line."""
    for files in (
        {"main": f"\n{{% {verb} 'main' %}}"},
        {"main": f"{{% {verb} 'b' %}}", "b": f"\n{{% {verb} 'main' %}}"},
    ):
        with pytest.raises(TemplateError) as caught:
            program(**files)
        assert caught.value.code == "template_syntax"
        assert (caught.value.location or "").split(":")[1] == "2"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "layouts/../../x", "a//b", "", "C:/x", "a\\\\b"])
def test_a_reference_out_of_the_folder_is_refused(name: str, write: Write, templates: Templates) -> None:
    """`extends` and `include` stay inside, and the error names the line."""
    path = write("t/sms.txt.j2", f"\n{{% include '{name}' %}}")
    with pytest.raises(TemplateError) as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "template_path_refused"
    assert (caught.value.location or "").startswith(f"{path}:2:")


def test_a_missing_layout_is_named(write: Write, templates: Templates) -> None:
    """The error names the file and the line that asks for it."""
    path = write("t/email.html.j2", '{% extends "layouts/emial.html.j2" %}')
    with pytest.raises(TemplateError, match="emial") as caught:
        templates.find("t", "email", ChannelType.EMAIL)
    assert (caught.value.code, caught.value.location) == ("template_missing", f"{path}:1:1")


def test_an_error_in_a_layout_names_the_layout() -> None:
    """Line and file are those of the code at fault, not of the template that was asked for."""
    with pytest.raises(TemplateError) as caught:
        program(main="{% extends 'base' %}", base="\n\n{{ brand }}").render({})
    assert caught.value.location == "root/base:3:4"
