"""The standard streams of the process, usable however it was started."""

from __future__ import annotations

import io
import os
import sys


def prepare_standard_streams() -> None:
    """Open closed standard streams on the null device, and print what an encoding lacks as Python writes it.

    A file that got the number of a closed stream would receive what libraries print.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
