"""The lines that ``terraspore serve`` takes: limited in size, and checked field by field before anything is done."""

from __future__ import annotations

import json
from dataclasses import dataclass

#: A longer line is no command; whoever sends it is not the plugin.
MAX_LINE = 1 << 20
#: Words of a command line, and characters of one of them.
MAX_WORDS = 1000
MAX_WORD = 32_768
#: Numbers of runs are whole numbers from 0 to this.
MAX_ID = (1 << 53) - 1

_FIELDS = {"run": {"type", "id", "arguments"}, "cancel": {"type", "id"}, "ping": {"type", "id"}}


@dataclass(frozen=True)
class RunMessage:
    """Carry out a command line."""

    id: int
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class CancelMessage:
    """Stop a run."""

    id: int


@dataclass(frozen=True)
class PingMessage:
    """Say that you are alive."""

    id: int | None


@dataclass(frozen=True)
class UnknownMessage:
    """A message of a type that this version does not know; to be passed over."""

    type: str


Message = RunMessage | CancelMessage | PingMessage | UnknownMessage


def parse_message(line: bytes) -> Message:
    """The message in one line.

    Raises:
        ValueError: the line is too long, no JSON object, or a field is missing, not known, or of the wrong type or
            range; the text says which, and holds nothing of the line itself.
    """
    if len(line) > MAX_LINE:
        raise ValueError("it is too long")
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"it is no JSON ({type(error).__name__})") from None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ValueError("it is no object with a type")
    kind: str = value["type"]
    if kind not in _FIELDS:
        return UnknownMessage("".join(letter if letter.isprintable() else "?" for letter in kind[:40]))
    if not set(value) <= _FIELDS[kind]:
        raise ValueError(f"a message of the type {kind} has other fields than {', '.join(sorted(_FIELDS[kind]))}")
    number = value.get("id")
    if kind == "ping" and number is None:
        return PingMessage(None)
    if type(number) is not int or not 0 <= number <= MAX_ID:
        raise ValueError("its id is not a whole number from 0")
    if kind == "ping":
        return PingMessage(number)
    if kind == "cancel":
        return CancelMessage(number)
    return RunMessage(number, _words(value.get("arguments")))


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("its arguments are not a list of texts")
    if len(value) > MAX_WORDS or any(len(word) > MAX_WORD for word in value):
        raise ValueError("its arguments are too many or too long")
    if not all(map(_is_word, value)):
        raise ValueError("one of its arguments holds what no command line can hold")
    return tuple(value)


def _is_word(word: str) -> bool:
    """Whether ``word`` could stand on a command line: no NUL, and bytes of any kind but no halves of characters."""
    try:
        return b"\0" not in word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
