"""What a public signature speaks of can be imported: users annotate their own functions with it."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import metrix_channels
from metrix_channels import testing

PACKAGE = metrix_channels.__name__
PUBLIC_MODULES = (metrix_channels, testing)
OF_THE_LIBRARY = {"of", "move", "skip"}
"""Methods of public classes that only the library calls: they make them from the ledger's records, and count."""
SPECIAL = {"__call__", "__enter__", "__aenter__"}
EXPORTED = {name for module in PUBLIC_MODULES for name in module.__all__}


def public_classes():
    """Return the exported classes, and those of the package that they inherit from."""
    exported = (getattr(module, name) for module in PUBLIC_MODULES for name in module.__all__)
    bases = {base for each in exported if inspect.isclass(each) for base in each.__mro__}
    return sorted((base for base in bases if base.__module__.startswith(PACKAGE)), key=lambda base: base.__qualname__)


def named_in(annotation):
    """Return the names that an annotation consists of, also where it is a string."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from named_in(ast.parse(node.value, mode="eval"))


def annotations_of(definition):
    """Return the annotations of a class's public fields and methods. Instances are made by methods, not by hand."""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and not statement.target.id.startswith("_"):
            yield statement.annotation
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            is_private = statement.name.startswith("_") and statement.name not in SPECIAL
            if is_private or statement.name in OF_THE_LIBRARY:
                continue
            arguments = statement.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            yield from (each.annotation for each in every if each is not None and each.annotation is not None)
            yield from [statement.returns] if statement.returns is not None else []


def own_names(module, tree):
    """Return the names of a module that come from this package: what it defines, and what it imports relatively."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from (alias.asname or alias.name for alias in node.names)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("public", public_classes(), ids=lambda public: public.__qualname__)
def test_every_name_in_a_public_signature_can_be_imported(public):
    """From `metrix_channels`, or what tests use from `metrix_channels.testing`."""
    module = importlib.import_module(public.__module__)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    [definition] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == public.__name__]
    used = {name for annotation in annotations_of(definition) for name in named_in(annotation)}
    assert used & set(own_names(module, tree)) - EXPORTED == set()
