"""Run a command and measure what it took: wall time and the peak memory of its whole process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Measured:
    """What one command took."""

    seconds: float
    peak_bytes: int
    stdout: str


def run(command: Sequence[str]) -> Measured:
    """Run ``command`` to its end.

    The peak is the largest sum of resident pages over the process and its children, polled 20 times a
    second from ``/proc`` (Linux): shared pages are counted once for each process, so it errs upwards.

    Raises:
        SystemExit: the command failed; its standard error is shown.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            peak[0] = max(peak[0], _tree_bytes(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    stdout, stderr = process.communicate()
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{stderr[-2000:]}")
    return Measured(seconds, peak[0], stdout)


def _tree_bytes(pid: int) -> int:
    """Resident bytes of ``pid`` and of everything it started."""
    total, waiting = 0, [pid]
    page = os.sysconf("SC_PAGE_SIZE")
    while waiting:
        current = waiting.pop()
        try:
            total += int(Path(f"/proc/{current}/statm").read_text().split()[1]) * page
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between two looks
    return total
