"""Compile the operators of ``convolution.cpp`` against MindSpore's oneDNN, and load them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms

from ...engine.errors import RuntimeUnavailableError
from ...engine.runtimes.cache import cache_key, default_cache_folder
from .. import HAS_OWN_ISA_LIMIT

SOURCE = Path(__file__).with_name("convolution.cpp")
#: seconds; it takes two
_COMPILE_TIMEOUT = 120


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
    content = SOURCE.read_text(encoding="utf-8")
    cache = default_cache_folder()
    if cache is None:
        raise RuntimeUnavailableError("There is no cache folder for a compiled operator.")
    path = cache / f"convolution-{cache_key(content, str(folder), ms.__version__)}.so"
    if not path.is_file():
        _compile(path, folder)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise RuntimeUnavailableError(f"The compiled operator {path} cannot be loaded: {error}.") from error
    support = library.terraspore_start(threads, int(HAS_OWN_ISA_LIMIT))
    if not support:
        raise RuntimeUnavailableError(f"MindSpore {ms.__version__} has an oneDNN of a kind that is not supported.")
    return OperatorLibrary(path, has_bfloat16=support == 2)


def _compile(path: Path, folder: Path) -> None:
    """Compile the source to ``path``, which appears complete or not at all, against the libraries in ``folder``."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        raise RuntimeUnavailableError(f"There is no C++ compiler ({' or '.join(names)}).")
    options = ["-std=c++17", "-O2", "-fPIC", "-shared", "-pthread"]
    link = [f"-L{folder}", "-l:libdnnl.so.3", f"-Wl,-rpath,{folder}"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several processes may compile at the same time.
        with tempfile.TemporaryDirectory(dir=path.parent) as name:
            temporary = Path(name) / path.name
            command = [compiler, *options, str(SOURCE), "-o", str(temporary), *link]
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                check=True,
                capture_output=True,
                text=True,
                timeout=_COMPILE_TIMEOUT,
            )
            temporary.replace(path)
    except subprocess.CalledProcessError as error:
        line = next((line for line in error.stderr.splitlines() if "error" in line), error.stderr[:200])
        raise RuntimeUnavailableError(f"{compiler} does not compile {SOURCE.name}: {line.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeUnavailableError(f"{SOURCE.name} cannot be compiled: {error}") from error
