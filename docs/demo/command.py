"""Run the command line as a user would."""

from __future__ import annotations

import subprocess
import sys


def terraspore(*arguments: str, capture: bool = False) -> str:
    """Run a command and stop with its exit code if it fails.

    Args:
        arguments: the arguments of the program.
        capture: return its stdout instead of showing it.
    """
    if not capture:
        print("$ terraspore " + " ".join(arguments), flush=True)
    command = [sys.executable, "-m", "terraspore", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""
