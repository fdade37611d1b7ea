"""Strict reading of a JSON object: every key is read once with its type and range, and unknown keys are errors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TypeVar

from ..errors import CardError

Choice = TypeVar("Choice", bound=str)
MAX_TEXT = 20_000


# Not msgspec: its errors name Python types ("Expected `int` >= 1 - at `$.bands`"), and it accepts a repeated key.
class StrictReader:
    """Reads the keys of one JSON object, one by one.

    Args:
        document: the parsed JSON value, which has to be an object.
        origin: begins every error, such as ``The model card a/card.json``.
        prefix: path of the object within its document, such as ``classes[0].``.

    Raises:
        CardError: the value is not an object.
    """

    def __init__(self, document: object, origin: str, prefix: str = "") -> None:
        self._origin, self._prefix = origin, prefix
        if not isinstance(document, dict):
            raise CardError(f"{origin}: {prefix.rstrip('.') or 'the document'} is not a JSON object.")
        self._values: dict[str, object] = dict(document)

    def error(self, key: str, text: str) -> CardError:
        """The error for ``key``, whose sentence continues with ``text``."""
        return CardError(f"{self._origin}: {self._prefix}{key} {text}.")

    def finish(self) -> None:
        """Raise ``CardError`` where a key was not read."""
        if self._values:
            raise self.error(min(self._values), "is not a known key")

    def take(self, key: str) -> object:
        """The value of ``key``, of any type; the key must be there."""
        if key not in self._values:
            raise self.error(key, "is missing")
        return self._values.pop(key)

    def text(self, key: str, *, pattern: re.Pattern[str] | None = None, empty: bool = False) -> str:
        """A string, not empty unless ``empty``, that wholly matches ``pattern`` where one is given."""
        value = self.take(key)
        if not isinstance(value, str):
            raise self.error(key, "is not text")
        if len(value) > MAX_TEXT:
            raise self.error(key, f"has more than {MAX_TEXT} characters")
        if not empty and not value.strip():
            raise self.error(key, "is empty")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.error(key, f"is '{value[:80]}', which does not have the form {pattern.pattern}")
        return value

    def optional_text(self, key: str, *, pattern: re.Pattern[str] | None = None) -> str | None:
        """A string as of ``text``, or ``None`` for JSON's null."""
        if key in self._values and self._values[key] is None:
            del self._values[key]
            return None
        return self.text(key, pattern=pattern)

    def choice(self, key: str, choices: tuple[Choice, ...]) -> Choice:
        """One of ``choices``."""
        value = self.text(key)
        for choice in choices:
            if choice == value:
                return choice
        raise self.error(key, f"is '{value[:80]}', not one of {', '.join(choices)}")

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise self.error(key, "is neither true nor false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        return self._check_integer(key, self.take(key), low, high)

    def number(self, key: str, low: float, high: float) -> float:
        """A finite number from ``low`` to ``high``."""
        return self._check_number(key, self.take(key), low, high)

    def integers(self, key: str, count: int, low: int, high: int) -> tuple[int, ...]:
        """A list of ``count`` whole numbers, each from ``low`` to ``high``."""
        return tuple(self._check_integer(key, value, low, high) for value in self._take_list(key, count, count))

    def numbers(self, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """A list of ``count`` finite numbers, each from ``low`` to ``high``."""
        return tuple(self._check_number(key, value, low, high) for value in self._take_list(key, count, count))

    def nested(self, key: str) -> StrictReader:
        """A reader of the JSON object at ``key``."""
        return StrictReader(self.take(key), self._origin, f"{self._prefix}{key}.")

    def objects(self, key: str, fewest: int, most: int) -> list[StrictReader]:
        """Readers of a list of ``fewest`` to ``most`` JSON objects."""
        values = self._take_list(key, fewest, most)
        return [
            StrictReader(value, self._origin, f"{self._prefix}{key}[{index}].") for index, value in enumerate(values)
        ]

    def metrics(self, key: str) -> dict[str, float]:
        """A JSON object of finite numbers by name."""
        values = self._take_mapping(key)
        return {name: self._check_number(f"{key}.{name}", value, -1e300, 1e300) for name, value in values.items()}

    def options(self, key: str) -> dict[str, str | int | float | bool]:
        """A JSON object of plain values (text, numbers, booleans) by name."""
        result: dict[str, str | int | float | bool] = {}
        for name, value in self._take_mapping(key).items():
            if not isinstance(value, str | int | float | bool):
                raise self.error(f"{key}.{name}", "is neither text nor a number nor a truth value")
            result[name] = value
        return result

    def _take_mapping(self, key: str) -> dict[str, object]:
        value = self.take(key)
        if not isinstance(value, dict):
            raise self.error(key, "is not a JSON object")
        return value

    def _take_list(self, key: str, fewest: int, most: int) -> Sequence[object]:
        value = self.take(key)
        if not isinstance(value, list):
            raise self.error(key, "is not a list")
        if not fewest <= len(value) <= most:
            expected = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise self.error(key, f"has {len(value)} entries instead of {expected}")
        return value

    def _check_integer(self, key: str, value: object, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, "is not a whole number")
        if not low <= value <= high:
            raise self.error(key, f"is {value}, which is not from {low} to {high}")
        return value

    def _check_number(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(_clamped(value)):
            raise self.error(key, "is not a finite number")
        if not low <= value <= high:
            raise self.error(key, f"is {_clamped(value):g}, which is not from {low:g} to {high:g}")
        return float(value)


def _clamped(value: float) -> float:
    # Integers in JSON have any length; beyond this a conversion to float would fail.
    return float(max(min(value, 1e308), -1e308)) if value == value else math.nan  # noqa: PLR0124
