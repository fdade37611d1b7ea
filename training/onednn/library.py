"""Compile the operators of ``convolution.cpp`` against MindSpore's oneDNN, and load them."""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms

from ...engine.errors import RuntimeUnavailableError
from ...engine.runtimes.cache import cache_key, default_cache_folder, load_entry, store_entry
from .. import HAS_OWN_ISA_LIMIT

SOURCE = Path(__file__).with_name("convolution.cpp")
HEADERS = tuple(SOURCE.with_name(name) for name in ("dnnl.hpp", "pool.hpp", "program.hpp"))
#: seconds; it takes two on a machine that does nothing else
_COMPILE_TIMEOUT = 600


@dataclass(frozen=True)
class OperatorLibrary:
    """The loaded operators.

    Attributes:
        path: the shared library.
        has_bfloat16: whether the processor computes in bfloat16.
    """

    path: Path
    has_bfloat16: bool


def load_library(threads: int) -> OperatorLibrary:
    """Compile the operators unless the user's cache holds them, and load them into this process.

    oneDNN's limit to AVX2, which MindSpore's own convolutions need, is lifted unless the user has set it. That has an
    effect only if oneDNN has not computed anything in this process yet.

    Args:
        threads: that compute; the first call in a process decides.

    Raises:
        RuntimeUnavailableError: there is no compiler, or MindSpore has an oneDNN of another kind.
    """
    if sys.platform != "linux":
        raise RuntimeUnavailableError("MindSpore takes operators from outside only on Linux.")
    folder = Path(ms.__file__).parent / "lib"
    contents = [path.read_text(encoding="utf-8") for path in (SOURCE, *HEADERS)]
    cache = default_cache_folder()
    if cache is None:
        raise RuntimeUnavailableError("There is no cache folder for a compiled operator.")
    options = ["-std=c++17", "-O2", "-fPIC", "-shared", "-pthread"]
    # Machines of several kinds may share a home folder. No option names a processor: oneDNN chooses when it runs.
    machine = (platform.machine(), os.confstr("CS_GNU_LIBC_VERSION") or "")
    path = cache.absolute() / f"convolution-{cache_key(*contents, *options, str(folder), ms.__version__, *machine)}.so"
    if ":" in str(path) or not str(path).isprintable():
        raise RuntimeUnavailableError(
            f"MindSpore loads no operator from a path with a colon or letters that the locale lacks: {str(path)!a}."
        )
    # An entry ends with its digest, which the loader does not look at. A damaged library would end the process.
    if load_entry(path.parent, path.name) is None:
        store_entry(path.parent, path.name, _compile(options, folder))
        if load_entry(path.parent, path.name) is None:
            raise RuntimeUnavailableError(f"The compiled operator cannot be written into {path.parent}.")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise RuntimeUnavailableError(f"The compiled operator {path} cannot be loaded: {error}.") from error
    support = library.terraspore_start(threads, int(HAS_OWN_ISA_LIMIT))
    if not support:
        raise RuntimeUnavailableError(f"MindSpore {ms.__version__} has an oneDNN of a kind that is not supported.")
    return OperatorLibrary(path, has_bfloat16=support == 2)


def _compile(options: list[str], folder: Path) -> bytes:
    """Compile the source against the libraries in ``folder``."""
    words = shlex.split(os.environ.get("CXX", ""))
    names = words[:1] or ["c++", "g++", "clang++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        raise RuntimeUnavailableError(f"There is no C++ compiler ({' or '.join(names)}).")
    link = [f"-L{folder}", "-l:libdnnl.so.3", *("-Xlinker", "-rpath", "-Xlinker", str(folder))]
    try:
        with tempfile.TemporaryDirectory() as name:
            result = Path(name) / "convolution.so"
            done = subprocess.run(
                [compiler, *words[1:], *options, str(SOURCE), "-o", str(result), *link],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_COMPILE_TIMEOUT,
            )
            if done.returncode == 0:
                return result.read_bytes()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeUnavailableError(f"{SOURCE.name} cannot be compiled: {error}") from error
    lines = done.stderr.split("\n")
    line = next((line for line in lines if "error" in line), lines[0]).strip() or f"exit code {done.returncode}"
    raise RuntimeUnavailableError(f"{compiler} does not compile {SOURCE.name}: {line}")
