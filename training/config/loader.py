"""Reading of configurations: YAML, inheritance by ``base:``, overrides, and strict checks of keys and types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...engine.errors import ParameterError
from ...engine.strict import Limits, StrictReader, suggest
from ..networks import network_entry, network_name
from .schema import Config, NetworkConfig
from .validation import validate
from .yaml_limits import parse_yaml

#: Folder of the configurations that come with the package.
PACKAGED = Path(__file__).parent.parent / "configs"


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
    return validate(from_mapping(merge_overrides(_read_yaml(find_config(path), ()), overrides)))


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
    raise ParameterError(f"There is no configuration {str(path)!r}.", suggest(wanted.stem, known))


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


class ConfigReader(StrictReader):
    """Reads configurations: YAML 1.1 takes 6e-4, without a dot, for a text, and a key without a value is empty."""

    def convert(self, value: Any, hint: Any, limits: Limits, key: str) -> Any:
        """Convert a value; see ``StrictReader.convert``."""
        if hint is float and isinstance(value, str):
            with suppress(ValueError):
                value = float(value)
        return super().convert("" if hint is str and value is None else value, hint, limits, key)


def from_mapping(values: Mapping[str, Any]) -> Config:
    """Make a configuration from plain values by section and key; missing ones have their defaults.

    Raises:
        ParameterError: a key is unknown (the hint names the most similar one), or a value has the wrong type.
    """
    return ConfigReader(ParameterError, ("The configuration's '", "'"), complete=False).read(Config, values)


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
