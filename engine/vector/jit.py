"""Compile kernels with numba where it is installed; run them as plain Python elsewhere.

Kernels are functions in the subset of Python that numba compiles. They stand in the ``kernels`` packages; callers do
not depend on whether they are compiled.

Everything is compiled once on each machine, while a person waits, so kernels are written as loops over single numbers:
numba takes about ten times as long to compile array expressions, slices that are assigned and NumPy's reductions.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from numbers import Number
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np

from ..context import RunContext
from ..protocol.messages import Message

Function = TypeVar("Function", bound=Callable[..., object])


try:
    _NUMBA: ModuleType | None = importlib.import_module("numba")
except ImportError:
    _NUMBA = None

#: Whether numba is installed, so that kernels are compiled.
HAS_NUMBA = _NUMBA is not None
_PACKAGE = __name__.rpartition(".vector.")[0]


def jit(function: Function) -> Function:
    """Compile ``function`` with numba (without the GIL, cached on disk); return it as it is where numba is missing."""
    if _NUMBA is None:
        return function
    # Each kernel is called from Python or from another kernel, never as a C callback.
    options = {"nogil": True, "no_cfunc_wrapper": True}
    compiled: Any
    try:
        compiled = _NUMBA.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for compiled kernels can be written
        compiled = _NUMBA.njit(**options)(function)
    else:
        if compiled is not function:  # it is with NUMBA_DISABLE_JIT
            _watch_cache(compiled._cache, function.__module__)
    if compiled is not function:
        _widen_integers(compiled)
    return cast(Function, compiled)


def _widen_integers(dispatcher: Any) -> None:
    """Let kernels pass integers to another kernel as int64 only.

    Otherwise numba compiles it once more for each literal number and each narrower integer that is passed to it.
    """
    types = importlib.import_module("numba.core.types")
    find = dispatcher.get_call_template

    def widen(argument: Any) -> Any:
        value = types.unliteral(argument)
        return types.int64 if value in types.signed_domain else value

    def find_widened(arguments: Any, keywords: Any) -> Any:
        return find([widen(value) for value in arguments], {name: widen(value) for name, value in keywords.items()})

    dispatcher.get_call_template = find_widened


def _watch_cache(cache: Any, module: str) -> None:
    """Let numba compile what its cache cannot give back, or what was compiled from other sources than today's.

    Without this a full disk, or a file that a power cut left empty, ends each run. And numba itself looks only at the
    file of a kernel: kernels and constants that it takes from other files are part of its machine code, too.
    """
    load, save, files = cache.load_overload, cache.save_overload, cache._cache_file

    def save_code(key: Any, code: Any) -> None:
        """Write the code, then the index that names it.

        numba does it the other way round, into the first free file: an index could name the code of older sources, if
        the process ends between, or that of another signature, if two processes compile at the same time.
        """
        index = files._load_index()
        name = index.get(key) or files._data_name(int(hashlib.sha256(repr(key).encode()).hexdigest()[:8], 16))
        files._save_data(name, code)
        files._save_index({**index, key: name})

    def load_or_compile(*arguments: Any) -> Any:
        try:
            files._source_stamp = stamp_sources(module)  # now, because all imports have ended
            return load(*arguments)
        except Exception:  # noqa: BLE001 (a damaged pickle may raise anything)
            try:
                cache.flush()
            except OSError:
                cache.disable()
            return None

    def save_where_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    cache.load_overload, cache.save_overload, files.save = load_or_compile, save_where_possible, save_code


def stamp_sources(module: str) -> str:
    """Return a digest of all that the kernels of ``module`` are compiled from.

    This is its file, the constants among its names, and the files of the kernels, tuples and modules that it imports
    from the engine, with what those import.
    """
    digest, names = hashlib.sha256(Path(__file__).read_bytes()), [module]
    for name in names:  # grows
        digest.update(Path(str(sys.modules[name].__file__)).read_bytes())
        for key, value in sorted(vars(sys.modules[name]).items()):
            if key.startswith("__"):
                continue
            if _is_constant(value):
                digest.update(f"{key} = {value!r}\n".encode())
            elif isinstance(value, np.ndarray):
                digest.update(key.encode() + value.tobytes())
            source = _find_source(value)
            if source not in names and source.startswith(_PACKAGE):
                names.append(source)
    return digest.hexdigest()


def _is_constant(value: object) -> bool:
    """Return whether ``value`` is a number, a text or a tuple of those, which numba compiles as a literal."""
    return all(map(_is_constant, value)) if isinstance(value, tuple) else isinstance(value, (Number, str))


def _find_source(value: object) -> str:
    """Return the name of the module that defines ``value``, if it is something that a kernel can use; else ""."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, type):
        return value.__module__ if issubclass(value, (tuple, Enum)) else ""
    return str(value.py_func.__module__) if hasattr(value, "py_func") else ""


@contextmanager
def collect_garbage_rarely() -> Iterator[None]:
    """Let Python look for unreachable objects less often in the block.

    Most of what numba makes stays, and with Python's own thresholds a tenth of its time goes into looking at it.
    """
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
