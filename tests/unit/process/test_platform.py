"""A system without what the library needs."""

import subprocess
import sys

import pytest

HIDDEN = "import sys; sys.modules.update(dict.fromkeys(('fcntl', 'resource', 'termios', 'pwd', 'grp'))); "
USE = "import metrix_channels\nprint(metrix_channels.__version__)\nmetrix_channels.Notifier"
VERB = "sys.argv = ['metrix-channels', 'channels', 'list']\nfrom metrix_channels.cli import main\nmain()"


@pytest.mark.parametrize(("program", "status"), [(USE, 1), (VERB, 2)])
def test_windows_is_refused_in_one_sentence(program, status):
    """Not by an ImportError of some module; the package itself can be imported."""
    found = subprocess.run([sys.executable, "-c", HIDDEN + program], capture_output=True, text=True, timeout=60)
    assert found.returncode == status
    assert "[platform_unsupported]" in found.stderr
    assert "WSL" in found.stderr
    assert "ImportError" not in found.stderr
    assert ("Traceback" in found.stderr) == (program == USE)
