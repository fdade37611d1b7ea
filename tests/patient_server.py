"""Run TerraSpore, with a server that has all the time it needs to end after its stdin.

Otherwise it is ended by force after two seconds, with another exit code. A busy machine may take longer.

    python patient_server.py serve
"""

from __future__ import annotations

import sys
from pathlib import Path

#: Takes the arguments of ``terraspore``.
PATIENT_COMMAND = (sys.executable, str(Path(__file__).resolve()))
#: Seconds that the server waits for twice; shorter than tests wait for its end.
GRACE = 100.0

if __name__ == "__main__":
    from terraspore.__main__ import main as run_main
    from terraspore.engine.cli import serve

    serve.STOP_GRACE = GRACE
    run_main()
