"""The processor and the accelerators of the machine, whether or not any runtime can use them."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Accelerator:
    """A device for computation.

    Args:
        device: the runtimes' name of its kind: ``cuda`` or ``ascend``.
        title: the hardware's own name.
    """

    device: str
    title: str


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    process = psutil.Process()
    # macOS has no affinity of processes.
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    if found:
        return found[1].strip()
    return platform.processor() or platform.machine() or "CPU"


def find_accelerators(devices: Path = Path("/dev")) -> list[Accelerator]:
    """Return the NVIDIA and Ascend devices of this machine."""
    return [*_nvidia(devices), *_ascend(devices)]


def _nvidia(devices: Path) -> list[Accelerator]:
    listed = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", _run_command("nvidia-smi", "-L"), re.MULTILINE)
    if listed:
        return [Accelerator("cuda", title) for title in listed]
    nodes = [path for path in devices.glob("nvidia*") if path.name[len("nvidia") :].isdigit()]
    return [Accelerator("cuda", f"NVIDIA GPU {path.name}") for path in sorted(nodes)]


def _ascend(devices: Path) -> list[Accelerator]:
    nodes = [path for path in devices.glob("davinci*") if path.name[len("davinci") :].isdigit()]
    return [Accelerator("ascend", f"Ascend {path.name}") for path in sorted(nodes)]


def _run_command(*command: str) -> str:
    if (program := shutil.which(command[0])) is None:
        return ""
    try:
        return subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
