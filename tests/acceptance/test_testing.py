"""docs/testing.md is true: each of its blocks of Python runs as a file of tests, with the plugin as it is installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(folder, source):
    """Run a file of tests in a process of its own."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--color=no"]
    environment = {**os.environ, "COLUMNS": "160", "PYTHONUTF8": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=120
    )


def test_the_tests_of_the_page_pass(tmp_path):
    """Each block is a file of tests; all are run."""
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"test_block_{number}.py").write_text(block, encoding="utf-8")
    done = run(tmp_path, "")
    tests = sum(block.count("def test_") for block in BLOCKS)
    assert tests > 5
    assert f"{tests} passed" in done.stdout, done.stdout


def test_a_failure_reads_as_the_page_says(tmp_path):
    """It lists what arrived, and shows no line of the plugin."""
    [expected] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    source = BLOCKS[0].replace('sms.to("user-42")', 'sms.to("user-7")')
    done = run(tmp_path, source)
    assert "1 failed" in done.stdout
    shown = "\n".join(line.removeprefix("E").strip() for line in done.stdout.splitlines())
    assert "\n".join(line.strip() for line in expected.splitlines()) in shown
    assert "metrix_channels/testing" not in done.stdout


@pytest.mark.parametrize("name", ["metrix_sandbox", "metrix_config", "metrix_clock"])
def test_the_page_lists_each_fixture(name):
    """Under its name."""
    assert f"| `{name}` |" in PAGE
