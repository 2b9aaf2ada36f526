"""What is not loaded before somebody needs it: most of the first second of a program is imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2]
NETWORK = {"httpx", "httpcore", "httptools", "certifi"}
COMMAND_LINE = {"typer", "rich", "pydantic"}
DATABASES = {"sqlite3", "psycopg", "procrastinate"}
OF_A_SEND = (
    NETWORK | DATABASES | {"jinja2", "metrix_channels.ledger", "metrix_channels.delivery", "metrix_channels.api"}
)
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
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_verb_loads_what_it_needs(arguments, not_needed, project):
    """Others' modules, and the packages behind them, are not paid for."""
    assert loaded_by_command(arguments, project) & not_needed == set()
