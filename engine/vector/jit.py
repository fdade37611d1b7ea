"""Compile kernels with numba where it is installed; run them as plain Python elsewhere.

Kernels are functions in the subset of Python that numba compiles. They stand in the ``kernels`` packages; callers do
not depend on whether they are compiled.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from ..context import RunContext
from ..protocol.messages import Message

Function = TypeVar("Function", bound=Callable[..., object])


try:
    _NUMBA: ModuleType | None = importlib.import_module("numba")
except ImportError:
    _NUMBA = None

#: Whether numba is installed, so that kernels are compiled.
HAS_NUMBA = _NUMBA is not None


def jit(function: Function) -> Function:
    """Compile ``function`` with numba (without the GIL, cached on disk); return it as it is where numba is missing."""
    if _NUMBA is None:
        return function
    compiled: Function = _NUMBA.njit(cache=True, nogil=True)(function)
    return compiled


def warn_without_numba(context: RunContext) -> None:
    """Report that vectorizing takes far longer than usual where numba is missing."""
    if not HAS_NUMBA:
        text = "numba is not installed: vectors are made without compiled kernels and take far longer."
        context.report(Message(text))
