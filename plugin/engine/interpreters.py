"""Finding a Python from which an environment can be made.

``sys.executable`` cannot be used as it is: on Windows and macOS it is QGIS itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .env_profiles import PYTHON_VERSIONS

_PROBE = (
    "import json,sys,struct\n"
    "try:\n import venv, ensurepip; makes = True\n"
    "except ImportError: makes = False\n"
    "print(json.dumps([list(sys.version_info[:3]), sys.prefix, struct.calcsize('P') * 8, makes]))"
)
_PROBE_SECONDS = 30


@dataclass(frozen=True)
class Interpreter:
    """A Python that was asked what it is.

    Attributes:
        path: the program.
        version: three numbers.
        prefix: its ``sys.prefix``.
        bits: 64 or 32.
        makes_environments: whether it has ``venv`` and ``ensurepip``.
    """

    path: str
    version: tuple[int, ...]
    prefix: str
    bits: int
    makes_environments: bool

    def objection(self) -> str | None:
        """Why the engine cannot use it, as half a sentence; None where it can."""
        low, high = PYTHON_VERSIONS
        if not low <= self.version[:2] < high:
            version = ".".join(map(str, self.version))
            return f"it is Python {version}; the engine needs {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
        if self.bits != 64:
            return "it is a 32-bit Python"
        return None


def candidates(chosen: str) -> list[str]:
    """Programs that may be a usable Python, the best first.

    Args:
        chosen: the person's choice; it is then the only candidate.
    """
    if chosen:
        return [chosen]
    found = []
    if Path(sys.executable or "").stem.lower().startswith("python"):
        found.append(sys.executable)
    prefix = Path(sys.base_exec_prefix)
    major, minor = sys.version_info[:2]
    names = ("python.exe", "python3.exe") if sys.platform == "win32" else (f"bin/python{major}.{minor}", "bin/python3")
    found += [str(prefix / name) for name in names if (prefix / name).is_file()]
    for name in ("python3.12", "python3.11", "python3.10", "python3", "python"):
        program = shutil.which(name)
        if program:
            found.append(program)
    return list(dict.fromkeys(found))


def probe(path: str, environment: Mapping[str, str]) -> Interpreter | None:
    """Ask the program ``path`` what it is; None where it is no Python that starts."""
    try:
        done = subprocess.run(  # nosec B603
            [path, "-I", "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        version, prefix, bits, makes = json.loads(done.stdout)
        return Interpreter(path, tuple(version), str(prefix), int(bits), bool(makes))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def find_interpreter(chosen: str, environment: Mapping[str, str]) -> tuple[Interpreter | None, str]:
    """The first usable Python, and why others are not.

    Args:
        chosen: the person's choice, or empty.
        environment: variables for the programs that are asked.

    Returns:
        The interpreter or None, and a sentence for the person where it is None.
    """
    objections = []
    for path in candidates(chosen):
        interpreter = probe(path, environment)
        if interpreter is None:
            objections.append(f"{path}: it does not start as a Python")
            continue
        objection = interpreter.objection()
        if objection is None and not interpreter.makes_environments:
            objection = "it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)"
        if objection is None:
            return interpreter, ""
        objections.append(f"{path}: {objection}")
    return None, "No Python was found from which an environment can be made. " + "; ".join(objections)
