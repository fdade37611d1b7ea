"""Accelerators that are in the machine, whether or not any runtime can use them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 5.0


@dataclass(frozen=True)
class Accelerator:
    """A piece of hardware.

    Args:
        device: what runtimes call its kind: ``cuda`` or ``ascend``.
        title: its own name.
    """

    device: str
    title: str


def available_cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    if found:
        return found[1].strip()
    import platform

    return platform.processor() or platform.machine() or "CPU"


def find_accelerators(devices: Path = Path("/dev")) -> list[Accelerator]:
    """The NVIDIA and Ascend devices of this machine."""
    return [*_nvidia(devices), *_ascend(devices)]


def _nvidia(devices: Path) -> list[Accelerator]:
    listed = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", _output("nvidia-smi", "-L"), re.MULTILINE)
    if listed:
        return [Accelerator("cuda", title) for title in listed]
    nodes = [path for path in devices.glob("nvidia*") if path.name[len("nvidia") :].isdigit()]
    return [Accelerator("cuda", f"NVIDIA GPU {path.name}") for path in sorted(nodes)]


def _ascend(devices: Path) -> list[Accelerator]:
    nodes = [path for path in devices.glob("davinci*") if path.name[len("davinci") :].isdigit()]
    return [Accelerator("ascend", f"Ascend {path.name}") for path in sorted(nodes)]


def _output(*command: str) -> str:
    if (program := shutil.which(command[0])) is None:
        return ""
    try:
        return subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
