"""The table of verbs says what the verbs say of themselves."""

import importlib
import pkgutil
import re

import pytest
from typer.main import get_group

from metrix_channels.cli import commands
from metrix_channels.cli.commands import VERBS
from metrix_channels.cli.context import app


def registered():
    """All verbs that the modules register, as typer makes them."""
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}")
    importlib.import_module("metrix_channels.cli.demo")
    return {name: verb for name, verb in get_group(app).commands.items() if type(verb).__name__ != "_Listed"}


def test_every_verb_is_in_the_table():
    """A verb that is missing there cannot be called; one that is there alone does not exist."""
    assert registered().keys() == VERBS.keys()
    assert len(app.registered_commands) + len(app.registered_groups) == len(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_the_table_lists_a_verb_as_its_own_help_does(name):
    """Nobody reads two different sentences about one verb; and its module is the one that registers it."""
    verb = registered()[name]
    assert verb.get_short_help_str(200) == VERBS[name].help
    callback = verb.callback or next(iter(verb.commands.values())).callback
    assert callback.__module__ == VERBS[name].module


@pytest.mark.parametrize("name", VERBS)
def test_the_help_shows_no_types_of_python(name):
    """`FILE`, not `FILE <path>` or `<int range>`; in the verbs of a group too."""
    verb = registered()[name]
    for each in (verb, *getattr(verb, "commands", {}).values()):
        assert not re.search(r"<[a-z\[]", each.get_help(each.context_class(each)))
