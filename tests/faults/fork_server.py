"""A process that has the engine imported and forks it for each request, so that an engine starts at once.

A request is one line on stdin: ``{"arguments": [...], "output": path, "environment": {...}}`` is answered with the id
of the new process, ``{"poll": pid}`` with its exit code, negative for a signal, or null while it runs.
"""

from __future__ import annotations

import importlib
import json
import locale
import os
import sys
from pathlib import Path

import numba

sys.path.insert(0, str(Path(__file__).parents[1]))
import hold_point

#: What the commands of these tests import.
PRELOAD = (
    "terraspore.engine.cli.inference",
    "terraspore.engine.runtimes.registry",
    "terraspore.engine.runtimes.onnxruntime",
    "terraspore.engine.runtimes.openvino",
    "terraspore.engine.vector.roads.extract",
    "terraspore.engine.vector.coverage.extract",
    "terraspore.engine.models.graph",
    "onnxruntime",
    "onnx",
)


def run_engine(arguments: list[str], output: str, environment: dict[str, str]) -> int:
    """Run one command line as the program does.

    Args:
        arguments: the arguments after ``terraspore``.
        output: the file for stdout; stderr goes to the file of this name with ``.err``.
        environment: further variables. ``HOLD`` is that of ``hold_point``; ``MEMORY`` limits the address space to
            so many bytes more than it has now; ``LC_ALL`` is set as the process's locale, as a library could do it;
            ``CHANGE_TO`` becomes the working directory.

    Returns:
        The exit code.
    """
    from terraspore.engine.cli import run
    from terraspore.engine.cli.cli_context import CliContext

    for descriptor, path in ((0, os.devnull), (1, output), (2, f"{output}.err")):
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
    if "HOLD" in environment:
        hold_point.install(Path(environment["HOLD"]))
    return run(arguments, cli_context=CliContext(end_process=os._exit))


def _limit_memory(more: int) -> None:
    import resource

    now = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))


def _fork(message: dict[str, object]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = run_engine(**message)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def serve() -> None:
    """Answer requests until stdin ends."""
    for name in PRELOAD:
        importlib.import_module(name)
    numba.njit(lambda value: value + 1)(1)  # the compiler loads most of itself at its first use
    for line in sys.stdin:
        message = json.loads(line)
        answer = _poll(message["poll"]) if "poll" in message else _fork(message)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
