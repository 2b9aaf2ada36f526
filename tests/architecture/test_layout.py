"""The shape of the tree: what the linters do not see."""

import ast
from pathlib import Path

import pytest

import metrix_channels

PACKAGE = Path(metrix_channels.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for_and_stays_small(path):
    """A docstring, at most 500 lines, functions of at most 60."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert source.count("\n") <= 500
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


OPENS = {
    "files.py": "reads what a user names",
    "api/connectivity.py": "the system's own resolv.conf",
    "cli/commands/init.py": "samples of the package, and new files",
    "cli/demo.py": "files of its own",
    "cli/new_files.py": "new files",
    "cli/ui/output.py": "the null device",
    "cli/commands/tracking.py": "a file of its own",
    "config/editing.py": "a new file, and the folder to sync",
    "ledger/sqlite/liveness.py": "locks of its own",
    "ledger/postgres/schema.py": "files of packages",
    "ledger/sqlite/connection.py": "files of the package, and a new ledger",
    "pages/rendering.py": "files of the package",
    "pages/words.py": "files of the package",
    "support/bundle.py": "a new file",
    "testing.py": "files of its own",
}
"""Modules that open files, and which."""


def _opens_files(tree: ast.AST) -> bool:
    """Whether a module calls `open`, in whatever way, or what reads or writes a whole file."""
    names = {"open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "FileIO"}
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id in names - own:
            return True
        if isinstance(function, ast.Attribute) and function.attr in names and not _is_own(function):
            return True
    return False


def _is_own(function: ast.Attribute) -> bool:
    """`self.….open(…)` opens no file: it is a method of the package's own."""
    inner: ast.AST = function.value
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return isinstance(inner, ast.Name) and inner.id == "self"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_that_a_user_names_are_opened_in_one_place(path):
    """There named pipes and devices are refused: whoever opens a file of a user's by another way could hang."""
    name = path.relative_to(PACKAGE).as_posix()
    assert _opens_files(ast.parse(path.read_text(encoding="utf-8"))) <= (name in OPENS)
