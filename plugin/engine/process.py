"""One engine process (``terraspore serve``): start it, run commands in it, watch it, end it.

Commands go to its stdin, events come from its stdout, one JSON line each. The process ends with its stdin, so it does
not outlive QGIS. Everything here blocks and belongs in a worker thread.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Callable

from ...engine.protocol.codec import (
    MAX_EVENT_BYTES,
    ProtocolError,
    decode_event,
    encode_command,
    make_printable,
    read_lines,
)
from ...engine.protocol.messages import CancelCommand, Envelope, Event, Failure, Ping, Pong, Result, RunCommand
from ..i18n import tr
from .errors import EngineCancelledError, EngineError, make_exit_error

#: Longest command in bytes: it fits into a pipe's buffer, so that writing never waits for a process that hangs.
MAX_COMMAND_BYTES = 60_000
_POLL_SECONDS = 0.05
#: Between two looks at a silent engine, above which this process was stopped or the computer slept.
_PAUSE_SECONDS = 30.0
#: For the exit code and the last lines of a process that has closed its pipes; a child that it left may keep one open.
_LAST_LINES_SECONDS = 10.0
_STDERR_LINES = 100
#: Lines on stdout that are not events, before the process is taken for another program.
_MAX_FOREIGN_LINES = 500


@dataclass(frozen=True)
class Launch:
    """How the engine is started; an idle process is used again for an equal one.

    Attributes:
        command: program and arguments, without the engine's sub-command.
        environment: all variables of the child.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Timeouts:
    """Seconds after which a process is ended by force.

    Attributes:
        cancel: since the user cancelled.
        unresponsive: without an answer to a ping (a native library hangs, the process is stopped).
        stalled: with answers, but without an event of the run.
    """

    cancel: float = 1.4
    unresponsive: float = 90.0
    stalled: float = 900.0


@dataclass(frozen=True)
class Listener:
    """Receives the output of a run, in the worker thread.

    Attributes:
        on_event: called with each event but the last.
        on_log: called with each line of text that is not an event.
    """

    on_event: Callable[[Event], None] = lambda _event: None
    on_log: Callable[[str], None] = lambda _line: None


@dataclass
class _Activity:
    """Times of a run's last activity, and of the last look at them, in seconds of the process's clock."""

    answer: float
    event: float
    ping: float
    look: float
    cancel: float | None = None


class EngineProcess:
    """A running engine. Runs one command at a time, in one thread.

    Args:
        launch: how to start it.
        timeouts: when it is ended by force.
        clock: seconds that never go back; tests replace it.

    Raises:
        EngineError: the program does not start.
    """

    def __init__(
        self, launch: Launch, timeouts: Timeouts | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.launch = launch
        self.timeouts = timeouts or Timeouts()
        self._clock = clock
        self._popen = _start(launch)
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._unlogged: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._foreign_lines = 0
        self._threads = [
            threading.Thread(target=self._read_stdout, name="terraspore-stdout", daemon=True),
            threading.Thread(target=self._read_stderr, name="terraspore-stderr", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._popen.poll() is None

    def run(self, arguments: Sequence[str], listener: Listener, is_cancelled: Callable[[], bool]) -> Result:
        """Run one command and wait for its end.

        Args:
            arguments: the arguments after ``terraspore``.
            listener: receives events and log lines meanwhile.
            is_cancelled: asked some twenty times a second.

        Returns:
            The engine's result.

        Raises:
            EngineCancelledError: the run was cancelled; it has ended within ``timeouts.cancel``.
            EngineError: the run failed, or the process crashed, timed out or does not follow the protocol.
        """
        number = next(self._numbers)
        self._send(RunCommand(number, tuple(arguments)))
        now = self._clock()
        activity = _Activity(answer=now, event=now, ping=now, look=now)
        try:
            while True:
                self._forward_log(listener)
                self._check_cancel(number, activity, is_cancelled)
                envelope = self._next_envelope(listener)
                if envelope is None:
                    self._check_timeouts(activity)
                    continue
                activity.answer = self._clock()
                event = envelope.event
                if isinstance(event, Pong) or envelope.id not in (None, number):
                    continue
                activity.event = activity.answer
                if isinstance(event, Result):
                    return event
                if isinstance(event, Failure):
                    if activity.cancel is not None or event.code == "Cancelled":
                        raise EngineCancelledError(event.text)
                    raise EngineError(event.text, event.hint, code=event.code)
                listener.on_event(event)
        finally:
            self._forward_log(listener)

    def close(self) -> None:
        """End the process by closing its stdin, and by force where it has not ended a second later."""
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the process and its children by force, at once."""
        end_process_tree(self._popen)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=5.0)
        self._release()

    def _release(self) -> None:
        """Close the pipes, after the threads have read what was left in them."""
        for thread in self._threads:
            thread.join(timeout=1.0)
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _send(self, command: RunCommand | CancelCommand | Ping) -> None:
        data = encode_command(command)
        if len(data) > MAX_COMMAND_BYTES:
            text, hint = tr("The command for the engine is too long."), tr("Use shorter paths and fewer parameters.")
            raise EngineError(text, hint)
        stdin = self._popen.stdin
        try:
            if stdin is None or stdin.closed:
                raise BrokenPipeError
            stdin.write(data)
            stdin.flush()
        except OSError as error:
            raise self._make_exit_error() from error

    def _make_exit_error(self) -> EngineError:
        """Make the error for a process that has ended, or has closed its pipes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=_LAST_LINES_SECONDS)
        if self._popen.returncode is None:
            self.kill()
        self._threads[1].join(timeout=_LAST_LINES_SECONDS)
        return make_exit_error(self._popen.returncode or 0, "\n".join(self._stderr))

    def _next_envelope(self, listener: Listener) -> Envelope | None:
        """Wait a moment for the next event; None where there is none."""
        try:
            line = self._lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            return None
        if line is None:
            raise self._make_exit_error()
        try:
            envelope = decode_event(line)
            if envelope is None:
                self._foreign_lines += 1
                if self._foreign_lines > _MAX_FOREIGN_LINES:
                    raise ProtocolError(f"more than {_MAX_FOREIGN_LINES} lines are not messages")
                listener.on_log(make_printable(line.decode("utf-8", "replace")))
        except ProtocolError as error:
            self.kill()
            raise EngineError(
                tr("The engine does not follow the machine protocol and was ended: {reason}.").format(reason=error),
                tr("Repair the engine in Settings > Options > TerraSpore."),
                code="ProtocolError",
            ) from error
        return envelope

    def _check_cancel(self, number: int, activity: _Activity, is_cancelled: Callable[[], bool]) -> None:
        """Pass on a cancel; end the process where the run has not ended in time after it."""
        if activity.cancel is None and is_cancelled():
            activity.cancel = self._clock()
            self._send(CancelCommand(number))
        if activity.cancel is not None and self._clock() - activity.cancel > self.timeouts.cancel:
            self.kill()
            raise EngineCancelledError

    def _check_timeouts(self, activity: _Activity) -> None:
        """End a process that does not respond or makes no progress; send a ping to one that is silent."""
        now, limits = self._clock(), self.timeouts
        # After a pause the engine has its time anew, because it was not asked meanwhile. Windows' clock counts sleep.
        if now - activity.look > min(_PAUSE_SECONDS, limits.unresponsive / 2):
            activity.answer = activity.event = activity.ping = now
        activity.look = now
        silent = now - activity.answer
        text, seconds = "", limits.stalled
        if silent > limits.unresponsive:
            text, seconds = tr("The engine did not answer for {seconds} seconds and was ended."), limits.unresponsive
        elif now - activity.event > limits.stalled:
            text = tr("The engine made no progress for {seconds} seconds and was ended.")
        if text:
            self.kill()
            text = text.format(seconds=round(seconds))
            hint = tr("Choose another device or runtime in Settings > Options > TerraSpore.")
            raise EngineError(text, hint, code="EngineHung", details="\n".join(self._stderr))
        # One ping at a time, so that a process that does not read cannot fill the pipe.
        if activity.ping <= activity.answer and silent > min(2.0, limits.unresponsive / 3):
            activity.ping = now
            self._send(Ping())

    def _forward_log(self, listener: Listener) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                listener.on_log(self._unlogged.get_nowait())

    def _read_stdout(self) -> None:
        # ``_release`` closes the pipe, too: of a process that is ended.
        with contextlib.suppress(OSError, ValueError), io.BufferedReader(self._popen.stdout) as stream:
            for line in read_lines(stream, MAX_EVENT_BYTES):
                self._lines.put(line)
        self._lines.put(None)

    def _read_stderr(self) -> None:
        rest = b""
        for chunk in itertools.chain(_read_chunks(self._popen.stderr), [b"\n"]):
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-4000:]
            for line in lines:
                text = make_printable(line.decode("utf-8", "replace")).strip()
                if text:
                    self._stderr.append(text)
                    if self._unlogged.qsize() < _MAX_FOREIGN_LINES:
                        self._unlogged.put(text)


def _read_chunks(stream: IO[bytes] | None) -> Iterator[bytes]:
    """Read ``stream`` to its end, in the pieces in which it comes."""
    with contextlib.suppress(OSError, ValueError):
        while stream is not None:
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                return
            yield chunk


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    try:
        # The program is the interpreter of the engine's environment; no shell is involved.
        return subprocess.Popen(  # nosec B603
            [*launch.command, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.environment),
            cwd=tempfile.gettempdir(),
            bufsize=0,
            **OWN_TREE,
        )
    except OSError as error:
        text = tr("The engine's interpreter {program} does not start: {reason}.")
        raise EngineError(
            text.format(program=launch.command[0], reason=error.strerror or error),
            tr("Repair or choose the engine's environment in Settings > Options > TerraSpore."),
            code="EngineMissing",
        ) from error


#: For ``subprocess``: no console window on Windows.
NO_WINDOW: dict[str, Any] = {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
#: For a process that ``end_process_tree`` can end: in addition, a process group of its own on other systems.
OWN_TREE: dict[str, Any] = {**NO_WINDOW, "start_new_session": sys.platform != "win32"}
_TASKKILL_SECONDS = 10


def end_process_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started with ``OWN_TREE``, and its children, by force.

    On Windows the interpreter of a virtual environment is itself a launcher, whose child does the work.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if sys.platform == "win32":
            subprocess.run(  # nosec B603 B607
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TASKKILL_SECONDS,
                check=False,
                **NO_WINDOW,
            )
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # does nothing where it has ended
