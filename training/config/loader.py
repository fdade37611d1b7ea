"""Reading of configurations: limited YAML, inheritance by ``base:``, overrides, and checks of keys and values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from ...engine.errors import ParameterError
from ...engine.strict import Limits, StrictReader, suggest
from ..networks import network_entry, network_name
from .schema import Config, NetworkConfig

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


#: key, value, whether it is valid, and what it must be
Rule = tuple[str, object, bool, str]


def validate(config: Config) -> Config:
    """Return ``config`` if its values are in range and fit each other.

    Raises:
        ParameterError: the first value that does not.
    """
    for key, value, valid, wanted in _rules(config):
        if not valid:
            raise ParameterError(f"The configuration's {key!r} is {value!r}, but must be {wanted}.")
    return config


def _rules(config: Config) -> Iterator[Rule]:
    network, data, train, augment = config.network, config.data, config.train, config.augment
    norm, optimizer, evaluation = config.normalisation, config.optimizer, config.evaluation
    yield "train.archive", train.archive, train.archive >= -1, "0, a number of validations, or -1 for all"
    yield "train.compile", train.compile, train.compile or train.mode == "pynative", "true in graph mode"
    enough = train.steps > 0 or (train.steps == 0 and train.epochs > 0)
    yield "train.steps", train.steps, enough, "above 0, or 0 with train.epochs above 0"
    ranges = {
        "scale": (augment.scale, True),
        "saturation": (augment.saturation, False),
        "contrast": (augment.contrast, False),
        "gamma": (augment.gamma, True),
        "band_gamma": (augment.band_gamma, True),
        "blur": (augment.blur, True),
        "noise": (augment.noise, False),
        "cutout": (augment.cutout, True),
    }
    for key, ((low, high), positive) in ranges.items():
        valid = low <= high and (low > 0 if positive else low >= 0)
        yield f"augment.{key}", [low, high], valid, "a range (low, high) of positive numbers"
    low, high = augment.exchange
    yield "augment.exchange", [low, high], 0 <= low <= high < 0.5, "a range (low, high) from 0 to below 0.5"
    for key, (low, high) in (("histogram", augment.histogram), ("mix", augment.mix)):
        yield f"augment.{key}", [low, high], 0 <= low <= high <= 1, "a range (low, high) from 0 to 1"
    wanted = f"empty or {network.num_classes} (network.num_classes) entries"
    for key, entries in (("data.classes", data.classes), ("data.colours", data.colours)):
        yield key, list(entries), len(entries) in (0, network.num_classes), wanted
    weights = sum(source.weight for source in data.sources)
    for number, source in enumerate(data.sources):
        key, metres = f"data.sources[{number}]", source.resolution
        yield f"{key}.root", source.root, bool(source.root), "a folder"
        yield f"{key}.weight", source.weight, source.weight >= weights / 1000 > 0, "a thousandth of all or more"
        valid = isinstance(metres, str) or metres >= 0
        yield f"{key}.resolution", metres, valid, "metres per pixel, or a CSV file"
    stretches = {"data": data.stretch, **{f"data.sources[{i}]": each.stretch for i, each in enumerate(data.sources)}}
    for key, stretch in stretches.items():
        valid = stretch is None or stretch.fits(len(norm.mean))
        yield f"{key}.stretch", stretch, valid, "values of each band, high above low"
    yield "normalisation.std", norm.std, bool(norm.std) and min(norm.std) > 0, "positive numbers"
    same = len(norm.mean) == len(norm.std)
    yield "normalisation.mean", norm.mean, same, "as many numbers as normalisation.std"
    problem = norm.contrast and norm.contrast.find_problem(len(norm.mean))
    yield "normalisation.contrast", norm.contrast, not problem, "values of each band, high above low"
    factors = optimizer.rate_factors
    yield "optimizer.rate_factors", factors, min(factors.values(), default=1.0) > 0, "factors above 0, by prefix"
    yield "optimizer.ema", optimizer.ema, 0 <= optimizer.ema < 1, "at least 0 and below 1"
    yield "evaluation.overlap", evaluation.overlap, 0 <= evaluation.overlap < 1, "at least 0 and below 1"
    scales = evaluation.scales
    yield "evaluation.scales", scales, bool(scales) and min(scales) > 0, "positive numbers"


def class_names(config: Config) -> tuple[str, ...]:
    """Name of each row of the confusion matrix; a mask has two rows, background and its only class.

    Raises:
        ParameterError: the configuration has another number of names than of classes.
    """
    count = config.network.num_classes
    names = config.data.classes
    if count == 1:
        return ("background", names[0] if names else "foreground")
    if names and len(names) != count:
        raise ParameterError(f"data.classes has {len(names)} names, but network.num_classes is {count}.")
    return names or tuple(f"class {number}" for number in range(count))


#: Most levels of nesting, and most values of a file when every alias is replaced by what it stands for.
MAX_DEPTH = 30
MAX_VALUES = 20_000
#: Most characters of a file and of a single value.
MAX_CHARACTERS = 1 << 20
MAX_SCALAR = 4000


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text: mappings, lists, texts, numbers, true, false, null.

    Raises:
        ValueError: it is not YAML, has a tag (``!!``), or exceeds a limit; the text completes "cannot be read: ...".
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        _check_events(text)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}") from error


def _check_events(text: str) -> None:
    """Raise ValueError where nesting, or the number or length of values, exceeds its limit."""
    sizes: dict[str, int] = {}  # of the anchors, in values
    open_sizes: list[int] = [0]
    open_anchors: list[str | None] = [None]
    anchor: str | None
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, CollectionStartEvent):
            open_sizes.append(0)
            open_anchors.append(event.anchor)
            if len(open_sizes) > MAX_DEPTH + 1:
                raise ValueError(f"it has more than {MAX_DEPTH} levels")
        if isinstance(event, (CollectionStartEvent, ScalarEvent)) and event.tag is not None:
            raise ValueError(f"it has the tag {event.tag[:100]!r}, but only plain values are read")
        if isinstance(event, CollectionEndEvent):
            size, anchor = open_sizes.pop() + 1, open_anchors.pop()
        elif isinstance(event, ScalarEvent):
            size, anchor = 1, event.anchor
            if len(event.value) > MAX_SCALAR:
                raise ValueError(f"a value has more than {MAX_SCALAR:,} characters")
        elif isinstance(event, AliasEvent):
            # What an alias stands for has no size yet where the alias is a part of it.
            size, anchor = sizes.get(str(event.anchor), MAX_VALUES), None
        else:
            continue
        open_sizes[-1] += size
        if anchor:
            sizes[anchor] = size
        if open_sizes[-1] > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES:,} values with those that its aliases stand for")
