"""The gate as CI runs it: the script runs in a separate process, on a good change and on broken ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of the example."""
    checkout = tmp_path / "checkout"
    shutil.copytree(EXAMPLE, checkout, ignore=shutil.ignore_patterns("tests", "*.db*"))
    return checkout


def gate(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the job, without the server key, as for a change from a fork."""
    return subprocess.run(
        [folder / "gate.sh"],
        env={"PATH": f"{COMMANDS}:/usr/bin:/bin", "METRIX_APP_ID": "shop-production", "CI": "true", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def edit(file: Path, old: str, new: str) -> None:
    """Make a change."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_good_change_passes(folder: Path) -> None:
    """The gate needs no secret and no connection."""
    result = gate(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "recipients: 2" in result.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("channels.yaml", "verified:", "note_verified:", "channels.yaml:"),
        ("channels.yaml", "app_id: shop-production", "app_id: shop-staging", "shop-staging"),
        (
            "channels.yaml",
            "verified: {at: 2026-11-20, by: sara@example.com, app_id: shop-production}",
            "verified: false",
            "sms",
        ),
        ("templates/order_shipped/sms.txt.j2", "{{ order_id", "{{ oder_id", "oder_id"),
        ("templates/order_shipped/sms.txt.j2", "{{ order_id", "{% if order_id", "order_shipped"),
        ("campaigns/shipped.yaml", "template: order_shipped", "template: order_sent", "order_sent"),
        ("campaigns/shipped.csv", "order_id", "order", "order_id"),
    ],
)
def test_a_broken_change_is_refused_with_its_place(folder: Path, file: str, old: str, new: str, said: str) -> None:
    """The log of the job names what is broken."""
    edit(folder / file, old, new)
    result = gate(folder)
    assert result.returncode in (2, 3), result.stdout + result.stderr
    assert said in result.stdout + result.stderr


def test_the_gate_asks_for_the_application(folder: Path) -> None:
    """A channel was tested for one application, so the gate needs its id."""
    result = gate(folder, METRIX_APP_ID="")
    assert result.returncode != 0
    assert "METRIX_APP_ID" in result.stderr


def test_the_workflows_install_the_requirements_and_run_the_gate() -> None:
    """This test only reads the workflows, because this machine is neither of the two services."""
    github = yaml.safe_load((EXAMPLE / "workflows" / "github.yml").read_text())
    steps = [step["run"] for step in github["jobs"]["preflight"]["steps"] if "run" in step]
    gitlab = yaml.safe_load((EXAMPLE / "workflows" / "gitlab.yml").read_text())
    for commands in (steps, gitlab["preflight"]["script"]):
        assert commands == ["pip install -r requirements.txt", "./gate.sh"]
    assert os.access(EXAMPLE / "gate.sh", os.X_OK)
