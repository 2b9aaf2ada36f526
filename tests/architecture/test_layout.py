"""The shape of the tree: what the linters do not see."""

import ast
import re
from collections import Counter
from pathlib import Path

import grimp
import pytest

import metrix_channels

PACKAGE = Path(metrix_channels.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
UNIT_TESTS = sorted(Path(__file__).parents[1].joinpath("unit").rglob("test_*.py"))
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 50
MOST_ATTRIBUTES = 16
MOST_MODULES = 15
ABOUT_A_FOLDER = {
    "adapters",
    "errors",
    "preflight",
    "inheritance",
    "samples",
    "database_conformance",
    "run_book_conformance",
    "connection_conformance",
    "run_claim_conformance",
}


def name_of(path):
    return str(path.relative_to(PACKAGE))


def attributes_of(cls):
    """The attributes that the methods of a class set; those of plain records are their fields, as many as they need."""
    stores = (node for node in ast.walk(cls) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in stores if isinstance(node.value, ast.Name) and node.value.id == "self"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_small(path):
    """A stranger reads it in one go: module, function and class alike."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert source.count("\n") <= MOST_LINES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_A_FUNCTION, node.name
        if isinstance(node, ast.ClassDef):
            assert len(attributes_of(node)) <= MOST_ATTRIBUTES, node.name


def test_a_folder_holds_about_a_dozen_modules():
    """More than that answer more than one question."""
    folders = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {name_of(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_no_imports_go_in_a_circle():
    """Not even for type checkers: of two modules that need each other, one rule stands in the wrong place."""
    graph = grimp.build_graph("metrix_channels", exclude_type_checking_imports=False, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    assert sorted(left) == []


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_a_unit_test_stands_where_its_module_stands(path):
    """Whoever looks for the tests of a module finds them by its name; a few are about a folder as a whole."""
    folder = path.parent.relative_to(Path(__file__).parents[1] / "unit")
    if folder.parts[:1] == ("helpers",):
        return
    place, name = PACKAGE / folder, path.stem.removeprefix("test_")
    assert place.is_dir()
    assert (place / f"{name}.py").exists() or (place / name).is_dir() or name in ABOUT_A_FOLDER


OPENS = {
    "files.py": "reads what a user names",
    "api/connectivity.py": "the system's own resolv.conf",
    "cli/commands/init.py": "samples of the package, and new files",
    "cli/demo.py": "files of its own",
    "cli/new_files.py": "new files",
    "cli/ui/output.py": "the null device",
    "cli/commands/tracking.py": "a file of its own",
    "config/editing.py": "a new file, and the folder to sync",
    "errors/extras.py": "what pip recorded of the package",
    "ledger/descriptors.py": "the null device",
    "ledger/sqlite/liveness.py": "locks of its own",
    "ledger/postgres/schema.py": "files of packages",
    "ledger/sqlite/database.py": "a new ledger",
    "ledger/sqlite/schema.py": "files of the package",
    "ledger/sqlite/write_ahead.py": "what the system has mounted",
    "pages/rendering.py": "files of the package",
    "pages/words.py": "files of the package",
    "support/bundle.py": "a new file",
    "sandbox/client_config.py": "files of its own",
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


READ_THE_CLOCK = {
    "process/wall_clock.py": "the one place",
    "logs.py": "lines of a log carry the machine's time",
    "support/doctor.py": "it judges the machine's clock",
    "templating/library.py": "compares with the times of files",
}
"""Modules that read the machine's wall clock, and why."""


def test_the_wall_clock_is_read_in_one_place():
    """Tests of users set it there, so that everything that the library dates follows."""
    reads = re.compile(r"\btime\.time\(|\btime_ns\(|\bdatetime\.(?:now|utcnow)\(|\bdate\.today\(")
    found = {name_of(path) for path in MODULES if reads.search(_without_text(path.read_text(encoding="utf-8")))}
    assert found == set(READ_THE_CLOCK)


def _without_text(source: str) -> str:
    return ast.unparse(_NoText().visit(ast.parse(source)))


class _NoText(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node
