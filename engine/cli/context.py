"""How a command runs: who hears its events, and who can stop it.

``run_reported`` is the frame of every command. A person gets a progress bar on stderr and the last sentence on
stdout; with ``--json`` the machine protocol (docs/architecture.md) has stdout to itself. SIGINT, SIGTERM and, with
``--json``, the end of stdin cancel.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

import click

from ..events import Cancellation, JsonReporter, Reporter, Result
from .services import Services, current_services

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Speak the machine protocol: one JSON object a line."
)

#: Seconds from the end of stdin, when the parent is gone, until a run that does not come to an end is ended.
ORPHAN_GRACE = 4.0


def run_reported(as_json: bool, work: Callable[[Reporter, Cancellation], Result]) -> None:
    """Run ``work`` with a reporter and a cancellation, and report its result.

    Args:
        as_json: machine protocol on stdout instead of a progress bar.
        work: the command; takes the reporter and the cancellation and returns the last event.

    Raises:
        TerraSporeError: whatever ``work`` raises; ``engine.cli.main.run`` turns it into the error event.
    """
    services = current_services()
    if services.reporter is not None:
        services.reporter.emit(work(services.reporter, services.cancellation or Cancellation()))
        return
    cancellation = services.cancellation or Cancellation()
    with _signals(cancellation), _reporter(as_json, services) as reporter:
        if as_json:
            with stdin_watch(cancellation):
                result = work(reporter, cancellation)
        else:
            result = work(reporter, cancellation)
        reporter.emit(result)


@contextmanager
def _reporter(as_json: bool, services: Services) -> Iterator[Reporter]:
    if as_json:
        with private_stdout(services.stdout) as stream:
            yield JsonReporter(stream)
        return
    from .person import PersonReporter

    with PersonReporter(services.stdout, services.stderr) as reporter:
        yield reporter


@contextmanager
def private_stdout(stream: IO[str]) -> Iterator[IO[str]]:
    """Keep ``stream`` for the caller alone: what native libraries print on descriptor 1 goes to stderr meanwhile.

    Yields:
        A stream to what was stdout; ``stream`` itself where it is not the process's descriptor 1.
    """
    if _descriptor(stream) != 1 or _descriptor(sys.stderr) != 2:
        yield stream
        return
    stream.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "w", encoding="utf-8", closefd=False) as private:
            yield private
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _signals(cancellation: Cancellation) -> Iterator[None]:
    """SIGINT and SIGTERM cancel once; the second time they act as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        cancellation.cancel()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stdin_watch(cancellation: Cancellation) -> Iterator[None]:
    """Cancel when stdin ends, which says that the parent has closed it or is gone.

    Only a pipe or a socket is watched: ``/dev/null`` and files end at once and mean nothing.
    """
    if not _is_pipe(sys.stdin):
        yield
        return
    finished = threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        if not finished.is_set():
            cancellation.cancel()
            if not finished.wait(ORPHAN_GRACE):
                os._exit(3)  # the run hangs in native code, and nobody is left to wait for it

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
    try:
        yield
    finally:
        finished.set()


def _descriptor(stream: IO[str] | None) -> int | None:
    """The file descriptor of ``stream``, or None where it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def _is_pipe(stream: IO[str] | None) -> bool:
    descriptor = _descriptor(stream)
    if descriptor != 0:
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
