"""A type checker of the users knows the type of everything that they can reach."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_every_public_symbol_has_a_type():
    """`pyright --verifytypes` finds no attribute, parameter or return value whose type must be guessed."""
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"}
    command = [
        Path(sys.prefix, "bin", "pyright"),
        "--verifytypes",
        "metrix_channels",
        "--ignoreexternal",
        "--outputjson",
    ]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    report = json.loads(found.stdout)["typeCompleteness"]
    of_what = {symbol["name"] for symbol in report["symbols"] if not symbol["isTypeKnown"] and symbol["isExported"]}
    assert of_what == set()
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000, "pyright did not find the package"
    assert report["completenessScore"] == 1
