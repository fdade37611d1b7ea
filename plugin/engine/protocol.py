"""The machine protocol (docs/architecture.md) on the plugin's side: bytes in, checked events out.

The engine's process loads files from anywhere, so what it says is not trusted: every line is limited in length,
every field is checked for type and range, and an event that is not as it should be ends the run.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Callable, Union

from .errors import ProtocolError

#: Longest line that is read; the longest that the engine has reason to write is a list of models (some 100 kB).
MAX_LINE_BYTES = 4 << 20
#: Longest text that is shown or logged.
MAX_TEXT = 4000
MAX_ITEMS = 10_000
#: Longest path of an output.
MAX_PATH = 32_768


@dataclass(frozen=True)
class Plan:
    """What a run is going to do."""

    tiles: int
    width: int
    height: int
    resolution: float
    tile: int
    overlap: int
    model: str
    runtime: str
    device: str
    reason: str
    memory_bytes: int
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a stage is; ``rate`` in units per second, ``eta`` in seconds."""

    stage: str
    done: int
    total: int
    rate: float | None = None
    eta: float | None = None


@dataclass(frozen=True)
class Message:
    """A remark for the person."""

    text: str
    level: str = "info"


@dataclass(frozen=True)
class Result:
    """The end of a run that succeeded: files by role, and figures."""

    outputs: dict[str, str]
    summary: dict[str, Any]
    seconds: float
    text: str


@dataclass(frozen=True)
class Failure:
    """The end of a run that did not succeed."""

    code: str
    text: str
    hint: str | None = None
    exit_code: int = 1


@dataclass(frozen=True)
class Pong:
    """The answer to a ping: the process is alive."""


Event = Union[Plan, Progress, Message, Result, Failure, Pong]


@dataclass
class LineSplitter:
    """Cuts a stream of bytes into lines, and refuses lines that never end."""

    limit: int = MAX_LINE_BYTES
    _parts: list[bytes] = field(default_factory=list)
    _length: int = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the lines that they complete, without line ends and empty lines.

        Raises:
            ProtocolError: a line is longer than the limit.
        """
        *whole, rest = chunk.split(b"\n")
        lines = []
        for piece in whole:
            self._take(piece)
            lines.append(b"".join(self._parts).rstrip(b"\r"))
            self._parts, self._length = [], 0
        self._take(rest)
        return [line for line in lines if line]

    def _take(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > self.limit:
            raise ProtocolError(
                f"The engine sent a message of more than {self.limit} bytes; it was stopped.", code="MessageTooLong"
            )
        if piece:
            self._parts.append(piece)


@dataclass(frozen=True)
class Envelope:
    """An event and the run that it belongs to (None where the engine did not say)."""

    event: Event
    run: int | None


def parse_line(line: bytes) -> Envelope | None:
    """The event in one line.

    Args:
        line: one line of the engine's stdout.

    Returns:
        The event, or None where the line is no JSON object with a type (some library's own words) or of a type that
        this version does not know: both go to the log.

    Raises:
        ProtocolError: an event that is not as the protocol says.
    """
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or "type" not in value:
        return None
    kind = value["type"]
    if not isinstance(kind, str):
        raise _wrong("a message whose type is not text")
    reader = _READERS.get(kind)
    if reader is None:
        return None
    run = value.get("id")
    if run is not None and (isinstance(run, bool) or not isinstance(run, int) or not 0 <= run < 1 << 53):
        raise _wrong("a run's number that is not a number")
    return Envelope(reader(value), run)


def _plan(value: dict[str, Any]) -> Plan:
    return Plan(
        tiles=_count(value, "tiles"),
        width=_count(value, "width"),
        height=_count(value, "height"),
        resolution=_number(value, "resolution"),
        tile=_count(value, "tile"),
        overlap=_count(value, "overlap"),
        model=_text(value, "model"),
        runtime=_text(value, "runtime"),
        device=_text(value, "device"),
        reason=_text(value, "reason"),
        memory_bytes=_count(value, "memory_bytes"),
        seconds=_optional(_number, value, "seconds"),
    )


def _progress(value: dict[str, Any]) -> Progress:
    done, total = _count(value, "done"), _count(value, "total")
    return Progress(
        stage=_text(value, "stage"),
        done=min(done, total),
        total=total,
        rate=_optional(_number, value, "rate"),
        eta=_optional(_number, value, "eta"),
    )


def _message(value: dict[str, Any]) -> Message:
    level = value.get("level", "info")
    return Message(text=_text(value, "text"), level=level if level in ("info", "warning") else "info")


def _result(value: dict[str, Any]) -> Result:
    outputs, summary = value.get("outputs"), value.get("summary")
    if not isinstance(outputs, dict) or not isinstance(summary, dict) or len(outputs) + len(summary) > MAX_ITEMS:
        raise _wrong("a result without outputs and summary")
    if not all(
        isinstance(path, str) and path and "\0" not in path and len(path) <= MAX_PATH for path in outputs.values()
    ):
        raise _wrong("an output that is not a path")
    figures = {printable(name): _figure(entry) for name, entry in summary.items()}
    return Result(
        {printable(role): path for role, path in outputs.items()},
        figures,
        seconds=_number(value, "seconds"),
        text=_text(value, "text"),
    )


def _figure(value: Any) -> Any:
    """A value of a summary: text, a number, a truth value or None."""
    if isinstance(value, str):
        return printable(value)
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise _wrong("a summary with something other than texts and numbers")
    return value


def _failure(value: dict[str, Any]) -> Failure:
    code = value.get("exit_code", 1)
    if isinstance(code, bool) or not isinstance(code, int):
        raise _wrong("an exit code that is not a number")
    return Failure(_text(value, "code"), _text(value, "text"), _optional(_text, value, "hint"), code)


_READERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "plan": _plan,
    "progress": _progress,
    "message": _message,
    "result": _result,
    "error": _failure,
    "pong": lambda _value: Pong(),
}


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise _wrong(f"a {name!r} that is not text")
    return printable(text)


def _number(value: dict[str, Any], name: str) -> float:
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < 1e15:
        raise _wrong(f"a {name!r} that is not a number of at least 0")
    return float(number)


def _count(value: dict[str, Any], name: str) -> int:
    number = _number(value, name)
    if not math.isfinite(number) or number != int(number):
        raise _wrong(f"a {name!r} that is not a whole number")
    return int(number)


def _optional(reader: Callable[[dict[str, Any], str], Any], value: dict[str, Any], name: str) -> Any:
    return None if value.get(name) is None else reader(value, name)


def printable(text: str) -> str:
    """``text`` cut to a length that can be shown, without control characters but line ends."""
    cleaned = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text[:MAX_TEXT])
    return cleaned + "…" if len(text) > MAX_TEXT else cleaned


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _wrong(what: str) -> ProtocolError:
    return ProtocolError(
        f"The engine sent {what}; it was stopped.",
        "Repair the engine in Settings > Options > TerraSpore.",
        code="ProtocolError",
    )
