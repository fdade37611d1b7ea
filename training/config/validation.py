"""Ranges of configured values, checked before anything is read or compiled."""

from __future__ import annotations

from collections.abc import Iterator

from ...engine.errors import ParameterError
from .schema import Config

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
    yield "normalisation.std", norm.std, bool(norm.std) and min(norm.std) > 0, "positive numbers"
    same = len(norm.mean) == len(norm.std)
    yield "normalisation.mean", norm.mean, same, "as many numbers as normalisation.std"
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
