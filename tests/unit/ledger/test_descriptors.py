"""How many connections fit, and descriptors that are kept for the ledger."""

import json
import subprocess
import sys

PROGRAM = """
import json, os, resource
from metrix_channels.ledger.descriptors import Spares, fitting_connections, none_is_left
said = [fitting_connections(32)]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
said += [fitting_connections(32), fitting_connections(4)]
spares = Spares()
spares.take()
held = []
while not none_is_left():
    held.append(os.open("/dev/null", os.O_RDONLY))
said += [fitting_connections(32), spares.release(), none_is_left(), spares.release()]
print(json.dumps(said))
"""


def test_connections_are_fitted_to_what_is_left():
    """Never more than wanted and never none; spares give way when they are let go of."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    wanted, fitting, few, least, released, left, again = json.loads(found.stdout)
    assert (wanted, few, least) == (32, 4, 1)
    assert 16 < fitting < 24
    assert (released, left, again) == (True, False, False)
