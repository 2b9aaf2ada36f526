"""Run a command and print, as the last line of stderr, the most memory that it held, in MB.

python benchmarks/peak.py COMMAND…
"""

import resource
import subprocess
import sys

status = subprocess.run(sys.argv[1:], check=False).returncode  # noqa: S603
print(f"\n{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f}", file=sys.stderr)
sys.exit(status)
