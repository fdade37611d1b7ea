"""Reading of configurations: YAML, inheritance by ``base:``, overrides, and strict checks of keys and types."""

from __future__ import annotations

import dataclasses
import difflib
import math
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from ...engine.errors import ParameterError
from ..networks import network_entry, network_name
from .schema import Config, NetworkConfig
from .validation import validate
from .yaml_limits import parse_yaml

T = TypeVar("T")

#: Folder of the configurations that come with the package.
PACKAGED = Path(__file__).parent.parent / "configs"

#: Largest whole number; more digits than Python converts would end in an error when a sentence shows the number.
_MAX_INTEGER = 2**63 - 1
_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Args:
        path: a YAML file, or the name of one that comes with the package (with or without ``.yaml``). Its key
            ``base`` names a file, relative to it or of the package, whose values it inherits; or a list of files, of
            which later ones win.
        overrides: ``key=value`` with dots in the key, as ``optimizer.lr=1e-3``; the value is YAML.

    Raises:
        ParameterError: the file is missing or not YAML, a key is not known, or a value has the wrong type or is out
            of range.
    """
    return validate(from_mapping(Config, merge_overrides(_read_yaml(find_config(path), ()), overrides)))


def find_config(path: str | Path, folder: Path | None = None) -> Path:
    """Find a configuration: relative to ``folder``, as a path, or by name among those of the package.

    Raises:
        ParameterError: there is no such file; the hint names the most similar one of the package.
    """
    wanted = Path(path)
    for candidate in ((folder or Path()) / wanted, wanted, PACKAGED / wanted, PACKAGED / f"{wanted}.yaml"):
        if candidate.is_file():
            return candidate
    known = sorted(file.stem for file in PACKAGED.glob("*.yaml"))
    raise ParameterError(f"There is no configuration {str(path)!r}.", _suggest(wanted.stem, known))


def merge_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Merge overrides ``key=value`` into nested values, in order.

    Raises:
        ParameterError: an override is not of this form.
    """
    merged = dict(values)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ParameterError(f"{text!r} is not of the form key=value.")
        try:
            nested: Any = parse_yaml(value) if value else ""
        except ValueError as error:
            raise ParameterError(f"The value of {text[:100]!r} cannot be read: {error}.") from error
        for part in reversed(key.split(".")):
            nested = {part: nested}
        merged = _merge(merged, nested)
    return merged


def from_mapping(kind: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Make the dataclass ``kind`` from plain values.

    Args:
        kind: a dataclass whose fields are numbers, strings, literals, tuples, mappings or dataclasses.
        values: by name of the field; missing ones have their defaults.
        prefix: of the keys in error messages.

    Raises:
        ParameterError: a key is unknown (the hint names the most similar one) or a value has the wrong type.
    """
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            name = _shorten(key)[1:-1] if isinstance(key, str) else _shorten(key)
            raise ParameterError(f"The configuration has an unknown key '{prefix}{name}'.", _suggest(name, names))
    return kind(**{key: _convert(value, hints[key], prefix + key) for key, value in values.items()})


def to_mapping(config: Config) -> dict[str, Any]:
    """Plain values (dictionaries, tuples, numbers, strings) of a configuration; ``from_mapping`` is the inverse."""
    return dataclasses.asdict(config)


def _read_yaml(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    """Values of a file merged into those of its bases; ``children`` are the files that inherit from it."""
    if path.resolve() in children:
        raise ParameterError(f"The configuration {path} inherits from itself.")
    try:
        values = parse_yaml(path.read_text("utf-8"))
    except OSError as error:
        raise ParameterError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ParameterError(f"The configuration {path} cannot be read: {error}.") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ParameterError(f"The configuration {path} is not a table of keys and values.")
    bases = values.pop("base", [])
    if isinstance(bases, str):
        bases = [bases]
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise ParameterError(f"The key 'base' of {path} is not the name of a file, or a list of names.")
    inherited: dict[str, Any] = {}
    for base in bases:
        inherited = _merge(inherited, _read_yaml(find_config(base, path.parent), (*children, path.resolve())))
    return _merge(inherited, values)


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``overrides`` into ``base``: tables key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in overrides.items():
        current = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(current, Mapping)
        merged[key] = _merge(current, value) if both else value  # type: ignore[arg-type]
    if isinstance(network := merged.get("network"), Mapping):
        merged["network"] = _name_network(network)
    return merged


def _name_network(network: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``decoder`` and ``encoder`` by the ``name`` of both; one that is not given is that of ``name``."""
    named = {key: value for key, value in network.items() if key not in ("decoder", "encoder")}
    if len(named) < len(network):
        inherited = network_entry(str(network.get("name", NetworkConfig.name)))
        decoder, encoder = network.get("decoder", inherited.decoder), network.get("encoder", inherited.encoder)
        named["name"] = network_name(str(decoder), str(encoder))
    return named


def _convert(value: Any, hint: Any, key: str) -> Any:
    """Check that ``value`` is of the type ``hint``, and convert lists, tables and numbers to it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise _type_error(key, value, "a table of keys")
        return from_mapping(hint, value, f"{key}.")
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _type_error(key, value, "a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(value) != len(arguments):
            raise _type_error(key, value, f"a list of {len(arguments)}")
        return tuple(_convert(entry, arguments[i], f"{key}[{i}]") for i, entry in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _type_error(key, value, "a table of keys")
        return {str(name): _convert(entry, arguments[1], f"{key}.{name}") for name, entry in value.items()}
    return _convert_scalar(value, hint, key)


def _convert_scalar(value: Any, hint: Any, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(map(str, arguments))
            raise _type_error(key, value, f"one of: {choices}")
        return value
    if origin in (Union, types.UnionType):
        return value if type(value) in arguments else _convert_scalar(value, arguments[0], key)
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        # YAML 1.1 reads 6e-4, without a dot, as a text.
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise _type_error(key, value, _TYPE_NAMES[float]) from None
        if not math.isfinite(number):
            raise _type_error(key, value, "a finite number")
        return number
    if hint is str and value is None:
        return ""
    if type(value) is hint and not (hint is int and abs(value) > _MAX_INTEGER):
        return value
    raise _type_error(key, value, _TYPE_NAMES.get(hint, str(hint)))


def _type_error(key: str, value: Any, expected: str) -> ParameterError:
    return ParameterError(f"The configuration's {key!r} is {_shorten(value)}, but must be {expected}.")


def _shorten(value: Any) -> str:
    """Value as a sentence shows it, short however large it is."""
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return "a number of many digits"
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = 100
    return shown.repr(value)


def _suggest(key: str, known: Sequence[str]) -> str:
    similar = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"Did you mean {similar[0]!r}?" if similar else f"Known are: {', '.join(known)}."
