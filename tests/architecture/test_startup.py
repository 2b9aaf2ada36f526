"""What is not loaded before somebody needs it: most of the first second of a program is imports."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2]
NETWORK = {"httpx", "httpcore", "httptools", "certifi", "http.client", "urllib.request"}
COMMAND_LINE = {"typer", "rich", "pydantic"}
DATABASES = {"sqlite3", "psycopg", "procrastinate"}
INNER = {"metrix_channels.api", "metrix_channels.delivery", "metrix_channels.ledger.sends"}
OF_A_SEND = NETWORK | DATABASES | INNER | {"jinja2"}
CAMPAIGNS = {"metrix_channels.campaign", "metrix_channels.sandbox", "metrix_channels.dashboard"}


@pytest.fixture
def project(tmp_path):
    """A folder to start in, with a configuration of which one channel is verified."""
    (tmp_path / "templates").symlink_to(SAMPLES / "templates")
    (tmp_path / "channels.yaml").write_text(
        "version: 1\n"
        "metrix: {app_id: '${METRIX_APP_ID}', api_key: '${METRIX_API_KEY}'}\n"
        "channels: {sms: {type: sms, verified: true}}\n"
    )
    return tmp_path


def loaded_by(code, folder):
    """The modules that a new process has loaded after running some code."""
    code += "\nimport sys; sys.__stderr__.write(' '.join(sys.modules))"
    variables = {**os.environ, "METRIX_APP_ID": "app", "METRIX_API_KEY": "key-of-nobody"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stderr.split())


def loaded_by_command(arguments, folder):
    """The modules that the command line has loaded when it ends."""
    return loaded_by(
        "import sys\nfrom metrix_channels.cli import main\n"
        f"sys.argv = ['metrix-channels', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code",
        folder,
    )


@pytest.mark.parametrize(
    ("arguments", "not_needed"),
    [
        (["--version"], COMMAND_LINE | {"attrs", "cattrs", "yaml", "asyncio", "metrix_channels.errors"}),
        (["--json", "--version"], {"rich", "pydantic", "yaml", "asyncio", "metrix_channels.config"}),
        (["--help"], {"rich", "pydantic", "yaml", "asyncio", "metrix_channels.config"}),
        (["explain", "403"], {"pydantic", "yaml", "asyncio", "metrix_channels.config"}),
        (["channels", "list"], OF_A_SEND | CAMPAIGNS | {"pydantic", "asyncio", "metrix_channels.notifier"}),
        (["channels", "list", "--json"], {"rich"}),
        (["campaign", "list", "--json"], {"rich"}),
        (["send", "--help"], OF_A_SEND | CAMPAIGNS | {"rich", "pydantic", "asyncio"}),
        (
            ["send", "sms", "--to", "u", "--template", "otp", "--set", "code=1", "--dry-run"],
            NETWORK | DATABASES | CAMPAIGNS | {"rich", "pydantic", "asyncio", "ssl", "metrix_channels.delivery"},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_loads_what_it_needs(arguments, not_needed, project):
    """Others' modules, and the packages behind them, are not paid for."""
    assert loaded_by_command(arguments, project) & not_needed == set()


@pytest.mark.parametrize(
    ("code", "not_needed"),
    [
        ("import metrix_channels", {"attrs", "yaml", "asyncio", "metrix_channels.errors"}),
        ("from metrix_channels import ConfigError", {"yaml", "asyncio", "metrix_channels.config"}),
        (
            "from metrix_channels import Notifier; notifier = Notifier.from_config()",
            OF_A_SEND | COMMAND_LINE | CAMPAIGNS | {"metrix_channels.templating", "metrix_channels.preflight"},
        ),
        (
            "from metrix_channels import Notifier; Notifier.from_config().dry_run('sms', 'u', 'otp', {'code': '1'})",
            NETWORK | DATABASES | COMMAND_LINE | CAMPAIGNS | {"metrix_channels.delivery"},
        ),
    ],
    ids=["package", "error", "notifier", "dry run"],
)
def test_a_program_loads_what_it_needs(code, not_needed, project):
    """What a notifier sends with is loaded by its first send, and an HTTP client by the first request."""
    assert loaded_by(code, project) & not_needed == set()


@pytest.mark.parametrize("package", ["metrix_channels", "metrix_channels.ledger"])
def test_the_names_that_a_package_loads_on_demand_are_those_that_type_checkers_see(package):
    """A package names them three times: for type checkers, for `import *`, and where they are found."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {name.name: node.module for node in block.body for name in node.names}
    assert seen == module._HOME_OF
    assert set(module.__all__) - {"__version__"} == seen.keys()
    assert all(getattr(module, name) is not None for name in seen)
