"""Compiled kernels where numba is installed, the same functions in plain Python where it is not.

Kernels are written in the part of Python that numba compiles, in modules named ``kernels`` or ``*_kernels``, apart
from the flow. Nothing else in the engine knows whether they are compiled.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from ..context import Reporter
from ..protocol.messages import Message

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def _import_numba() -> ModuleType | None:
    try:
        return importlib.import_module("numba")
    except ImportError:
        return None


_NUMBA = _import_numba()

#: Whether kernels are compiled.
ACCELERATED = _NUMBA is not None


def kernel(function: Kernel) -> Kernel:
    """Compile ``function`` where numba is installed; it releases the interpreter's lock and is cached on disk."""
    if _NUMBA is None:
        return function
    compiled: Kernel = _NUMBA.njit(cache=True, nogil=True)(function)
    return compiled


def say_if_slow(reporter: Reporter) -> None:
    """Tell the person that vectors will take long, where numba is missing."""
    if not ACCELERATED:
        reporter.emit(Message("numba is not installed: vectors are made without compiled kernels and take far longer."))
