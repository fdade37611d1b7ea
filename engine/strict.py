"""Make dataclasses of plain values, as JSON and YAML give them, strictly: by the types and limits of their fields."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from .errors import UserError

T = TypeVar("T")
_KEY = "limits"
_MAX_TEXT = 20_000
#: Largest whole number; more digits than Python converts would end in an error when a sentence shows the number.
_MAX_INTEGER = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Limits:
    """Limits of a field's value, or of the entries of a list or table.

    Attributes:
        low: smallest number; None for any.
        high: largest number; None for any.
        above: whether numbers must be greater than ``low``.
        counts: fewest and most entries of a list; None for any.
        pattern: regular expression that a text must match as a whole; empty for any text.
        filled: whether a text must hold more than spaces.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    counts: tuple[int, int] | None = None
    pattern: str = ""
    filled: bool = False

    def describe(self, kind: type) -> str:
        """Return what a value of ``kind`` must be."""
        name = _TYPE_NAMES.get(kind, str(kind))
        if self.pattern or self.filled:
            return f"{name} of the form {self.pattern}" if self.pattern else f"{name} that is not empty"
        if self.low is None:
            return name
        if self.high is None:
            return f"{name} above {self.low:g}" if self.above else f"{name} of {self.low:g} or more"
        return f"{name} {'above' if self.above else 'from'} {self.low:g} to {self.high:g}"

    def allow(self, value: Any) -> bool:
        """Whether a number or text is within the limits."""
        if isinstance(value, str):
            return bool(re.fullmatch(self.pattern or "(?s:.*)", value)) and (not self.filled or bool(value.strip()))
        is_low = self.low is not None and (value <= self.low if self.above else value < self.low)
        return not is_low and (self.high is None or value <= self.high)


def limited(low: float | None = None, high: float | None = None, *, default: Any = ..., **limits: Any) -> Any:
    """Make a dataclass field whose value ``StrictReader`` checks; ``limits`` are further attributes of ``Limits``."""
    metadata = {_KEY: Limits(low, high, **limits)}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


class StrictReader:
    """Makes dataclasses of mappings; every key must be a field, and every value of its type and within its limits.

    Fields are bool, int, float, str, literals, dataclasses, tuples and mappings of these, and unions of scalars.

    Args:
        error: class of the errors.
        subject: what an error's sentence begins with, around the key: such as "The model card a/card.json: " and "".
        complete: whether every field must be given, not only those that have no default.
    """

    def __init__(self, error: type[UserError], subject: tuple[str, str], *, complete: bool) -> None:
        self._error, self._subject, self._complete = error, subject, complete

    def read(self, kind: type[T], values: object, prefix: str = "") -> T:
        """Make the dataclass ``kind`` from ``values``; ``prefix`` is that of its keys in sentences.

        Raises:
            UserError: a key is missing or unknown (the hint names the most similar one), or a value is wrong.
        """
        if not isinstance(values, Mapping):
            raise self.wrong(prefix.rstrip(".") or "document", values, "a table of keys")
        hints, known = typing.get_type_hints(kind), {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                name = shorten_repr(key)[1:-1] if isinstance(key, str) else shorten_repr(key)
                raise self._error(f"{self._place(prefix + name)} is not a known key.", suggest(name, known))
        needed = [name for name, entry in known.items() if self._complete or not _has_default(entry)]
        if missing := [name for name in needed if name not in values]:
            raise self._error(f"{self._place(prefix + missing[0])} is missing.")
        limits = {key: known[key].metadata.get(_KEY, Limits()) for key in values}
        return kind(**{key: self.convert(values[key], hints[key], limits[key], prefix + key) for key in values})

    def wrong(self, key: str, value: object, expected: str) -> UserError:
        """Return the error for a value that is not what is ``expected``."""
        return self._error(f"{self._place(key)} is {shorten_repr(value)}, but must be {expected}.")

    def convert(self, value: Any, hint: Any, limits: Limits, key: str) -> Any:
        """Check that ``value`` is of the type ``hint``, and convert lists, tables and numbers to it."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            chosen = type(value) if type(value) in arguments else arguments[0]
            return None if chosen is NoneType else self.convert(value, chosen, limits, key)
        if is_dataclass(hint):
            return self.read(hint, value, f"{key}.")  # type: ignore[arg-type]
        if origin is tuple:
            return self._convert_list(value, arguments, limits, key)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            if not isinstance(value, Mapping):
                raise self.wrong(key, value, "a table of keys")
            entries = [(self.convert(str(name), str, Limits(), key), entry) for name, entry in value.items()]
            return {name: self.convert(entry, arguments[1], limits, f"{key}.{name}") for name, entry in entries}
        if origin is Literal:
            if value not in arguments:
                raise self.wrong(key, value, f"one of: {', '.join(map(str, arguments))}")
            return value
        return self._convert_scalar(value, hint, limits, key)

    def _convert_list(self, value: Any, kinds: tuple[Any, ...], limits: Limits, key: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise self.wrong(key, value, "a list")
        is_open = kinds[-1] is Ellipsis
        fewest, most = limits.counts or ((0, len(value)) if is_open else (len(kinds), len(kinds)))
        if not fewest <= len(value) <= most:
            counts = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise self._error(f"{self._place(key)} has {len(value)} entries instead of {counts}.")
        entries = enumerate(value)
        return tuple(self.convert(entry, kinds[0 if is_open else i], limits, f"{key}[{i}]") for i, entry in entries)

    def _convert_scalar(self, value: Any, hint: type, limits: Limits, key: str) -> Any:
        if hint is float and type(value) is int and abs(value) <= _MAX_INTEGER:
            value = float(value)
        is_long = isinstance(value, int) and abs(value) > _MAX_INTEGER
        if isinstance(value, float) and not math.isfinite(value):
            raise self.wrong(key, value, "a finite number")
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise self._error(f"{self._place(key)} has more than {_MAX_TEXT} characters.")
        if isinstance(value, str) and _SURROGATE.search(value):  # no file can hold it
            raise self.wrong(key, value, "a text without half characters (surrogates)")
        if type(value) is not hint or is_long or not limits.allow(value):
            raise self.wrong(key, value, limits.describe(hint))
        return value

    def _place(self, key: str) -> str:
        return key.join(self._subject)


def _has_default(entry: Field[Any]) -> bool:
    return entry.default is not MISSING or entry.default_factory is not MISSING


def shorten_repr(value: object) -> str:
    """Return a value as a sentence shows it, short however large it is."""
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return "a number of many digits"
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = 100
    return shown.repr(value)


def suggest(key: str, known: Collection[str]) -> str:
    """Return the hint for an unknown name: the most similar of the ``known`` ones, or all of them."""
    similar = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"Did you mean {similar[0]!r}?" if similar else f"Known are: {', '.join(known)}."
