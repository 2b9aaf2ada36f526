"""Run a command and print, as the last line of stderr, JSON of what it cost: seconds, CPU seconds, peak memory in MB.

    python benchmarks/peak.py COMMAND…

Apart from the runner, since a process is counted at least as large as the one that started it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

began = time.perf_counter()
status = subprocess.run(sys.argv[1:], check=False).returncode  # noqa: S603
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}
print(f"\n{json.dumps(cost)}", file=sys.stderr)
sys.exit(status)
