"""Lines of bytes to checked messages, and back.

Neither side trusts the other: the engine's process loads files from anywhere, and anything may be written to its stdin.
Every line is limited in length, and every field is checked for type and range before it is used.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Callable

from .messages import (
    STATES,
    CancelCommand,
    Command,
    Envelope,
    Event,
    Failure,
    ImageOutcome,
    Message,
    Ping,
    Plan,
    Pong,
    Progress,
    Result,
    RunCommand,
    SummaryValue,
    UnknownCommand,
)

#: Longest command that the engine accepts, in bytes.
MAX_COMMAND_BYTES = 1 << 20
MAX_ARGUMENTS = 1000
#: Longest argument in characters.
MAX_ARGUMENT_LENGTH = 32_768
#: Ids are whole numbers from 0 to this: what JSON numbers hold exactly in every language.
MAX_ID = (1 << 53) - 1
#: Longest event that is accepted, in bytes; the longest that the engine sends is a list of models (some 100 kB).
MAX_EVENT_BYTES = 4 << 20
#: Longest text that is shown or logged, in characters.
MAX_TEXT_LENGTH = 4000
#: Most outputs, summary values and warnings of a result, together.
MAX_RESULT_ITEMS = 10_000
#: Longest path of an output in characters.
MAX_PATH_LENGTH = 32_768

#: Reads and checks a field of a message, by its name.
_Reader = Callable[[dict[str, Any], str], Any]
_COMMAND_FIELDS = {"run": {"type", "id", "arguments"}, "cancel": {"type", "id"}, "ping": {"type", "id"}}


class ProtocolError(ValueError):
    """A line is not a valid message. The text continues a sentence about the line, and quotes nothing of it."""


def read_lines(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """Read the lines of a buffered stream, without line ends and blank lines, with bounded memory.

    A line that is longer than ``limit`` bytes is yielded as soon as that is known, cut to ``limit + 1`` bytes, so that
    the decoder refuses it; the rest of it is dropped.
    """
    is_rest = False
    while line := stream.readline(limit + 1):
        if not is_rest and line.strip():
            yield line.rstrip(b"\r\n")
        is_rest = not line.endswith(b"\n")


def encode_command(command: RunCommand | CancelCommand | Ping) -> bytes:
    """Encode a command as one line, with its line end."""
    values = {name: value for name, value in dataclasses.asdict(command).items() if value is not None}
    return json.dumps({"type": command.type, **values}, ensure_ascii=True).encode("ascii") + b"\n"


def decode_command(line: bytes) -> Command:
    """Decode one line of the engine's stdin.

    Raises:
        ProtocolError: the line is too long, not a JSON object with a type, or has a missing, unknown or wrong field.
    """
    _check_length(line, MAX_COMMAND_BYTES)
    value = _parse_object(line)
    kind = value["type"]
    if not isinstance(kind, str):
        raise ProtocolError("it is not an object with a type")
    if kind not in _COMMAND_FIELDS:
        return UnknownCommand("".join(letter if letter.isprintable() else "?" for letter in kind[:40]))
    if not set(value) <= _COMMAND_FIELDS[kind]:
        raise ProtocolError(f"it has other fields than {', '.join(sorted(_COMMAND_FIELDS[kind]))}")
    if kind == "ping":
        return Ping(_optional(_id, value, "id"))
    if kind == "cancel":
        return CancelCommand(_id(value, "id"))
    return RunCommand(_id(value, "id"), _arguments(value.get("arguments")))


def encode_event(event: Event) -> str:
    """Encode an event as one line, without its line end."""
    return _dump({"type": event.type, **dataclasses.asdict(event)})


def encode_envelope(envelope: Envelope) -> str:
    """Encode an event with its id as one line, without its line end."""
    return _dump({"type": envelope.event.type, **dataclasses.asdict(envelope.event), "id": envelope.id})


def decode_event(line: bytes) -> Envelope | None:
    """Decode one line of the engine's stdout.

    Returns:
        The event, or None for a line that is not a JSON object with a type (a library printed it), and for an event of
        a type that this version does not know.

    Raises:
        ProtocolError: the line is too long, or a field of the event is missing or wrong.
    """
    _check_length(line, MAX_EVENT_BYTES)
    try:
        value = _parse_object(line)
    except ProtocolError:
        return None
    kind = value["type"]
    if not isinstance(kind, str):
        raise ProtocolError("its type is not a text")
    decoder = _EVENT_DECODERS.get(kind)
    if decoder is None:
        return None
    return Envelope(decoder(value), _optional(_id, value, "id"))


def make_printable(text: str) -> str:
    """Cut ``text`` to ``MAX_TEXT_LENGTH`` and replace control characters, except line ends, by spaces."""
    printable = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text[:MAX_TEXT_LENGTH])
    return printable + "…" if len(text) > MAX_TEXT_LENGTH else printable


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=True, allow_nan=False, default=_encode_path)


def _encode_path(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not part of the machine protocol")


def _check_length(line: bytes, limit: int) -> None:
    if len(line) > limit:
        raise ProtocolError(f"it has more than {limit} bytes")


def _parse_object(line: bytes) -> dict[str, Any]:
    """Parse a JSON object that has a type."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ProtocolError("its values are nested too deeply") from None
    except ValueError as error:
        raise ProtocolError(f"it is not JSON ({type(error).__name__})") from None
    if not isinstance(value, dict) or "type" not in value:
        raise ProtocolError("it is not an object with a type")
    return value


def _refuse_constant(name: str) -> float:
    """Refuse NaN and Infinity, which Python's parser takes and JSON does not know."""
    raise ValueError(f"{name} is not JSON")


def _arguments(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(argument, str) for argument in value):
        raise ProtocolError("its arguments are not a list of texts")
    if len(value) > MAX_ARGUMENTS or any(len(argument) > MAX_ARGUMENT_LENGTH for argument in value):
        raise ProtocolError("its arguments are too many or too long")
    for argument in value:
        try:  # file names of any bytes are right (surrogateescape); lone surrogates and NUL are not
            encoded = argument.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            encoded = b"\0"
        if b"\0" in encoded:
            raise ProtocolError("one of its arguments holds characters that no command line can hold")
    return tuple(value)


def _decode_fields(kind: type[Any], value: dict[str, Any]) -> Any:
    """Decode an event of texts and numbers of at least 0 by the types of its fields."""
    fields = {}
    for field in dataclasses.fields(kind):
        if field.name not in value and field.default is not dataclasses.MISSING:
            continue
        expected, *none = str(field.type).split(" | ")
        read: _Reader = _READERS.get(expected, _text)  # a stage of a later version is shown by its name
        fields[field.name] = _optional(read, value, field.name) if none else read(value, field.name)
    return kind(**fields)


def _decode_progress(value: dict[str, Any]) -> Progress:
    progress: Progress = _decode_fields(Progress, value)
    return dataclasses.replace(progress, done=min(progress.done, progress.total))


def _decode_message(value: dict[str, Any]) -> Message:
    return Message(text=_text(value, "text"), level="warning" if value.get("level") == "warning" else "info")


def _decode_result(value: dict[str, Any]) -> Result:
    outputs, summary = value.get("outputs"), value.get("summary")
    if not isinstance(outputs, dict) or not isinstance(summary, dict):
        raise ProtocolError("its outputs or its summary are missing")
    warnings = value.get("warnings", [])
    if not isinstance(warnings, list) or not all(isinstance(text, str) for text in warnings):
        raise ProtocolError("its warnings are not a list of texts")
    images = value.get("images", [])
    if not isinstance(images, list) or not all(isinstance(entry, dict) for entry in images):
        raise ProtocolError("its images are not a list of objects")
    if len(outputs) + len(summary) + len(warnings) + len(images) > MAX_RESULT_ITEMS:
        raise ProtocolError("its outputs, summary, warnings and images are too many")
    return Result(
        outputs={make_printable(role): _path(outputs, role) for role in outputs},
        summary={make_printable(name): _summary_value(entry) for name, entry in summary.items()},
        seconds=_number(value, "seconds"),
        text=_text(value, "text"),
        warnings=tuple(map(make_printable, warnings)),
        images=tuple(map(_decode_outcome, images)),
        exit_code=_count(value, "exit_code") if "exit_code" in value else 0,
    )


def _decode_outcome(value: dict[str, Any]) -> ImageOutcome:
    state = value.get("state")
    if state not in STATES:
        raise ProtocolError("the state of an image is not known")
    image, output = _path(value, "image"), _path(value, "output")
    return ImageOutcome(image, state, output, _text(value, "text"), _number(value, "seconds"))


def _path(value: dict[str, Any], name: str) -> str:
    path = value.get(name)
    if not isinstance(path, str) or not path or "\0" in path or len(path) > MAX_PATH_LENGTH:
        raise ProtocolError(f"its {name} is not a path")
    return path


def _summary_value(value: object) -> SummaryValue:
    if isinstance(value, str):
        return make_printable(value)
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise ProtocolError("its summary holds a value that is neither a text nor a number")
    return value


_EVENT_DECODERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    Plan.type: partial(_decode_fields, Plan),
    Progress.type: _decode_progress,
    Message.type: _decode_message,
    Result.type: _decode_result,
    Failure.type: partial(_decode_fields, Failure),
    Pong.type: lambda _value: Pong(),
}


def _id(value: dict[str, Any], name: str) -> int:
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_ID:
        raise ProtocolError(f"its {name} is not a whole number from 0 to {MAX_ID}")
    return number


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise ProtocolError(f"its {name} is not a text")
    return make_printable(text)


def _number(value: dict[str, Any], name: str) -> float:
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < 1e15:
        raise ProtocolError(f"its {name} is not a number from 0 to 1e15")
    return float(number)


def _count(value: dict[str, Any], name: str) -> int:
    number = _number(value, name)
    if not number.is_integer():
        raise ProtocolError(f"its {name} is not a whole number")
    return int(number)


#: How the fields of events are read, by their types.
_READERS: dict[str, _Reader] = {"int": _count, "float": _number, "str": _text}


def _optional(read: _Reader, value: dict[str, Any], name: str) -> Any:
    return None if value.get(name) is None else read(value, name)
