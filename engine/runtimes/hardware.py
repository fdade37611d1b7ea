"""The processor and the accelerators of the machine, whether or not any runtime can use them."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

#: A graphics card that sleeps takes many seconds to answer.
_TIMEOUT_SECONDS = 20.0


class Accelerator(NamedTuple):
    """A device for computation.

    Attributes:
        device: the runtimes' name of its kind: ``cuda`` or ``ascend``.
        title: the hardware's own name.
    """

    device: str
    title: str


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    if found:
        return found[1].strip()
    return platform.processor() or platform.machine() or "CPU"


def list_hardware() -> list[Accelerator]:
    """Return the processor and the accelerators of this machine."""
    return [Accelerator("cpu", cpu_name()), *find_accelerators()]


def find_accelerators(devices: Path = Path("/dev")) -> list[Accelerator]:
    """Return the NVIDIA and Ascend devices of this machine.

    Args:
        devices: folder of device files, which are used where ``nvidia-smi`` is not installed, and for Ascend.
    """

    def list_numbered(prefix: str) -> list[str]:
        return sorted(path.name for path in devices.glob(f"{prefix}*") if path.name[len(prefix) :].isdigit())

    titles = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", _list_with_nvidia_smi(), re.MULTILINE)
    cuda = titles or [f"NVIDIA GPU {name}" for name in list_numbered("nvidia")]
    ascend = [f"Ascend {name}" for name in list_numbered("davinci")]
    return [*(Accelerator("cuda", title) for title in cuda), *(Accelerator("ascend", title) for title in ascend)]


def _list_with_nvidia_smi() -> str:
    """Return the output of ``nvidia-smi -L``; empty where it is not installed or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        return subprocess.run(
            [program, "-L"],
            stdin=subprocess.DEVNULL,  # on Windows a child waits for ever while the parent reads the same pipe
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
