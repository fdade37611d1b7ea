"""Search for a Python from which an environment can be made.

``sys.executable`` does not serve: on Windows and macOS it is QGIS itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..i18n import tr
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
    """Facts about a Python interpreter.

    Attributes:
        path: the program.
        version: major, minor and micro version.
        prefix: its ``sys.prefix``.
        bits: 64 or 32.
        has_venv: whether it has ``venv`` and ``ensurepip``.
    """

    path: str
    version: tuple[int, ...]
    prefix: str
    bits: int
    has_venv: bool

    def explain_unfit(self) -> str | None:
        """Explain in half a sentence why no environment can be made from it; None where one can."""
        low, high = PYTHON_VERSIONS
        if not low <= self.version[:2] < high:
            return tr("it is Python {version}; the engine needs {lowest} to {highest}").format(
                version=".".join(map(str, self.version)),
                lowest=f"{low[0]}.{low[1]}",
                highest=f"{high[0]}.{high[1] - 1}",
            )
        if self.bits != 64:
            return tr("it is a 32-bit Python")
        if not self.has_venv:
            return tr("it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)")
        return None


def list_candidates(chosen: str) -> list[str]:
    """List programs that may be a Python, the best first.

    Args:
        chosen: the user's choice, which is then the only candidate; or empty.
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
    found += filter(None, map(shutil.which, ("python3.12", "python3.11", "python3.10", "python3", "python")))
    return list(dict.fromkeys(found))


def probe_interpreter(path: str, environment: Mapping[str, str]) -> Interpreter | None:
    """Run the program ``path`` to learn what it is; None where it is not a Python that starts."""
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
        version, prefix, bits, has_venv = json.loads(done.stdout)
        return Interpreter(path, tuple(version), str(prefix), int(bits), bool(has_venv))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def find_interpreter(chosen: str, environment: Mapping[str, str]) -> tuple[Interpreter | None, str]:
    """Find the first Python from which an environment can be made.

    Args:
        chosen: the user's choice, or empty.
        environment: variables for the programs that are tried.

    Returns:
        The interpreter, or None and a sentence that says why each candidate cannot be used.
    """
    reasons = []
    for path in list_candidates(chosen):
        interpreter = probe_interpreter(path, environment)
        reason = interpreter.explain_unfit() if interpreter else tr("it does not start as a Python")
        if reason is None:
            return interpreter, ""
        reasons.append(f"{path}: {reason}")
    return None, " ".join([tr("No Python was found from which an environment can be made."), "; ".join(reasons)])
