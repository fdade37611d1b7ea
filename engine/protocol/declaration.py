"""Declarations of options: default, unit, range, help and title stand with the field of a dataclass.

Standard library only and Python 3.9, because QGIS's Python imports this module too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ParameterError

_KEY = "option"


@dataclass(frozen=True)
class OptionInfo:
    """What is known of an option beside its name, type and default.

    Attributes:
        help: one sentence, without the default.
        title: short title for forms, in English; translated where it is shown.
        unit: ``m``, ``m²``, ``°``, ``pixels``, ``rows``, ``MB``; empty for plain numbers.
        minimum: smallest value; None for any.
        maximum: largest value; None for any.
        above: whether the value must be greater than ``minimum``.
        unset: what None stands for, such as ``one pixel``.
        metavar: name of the value on the command line; made from the unit or the type where empty.
        items: form of one item of an option that may be repeated, such as ``ID=M2``; empty for single values.
        flag: name on the command line where it differs from the field's.
        choices: the values of a text; empty for any.
        suggestions: values that forms offer, the default first; others are allowed.
        holds: what a file holds, so that forms offer layers of the project: ``lines``, ``polygons`` or ``raster``.
    """

    help: str
    title: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    unset: str = ""
    metavar: str = ""
    items: str = ""
    flag: str = ""
    choices: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    holds: str = ""


@dataclass(frozen=True)
class Option:
    """One option of a dataclass.

    Attributes:
        name: name of the field.
        kind: ``float``, ``int``, ``bool``, ``str`` or another name of the field's type, without ``| None``.
        default: the field's default; None where the engine decides.
        info: the declaration.
    """

    name: str
    kind: str
    default: Any
    info: OptionInfo

    @property
    def flag(self) -> str:
        """Name on the command line without dashes at its beginning."""
        return self.info.flag or self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """The default for people: ``50 m``, ``one pixel``, ``yes``."""
        if self.default is None or self.info.unset:
            return self.info.unset
        if isinstance(self.default, bool):
            return "yes" if self.default else ""
        unit = self.info.unit if self.info.unit == "°" else f" {self.info.unit}".rstrip()
        return f"{self.default:g}{unit}" if isinstance(self.default, (int, float)) else str(self.default)


def option(default: Any, help: str, title: str = "", **facts: Any) -> Any:  # noqa: A002 (the word that argparse and click use)
    """Make a dataclass field with a declaration.

    Args:
        default: the field's default, or a function that makes it.
        help: see ``OptionInfo``.
        title: likewise.
        facts: the further attributes of ``OptionInfo``.
    """
    metadata = {_KEY: OptionInfo(help, title, **facts)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(declaration: type, *names: str) -> dict[str, Option]:
    """The options that a dataclass declares, by name: those named, or all of them in their order."""
    declared = {
        entry.name: Option(entry.name, str(entry.type).split(" | ")[0], _default(entry), entry.metadata[_KEY])
        for entry in fields(declaration)
        if _KEY in entry.metadata
    }
    return {name: declared[name] for name in names} if names else declared


def _default(entry: Any) -> Any:
    return None if callable(entry.default_factory) else entry.default


def check_range(name: str, value: float | None, info: OptionInfo) -> None:
    """Check that ``value`` is finite and within the declared range, if there is one.

    Raises:
        ParameterError: it is not; the sentence names the option and the range.
    """
    low, high = info.minimum, info.maximum
    if value is None or (low is None and high is None):
        return
    too_low = low is not None and (value <= low if info.above else value < low)
    if math.isfinite(value) and not too_low and not (high is not None and value > high):
        return
    bound = "" if low is None else f"above {low:g}" if info.above else f"{low:g} or more"
    if high is not None:
        bound += f"{' and ' if bound else ''}at most {high:g}"
    unit = f" {'degrees' if info.unit == '°' else info.unit}" if info.unit else ""
    raise ParameterError(f"The option {name} is {value}, but must be {bound}{unit}.")


def check_ranges(values: Any) -> None:
    """Check every number of a dataclass of options; see ``check_range``."""
    for name, entry in options_of(type(values)).items():
        if entry.kind in ("float", "int"):
            check_range(name, getattr(values, name), entry.info)
