"""``terraspore serve``: commands as JSON lines on stdin, their events as JSON lines on stdout.

    {"type": "run", "id": 1, "arguments": ["extract", "roads", "image.tif", "-o", "roads.gpkg"]}
    {"type": "cancel", "id": 1}
    {"type": "ping"}

Runs are executed one after the other; each ends with one ``result`` or ``error`` which carries its ``id``. Models stay
loaded between them. Pings and cancels are answered at once; if a run does not end soon after its cancel, the process
is ended. The end of stdin cancels all runs and ends the process; unfinished runs can be resumed.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from dataclasses import dataclass, field, replace
from typing import IO

import click

from ..concurrency import start_thread
from ..context import Cancellation
from ..protocol.codec import MAX_COMMAND_BYTES, LineSplitter, ProtocolError, decode_command, encode_envelope
from ..protocol.messages import CancelCommand, Envelope, Event, Failure, Ping, Pong, RunCommand, UnknownCommand
from .cli_context import STOP_GRACE, CliContext, current_cli_context, reserve_stdout

#: Runs that may wait at a time.
MAX_QUEUED = 1000
#: Models that stay loaded; the least recently used is closed first.
MAX_SESSIONS = 2


@dataclass(frozen=True)
class QueuedRun:
    """A command line with the number of its run and its own cancellation."""

    id: int
    arguments: tuple[str, ...]
    cancellation: Cancellation = field(default_factory=Cancellation)


class EventWriter:
    """Writes events with the number of their run, from any thread."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, event: Event, number: int | None) -> None:
        """Write ``event`` with the id of its run or ping as one line."""
        line = encode_envelope(Envelope(event, number)) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


@dataclass(frozen=True)
class RunReporter:
    """The reporter of one run."""

    writer: EventWriter
    run: int

    def emit(self, event: Event) -> None:
        """Send ``event``."""
        self.writer.write(event, self.run)


class Server:
    """Receives commands in one thread and executes the runs among them in another.

    Args:
        writer: for the events.
        cli_context: the context of every run, with the pool of sessions that runs share.
    """

    def __init__(self, writer: EventWriter, cli_context: CliContext) -> None:
        self._writer, self._cli_context = writer, cli_context
        self._queue: queue.Queue[QueuedRun | None] = queue.Queue()
        #: Runs which wait or are executed.
        self._unfinished: dict[int, QueuedRun] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def handle_line(self, line: bytes) -> None:
        """Execute the command in one line of input, or answer with an error."""
        try:
            command = decode_command(line)
            if isinstance(command, RunCommand):
                self._enqueue(command)
        except ProtocolError as error:
            self._writer.write(Failure("ProtocolError", f"A line was not understood: {error}.", exit_code=2), None)
            return
        if isinstance(command, Ping):
            self._writer.write(Pong(), command.id)
        elif isinstance(command, CancelCommand):
            with self._lock:
                run = self._unfinished.get(command.id)
            if run is not None:
                run.cancellation.cancel()
        elif isinstance(command, UnknownCommand):
            sys.stderr.write(f"A message of the unknown type {command.type} was ignored.\n")
            sys.stderr.flush()

    def _enqueue(self, command: RunCommand) -> None:
        """Add a run to the queue.

        Raises:
            ProtocolError: its id is in use, or too many runs wait.
        """
        run = QueuedRun(command.id, command.arguments)
        with self._lock:
            if run.id in self._unfinished:
                raise ProtocolError("there is a run with its id already")
            if len(self._unfinished) >= MAX_QUEUED:
                raise ProtocolError(f"more than {MAX_QUEUED} runs would wait")
            self._unfinished[run.id] = run
        self._queue.put(run)

    def stop(self) -> None:
        """Cancel every run, keeping what can be resumed, and let ``execute_runs`` return."""
        self._stopped.set()
        with self._lock:
            for run in self._unfinished.values():
                run.cancellation.abandon()
        self._queue.put(None)

    def execute_runs(self, group: click.Group) -> None:
        """Execute the runs, one after the other, until ``stop`` is called.

        Args:
            group: the command line's commands.
        """
        from .main import run_group

        while (run := self._queue.get()) is not None and not self._stopped.is_set():
            reporter = RunReporter(self._writer, run.id)
            cli_context = replace(self._cli_context, reporter=reporter, cancellation=run.cancellation)
            run_group(group, run.arguments, cli_context)
            with self._lock:
                self._unfinished.pop(run.id, None)


@click.command()
def serve() -> None:
    """Take commands as JSON lines on stdin and keep models loaded between them."""
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    cli_context = current_cli_context()
    is_done = threading.Event()
    with reserve_stdout(cli_context.stdout) as stream:
        try:
            with cli_context.session_pool(MAX_SESSIONS) as sessions:
                server = Server(EventWriter(stream), replace(cli_context, sessions=sessions))
                reader = threading.Thread(target=_read_stdin, args=(server, is_done), name="serve-stdin", daemon=True)
                start_thread(reader)
                server.execute_runs(group)
        finally:
            is_done.set()


def _read_stdin(server: Server, is_done: threading.Event) -> None:
    """Pass the lines of stdin to ``server``. When stdin ends, stop it, and end the process if it does not stop."""
    splitter = LineSplitter(MAX_COMMAND_BYTES)
    while chunk := os.read(sys.stdin.fileno(), 65536):
        for line in splitter.feed(chunk):
            server.handle_line(line)
    for line in splitter.flush():
        server.handle_line(line)
    server.stop()
    if not is_done.wait(2 * STOP_GRACE):
        os._exit(3)  # native code hangs, and the parent is gone
