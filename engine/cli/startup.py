"""What a process needs before a command is imported: standard streams, and enough address space (``ulimit -v``)."""

from __future__ import annotations

import faulthandler
import importlib
import io
import os
import sys

from ..errors import OutOfMemoryError, ParameterError

#: Smallest limit in bytes under which the libraries load and compute a tile.
MINIMUM = 2_000_000_000
#: Libraries with a copy of OpenBLAS.
_LIBRARIES = ("numpy", "scipy.linalg", "cv2")
#: Seconds that their import may take.
_TIMEOUT = 120.0


def prepare_address_space() -> None:
    """Refuse a limit that is too low, and load the libraries which would hang under it.

    Where OpenBLAS gets no memory for its threads, it tries again for ever, with Python's lock held, so that no signal
    is handled. So it gets one thread, and a watchdog that needs no lock ends the process.

    Raises:
        ParameterError: the limit is too low.
        OutOfMemoryError: the libraries cannot be loaded under it.
    """
    if sys.platform == "win32":  # it has no such limit
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    if limit < MINIMUM:
        text = f"This process may use {limit / 1e9:.1f} GB of address space, and {MINIMUM / 1e9:.0f} GB are needed."
        raise ParameterError(text, "Raise the limit (`ulimit -v`).")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    faulthandler.dump_traceback_later(_TIMEOUT, exit=True)
    try:
        for name in _LIBRARIES:
            importlib.import_module(name)
    except (ImportError, MemoryError) as error:
        raise OutOfMemoryError(f"A library cannot be loaded: {error}.", "Raise the limit (`ulimit -v`).") from error
    finally:
        faulthandler.cancel_dump_traceback_later()


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
