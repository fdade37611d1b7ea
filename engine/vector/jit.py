"""Compile kernels with numba where it is installed; run them as plain Python elsewhere.

Kernels are functions in the subset of Python that numba compiles. They stand in the ``kernels`` packages; callers do
not depend on whether they are compiled.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    # Each kernel is called from Python or from another kernel, never as a C callback.
    compiled: Function = _NUMBA.njit(cache=True, nogil=True, no_cfunc_wrapper=True)(function)
    return compiled


@contextmanager
def observe_compilation(on_compiled: Callable[[], object]) -> Iterator[None]:
    """Call ``on_compiled`` in the block each time that a function has been compiled, in the thread that needs it."""
    if _NUMBA is None:
        yield
        return
    event = importlib.import_module("numba.core.event")

    class Observer(event.Listener):  # type: ignore[name-defined, misc]
        def on_start(self, event: object) -> None:
            """Nothing is done when it begins."""

        def on_end(self, event: object) -> None:
            """Pass on the end."""
            on_compiled()

    with event.install_listener("numba:compile", Observer()):
        yield


def warn_without_numba(context: RunContext) -> None:
    """Report that vectorizing takes far longer than usual where numba is missing."""
    if not HAS_NUMBA:
        text = "numba is not installed: vectors are made without compiled kernels and take far longer."
        context.report(Message(text))
