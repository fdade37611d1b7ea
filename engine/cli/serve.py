"""``terraspore serve``: commands as JSON lines on stdin, their events as JSON lines on stdout.

    {"type": "run", "id": 1, "arguments": ["extract", "roads", "image.tif", "-o", "roads.gpkg"]}
    {"type": "cancel", "id": 1}
    {"type": "ping"}

Runs go one after the other; each ends with one ``result`` or ``error`` that carries its ``id``. Models stay loaded
between them. Pings and cancels are answered at once; a run that is not over soon after its cancel ends the process.
The end of stdin stops everything and ends the process; unfinished runs can be resumed.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from dataclasses import dataclass, field
from typing import IO

import click

from ..concurrency import start_thread
from ..context import Cancellation
from ..protocol.codec import MAX_COMMAND_BYTES, LineSplitter, ProtocolError, decode_command, encode_envelope
from ..protocol.messages import CancelCommand, Envelope, Event, Failure, Ping, Pong, RunCommand, UnknownCommand
from .cli_context import STOP_GRACE, Services, current_services, private_stdout
from .sessions import close_sessions

#: Runs that may wait at a time.
MAX_WAITING = 1000


@dataclass(frozen=True)
class Run:
    """One command: its number, its words, and its own cancellation."""

    id: int
    arguments: tuple[str, ...]
    cancellation: Cancellation = field(default_factory=Cancellation)


class Channel:
    """Writes events with the number of their run, from any thread."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: Event, number: int | None) -> None:
        """Write ``event`` with the id of its run or ping as one line."""
        line = encode_envelope(Envelope(event, number)) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


@dataclass(frozen=True)
class RunReporter:
    """The reporter of one run."""

    channel: Channel
    run: int

    def emit(self, event: Event) -> None:
        """Send ``event``."""
        self.channel.send(event, self.run)


class Server:
    """Takes lines, keeps the runs that wait, and runs them.

    Args:
        channel: where events go.
        services: the surroundings of every run.
    """

    def __init__(self, channel: Channel, services: Services) -> None:
        self._channel, self._services = channel, services
        self._waiting: queue.Queue[Run | None] = queue.Queue()
        self._open: dict[int, Run] = {}
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def take(self, line: bytes) -> None:
        """Act on one line of input, or answer with an error."""
        try:
            command = decode_command(line)
            if isinstance(command, RunCommand):
                self._start(command)
        except ProtocolError as error:
            self._channel.send(Failure("ProtocolError", f"A line was not understood: {error}.", exit_code=2), None)
            return
        if isinstance(command, Ping):
            self._channel.send(Pong(), command.id)
        elif isinstance(command, CancelCommand):
            self._cancel(command.id)
        elif isinstance(command, UnknownCommand):
            sys.stderr.write(f"A message of the unknown type {command.type} was ignored.\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Stop everything, because nobody listens any more, and let ``work`` return."""
        self.ended.set()
        with self._lock:
            for run in self._open.values():
                run.cancellation.abandon()
        self._waiting.put(None)

    def work(self, group: click.Group) -> None:
        """Run what comes, one after the other, until ``end`` is called."""
        from .main import run_group

        while (run := self._waiting.get()) is not None:
            if self.ended.is_set():
                break
            services = Services(
                network_factory=self._services.network_factory,
                reporter=RunReporter(self._channel, run.id),
                cancellation=run.cancellation,
                owns_process=self._services.owns_process,
                sessions=self._services.sessions,
            )
            run_group(group, run.arguments, services)
            with self._lock:
                self._open.pop(run.id, None)

    def _start(self, command: RunCommand) -> None:
        """Put a run behind those that wait; ProtocolError where that cannot be."""
        run = Run(command.id, command.arguments)
        with self._lock:
            if run.id in self._open:
                raise ProtocolError("there is a run with its id already")
            if len(self._open) >= MAX_WAITING:
                raise ProtocolError(f"more than {MAX_WAITING} runs would wait")
            self._open[run.id] = run
        self._waiting.put(run)

    def _cancel(self, number: int) -> None:
        with self._lock:
            run = self._open.get(number)
        if run is not None:
            run.cancellation.cancel()


@click.command()
def serve() -> None:
    """Take commands as JSON lines on stdin and keep models loaded between them."""
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    services = current_services()
    services.sessions = {}
    with private_stdout(services.stdout) as stream:
        server = Server(Channel(stream), services)
        done = threading.Event()
        start_thread(threading.Thread(target=_read, args=(server, done), name="serve-stdin", daemon=True))
        try:
            server.work(group)
        finally:
            close_sessions(services.sessions, len(services.sessions))
            done.set()


def _read(server: Server, done: threading.Event) -> None:
    """Feed ``server`` with stdin until that ends, then see to it that the process ends as well."""
    splitter = LineSplitter(MAX_COMMAND_BYTES)
    while chunk := os.read(sys.stdin.fileno(), 65536):
        for line in splitter.feed(chunk):
            server.take(line)
    for line in splitter.flush():
        server.take(line)
    server.end()
    if not done.wait(2 * STOP_GRACE):
        os._exit(3)  # something hangs in native code, and nobody is left to wait for it
