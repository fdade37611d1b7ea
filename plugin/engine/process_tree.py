"""Child processes without a window, which can be ended together with their own children. Needs no QGIS."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

#: For ``subprocess``: no console window on Windows.
NO_WINDOW: dict[str, Any] = {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
#: For a process that ``end_process_tree`` can end: in addition, a process group of its own on other systems.
OWN_TREE: dict[str, Any] = {**NO_WINDOW, "start_new_session": sys.platform != "win32"}
_TASKKILL_SECONDS = 10


def end_process_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started with ``OWN_TREE``, and its children, by force.

    On Windows the interpreter of a virtual environment is itself a launcher, whose child does the work.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if sys.platform == "win32":
            subprocess.run(  # nosec B603 B607
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TASKKILL_SECONDS,
                check=False,
                **NO_WINDOW,
            )
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # does nothing where it has ended
