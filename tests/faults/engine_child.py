"""Engines that start at once: this process has everything imported, and forks one for each line that asks for it.

A line on stdin is ``{"arguments": [...], "said": path, "environment": {...}}``, which is answered with the number of
the new process, or ``{"poll": number}``, with its exit code, negative for a signal, or null while it runs.
"""

from __future__ import annotations

import importlib
import json
import locale
import os
import sys
from pathlib import Path

import numba

#: What the commands of these tests import.
PRELOAD = (
    "terraspore.engine.cli.extract",
    "terraspore.engine.cli.segment",
    "terraspore.engine.runtimes.registry",
    "terraspore.engine.runtimes.onnxruntime",
    "terraspore.engine.runtimes.openvino",
    "terraspore.engine.vector.roads.extract",
    "terraspore.engine.vector.coverage.extract",
    "terraspore.engine.models.graph",
    "onnxruntime",
    "onnx",
)


def run_engine(arguments: list[str], said: str, environment: dict[str, str]) -> int:
    """Run one command line as the program does; what it says goes to the file ``said``, errors beside it.

    Args:
        arguments: the words behind ``terraspore``.
        said: the file.
        environment: further variables. ``MEMORY`` is a limit of the address space above what it is now, in bytes;
            ``LC_ALL`` is set as the process's locale, as a library could do it; ``CHANGE_TO`` is the folder to be in.

    Returns:
        The exit code.
    """
    from terraspore.engine.cli import run
    from terraspore.engine.cli.cli_context import CliContext

    for descriptor, path in ((0, os.devnull), (1, said), (2, f"{said}.err")):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(handle, descriptor)
        os.close(handle)
    os.environ.update(environment)
    if "LC_ALL" in environment:
        locale.setlocale(locale.LC_ALL, environment["LC_ALL"])
    if "CHANGE_TO" in environment:
        os.chdir(environment["CHANGE_TO"])
    if "MEMORY" in environment:
        _limit_memory(int(environment["MEMORY"]))
    return run(arguments, cli_context=CliContext(owns_process=True))


def _limit_memory(more: int) -> None:
    import resource

    now = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))


def _fork(message: dict[str, object]) -> int:
    number = os.fork()
    if number == 0:
        code = 1
        try:
            code = run_engine(**message)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return number


def _poll(number: int) -> int | None:
    found, status = os.waitpid(number, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def serve() -> None:
    """Answer lines until there are no more."""
    for name in PRELOAD:
        importlib.import_module(name)
    numba.njit(lambda value: value + 1)(1)  # the compiler loads most of itself at its first use
    for line in sys.stdin:
        message = json.loads(line)
        answer = _poll(message["poll"]) if "poll" in message else _fork(message)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
