"""Run a command and measure wall time, processor time and the peak memory of its whole process tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Measured:
    """Measurements of one command.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds of all processors together.
        peak_bytes: the largest sum of resident pages over the process and its children.
        stdout: its output.
        stamps: seconds from the start to each line of ``stdout``.
    """

    seconds: float
    cpu: float
    peak_bytes: int
    stdout: str
    stamps: list[float] = field(default_factory=list)

    def events(self) -> list[tuple[float, dict[str, Any]]]:
        """Return the events of a command with ``--json``, each with the seconds since the start."""
        return list(zip(self.stamps, map(json.loads, self.stdout.splitlines()), strict=True))


def terraspore_command(*arguments: str | Path) -> list[str]:
    """Return the command line with the machine protocol."""
    return [sys.executable, "-m", "terraspore", *map(str, arguments), "--json"]


def terraspore(*arguments: str | Path) -> Measured:
    """Run the command line with the machine protocol."""
    return run(terraspore_command(*arguments))


def run(command: Sequence[str]) -> Measured:
    """Run ``command`` to its end.

    Memory is polled 20 times a second from ``/proc`` (Linux): shared pages are counted once for each process, so it
    errs upwards.

    Raises:
        SystemExit: the command failed; its standard error is shown.
    """
    with tempfile.TemporaryFile("w+") as errors:
        before, begin = os.times(), time.perf_counter()
        process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=errors, text=True)
        peak, done = [0], threading.Event()

        def watch() -> None:
            while not done.wait(POLL_SECONDS):
                peak[0] = max(peak[0], _tree_bytes(process.pid))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        assert process.stdout is not None
        lines, stamps = [], []
        for line in process.stdout:
            stamps.append(time.perf_counter() - begin)
            lines.append(line)
        process.wait()
        seconds, after = time.perf_counter() - begin, os.times()
        done.set()
        watcher.join()
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{''.join(lines)[-2000:]}{errors.read()[-2000:]}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(seconds, cpu, peak[0], "".join(lines), stamps)


def _tree_bytes(pid: int) -> int:
    """Return the resident bytes of ``pid`` and its descendants."""
    total, waiting = 0, [pid]
    page = os.sysconf("SC_PAGE_SIZE")
    while waiting:
        current = waiting.pop()
        try:
            total += int(Path(f"/proc/{current}/statm").read_text().split()[1]) * page
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended in the meantime
    return total
