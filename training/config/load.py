"""Reading of configurations: YAML, inheritance by ``base:``, overrides, and strict checks of keys and types."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml

from ...engine.errors import ParameterError
from .schema import Config
from .validate import validate

T = TypeVar("T")

#: The configurations that come with the package.
PACKAGED = Path(__file__).parent.parent / "configs"


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Args:
        path: a YAML file, or the name of one that comes with the package (with or without ``.yaml``). Its key
            ``base`` names a file, relative to it or of the package, whose values it inherits; or a list of files, of
            which later ones win.
        overrides: ``key=value`` with dots in the key, as ``optimizer.lr=1e-3``; the value is YAML.

    Raises:
        ParameterError: the file is missing or not YAML, a key is not known, or a value has the wrong type or makes
            no sense.
    """
    return validate(from_mapping(Config, merge_overrides(_read(find_config(path), ()), overrides)))


def merge_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The values with each ``key=value`` laid over them."""
    merged = dict(values)
    for text in overrides:
        merged = _merge(merged, _override(text))
    return merged


def find_config(path: str | Path, beside: Path | None = None) -> Path:
    """The file that ``path`` means: as it is, relative to ``beside``, or one of the package's own."""
    wanted = Path(path)
    candidates = [] if beside is None else [beside / wanted]
    candidates += [wanted, PACKAGED / wanted, PACKAGED / f"{wanted}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted(file.stem for file in PACKAGED.glob("*.yaml"))
    raise ParameterError(f"There is no configuration {str(path)!r}.", f"{_nearest(wanted.stem, known)}")


def from_mapping(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Make the dataclass ``kind`` from plain values, strictly.

    Raises:
        ParameterError: an unknown key (the sentence names the nearest known one) or a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise ParameterError(
                f"The configuration has an unknown key {where + str(key)!r}.", _nearest(str(key), names)
            )
    return kind(**{key: _convert(value, hints[key], where + key) for key, value in values.items()})


def to_mapping(config: object) -> dict[str, Any]:
    """Plain values (dictionaries, lists, numbers, strings) that ``from_mapping`` turns back into the same dataclass."""
    plain: dict[str, Any] = _plain(config)
    return plain


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ParameterError(f"The configuration {path} inherits from itself.")
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ParameterError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"The configuration {path} is not YAML: {' '.join(str(error).split())}.") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ParameterError(f"The configuration {path} is not a table of keys and values.")
    bases = values.pop("base", [])
    if isinstance(bases, str):
        bases = [bases]
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise ParameterError(f"The key 'base' of {path} is not the name of a file, or a list of names.")
    inherited: dict[str, Any] = {}
    for base in bases:
        inherited = _merge(inherited, _read(find_config(base, path.parent), (*seen, path.resolve())))
    return _merge(inherited, values)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``; tables are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ParameterError(f"{text!r} is not of the form key=value.")
    try:
        nested: Any = yaml.safe_load(value) if value else ""
    except yaml.YAMLError as error:
        raise ParameterError(f"The value of {text!r} is not YAML.") from error
    for part in reversed(key.split(".")):
        nested = {part: nested}
    result: dict[str, Any] = nested
    return result


def _convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint``, or an error that says what is expected."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "a table of keys")
        return from_mapping(hint, value, f"{where}.")
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(str(choice) for choice in arguments)
            raise ParameterError(f"The configuration's {where!r} is {value!r}, but must be one of: {choices}.")
        return value
    if origin is tuple:
        return _convert_tuple(value, arguments, where)
    if origin is not None and issubclass_safe(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "a table of keys")
        return {str(key): _convert(entry, arguments[1], f"{where}.{key}") for key, entry in value.items()}
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments, where)
    return _convert_plain(value, hint, where)


def issubclass_safe(kind: Any, parent: type) -> bool:
    """``issubclass`` that is False for what is no class."""
    return isinstance(kind, type) and issubclass(kind, parent)


def _convert_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(where, value, "a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(entry, arguments[0], f"{where}[{i}]") for i, entry in enumerate(value))
    if len(value) != len(arguments):
        raise _wrong(where, value, f"a list of {len(arguments)}")
    return tuple(
        _convert(entry, hint, f"{where}[{i}]") for i, (entry, hint) in enumerate(zip(value, arguments, strict=True))
    )


def _convert_union(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    for hint in arguments:
        if isinstance(hint, type) and type(value) is hint:
            return value
    return _convert(value, arguments[0], where)


def _convert_plain(value: Any, hint: Any, where: str) -> Any:
    if hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif hint is float:
        number = _number(value)
        if number is not None:
            return number
    elif hint is str:
        if isinstance(value, str):
            return value
        if value is None:
            return ""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    raise _wrong(where, value, names.get(hint, str(hint)))


def _number(value: Any) -> float | None:
    # YAML 1.1 reads 6e-4 (no dot) as a text.
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None


def _wrong(where: str, value: Any, expected: str) -> ParameterError:
    return ParameterError(f"The configuration's {where!r} is {value!r}, but must be {expected}.")


def _nearest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
