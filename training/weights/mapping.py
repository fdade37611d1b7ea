"""Names of other programs' weights -> names of the networks here, with a report that hides nothing.

First names are brought to MindSpore's: ``module.``, ``net.`` and ``network.`` in front are taken off; a prefix that
has a ``running_mean`` is a batch normalisation, whose ``weight``, ``bias``, ``running_mean`` and ``running_var`` become
``gamma``, ``beta``, ``moving_mean`` and ``moving_variance``; ``downsample`` becomes ``down_sample``. Then either the
names are the network's already (weights of the whole network), or they are those of a ResNet (weights of its encoder),
which each family of networks has under other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import CheckpointError
from ...engine.models.parameters import Shape, is_training_state

Array = NDArray[Any]
Part = Literal["auto", "network", "encoder"]

_WRAPPER = re.compile(r"(?:module|network|net)\.")
_NORMALISATION = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
#: first parts of names that belong to a ResNet's classifier
_CLASSIFIER = ("fc.", "classifier.")
#: how a ResNet's names begin in each family of networks
_ENCODERS: dict[str, dict[str, str]] = {
    "dlinknet": {"conv1": "firstconv", "bn1": "firstbn", **{f"layer{i}": f"encoder{i}" for i in range(1, 5)}},
    "linknet34": {"conv1": "firstconv", "bn1": "firstbn", **{f"layer{i}": f"encoder{i}" for i in range(1, 5)}},
    "linknet": {"conv1": "in_block.0", "bn1": "in_block.1", **{f"layer{i}": f"encoder{i}" for i in range(1, 5)}},
    "deeplabv3": {name: f"backbone.net.{name}" for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")},
    "dgcnet": {name: name for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")},
}
#: biases that published MindSpore files of D-LinkNet lack; 0 is what they compute with
_LACKING = re.compile(r"decoder[1-4]\.deconv2\.bias|dblock\.dilate5\.bias")


@dataclass(frozen=True)
class Report:
    """What became of the names.

    Attributes:
        part: "network" or "encoder": what the file holds.
        matched: names of the network that were found.
        left_out: names of the file that are no weights of the network and need not be: the classifier of an encoder,
            counters, state of training.
        filled: names of the network that published files lack and that are set to 0.
        missing: names of the network that are not in the file.
        unexpected: names of the file that the network does not have.
        misshapen: names whose shapes differ, with both shapes.
    """

    part: str
    matched: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def surprises(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.missing or self.unexpected or self.misshapen)

    def text(self) -> str:
        """One line for people."""
        parts = [f"{len(self.matched)} matched", f"{len(self.missing)} missing", f"{len(self.unexpected)} unexpected"]
        for names, what in (
            (self.misshapen, "of another shape"),
            (self.filled, "set to 0"),
            (self.left_out, "left out"),
        ):
            if names:
                parts.append(f"{len(names)} {what}")
        return f"{self.part}: {', '.join(parts)}"

    def details(self) -> str:
        """The names of all surprises, the first few of each kind."""
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.misshapen))
        return "; ".join(
            f"{what}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" for what, names in kinds if names
        )


def map_weights(
    weights: Mapping[str, Array],
    architecture: str,
    wanted: Mapping[str, Shape],
    *,
    part: Part = "auto",
    training_only: tuple[str, ...] = (),
) -> tuple[dict[str, NDArray[np.float32]], Report]:
    """Find the network's weights among those of a file.

    Args:
        weights: arrays by the file's names.
        architecture: name of the network.
        wanted: shape by name of the network's weights; a size given by a name takes any size, the same everywhere.
        part: whether the file holds the network or its encoder; "auto" takes what fits more names.
        training_only: prefixes of weights that are taken if they are there.

    Returns:
        float32 arrays by the network's names, and the report. Where it has surprises the arrays are not complete.

    Raises:
        CheckpointError: values that are not finite or not numbers, or one name twice.
    """
    named, left_out = _to_mindspore(weights, wanted)
    if part == "auto":
        part = _likely_part(named, architecture, wanted)
    if part == "encoder":
        named, dropped = _encoder_names(named, architecture)
        left_out += dropped
        wanted = {name: shape for name, shape in wanted.items() if _is_encoder(name, architecture)}
    extra = tuple(name for name in named if name not in wanted and name.startswith(training_only or ("\0",)))
    arrays, misshapen = _shaped(named, wanted)
    arrays.update({name: named[name] for name in extra})
    filled: dict[str, Array] = {}
    if part == "network" and len(arrays) > len(wanted) // 2:
        lacking = [name for name in wanted if name not in named and _LACKING.fullmatch(name)]
        filled = {name: np.zeros(_like(name, arrays), np.float32) for name in lacking}
    report = Report(
        part=part,
        matched=tuple(arrays),
        left_out=tuple(left_out),
        filled=tuple(filled),
        missing=tuple(name for name in wanted if name not in named and name not in filled),
        unexpected=tuple(name for name in named if name not in wanted and name not in extra),
        misshapen=tuple(misshapen),
    )
    return {name: _checked(name, array) for name, array in {**arrays, **filled}.items()}, report


def _to_mindspore(weights: Mapping[str, Array], wanted: Mapping[str, Shape]) -> tuple[dict[str, Array], list[str]]:
    """The weights by MindSpore's names, and the names that were left out."""
    normalised = {name[: -len("running_mean")] for name in weights if name.endswith(".running_mean")}
    found: dict[str, Array] = {}
    left_out: list[str] = []
    for name, array in weights.items():
        prefix, _, last = name.rpartition(".")
        if last == "num_batches_tracked" or is_training_state(name):
            left_out.append(name)
            continue
        if f"{prefix}." in normalised:
            last = _NORMALISATION.get(last, last)
        new = f"{prefix}.{last}" if prefix else last
        while new not in wanted and (wrapper := _WRAPPER.match(new)):
            new = new[wrapper.end() :]
        new = re.sub(r"(^|\.)downsample\.", r"\1down_sample.", new)
        if new in found:
            raise CheckpointError(f"The weights {new} are in the file twice.")
        found[new] = array
    return found, left_out


def _likely_part(named: Mapping[str, Array], architecture: str, wanted: Mapping[str, Shape]) -> Part:
    if _family(architecture) is None:
        return "network"
    as_network = sum(name in wanted for name in named)
    as_encoder = sum(name in wanted for name in _encoder_names(named, architecture)[0])
    classifier = any(name.startswith(_CLASSIFIER) for name in named)
    return "encoder" if as_encoder > as_network or (as_encoder == as_network and classifier) else "network"


def _family(architecture: str) -> dict[str, str] | None:
    """A ResNet's names in the family of the network ``architecture``; None if it has no ResNet."""
    base = architecture.partition("-")[0]
    keys = [key for key in _ENCODERS if base.startswith(key)]
    return _ENCODERS[max(keys, key=len)] if keys else None


def _encoder_names(named: Mapping[str, Array], architecture: str) -> tuple[dict[str, Array], list[str]]:
    """A ResNet's weights by the network's names, and the names of its classifier."""
    family = _family(architecture)
    if family is None:
        raise CheckpointError(f"The network {architecture} has no ResNet whose weights could be taken.")
    found: dict[str, Array] = {}
    dropped: list[str] = []
    for name, array in named.items():
        first, _, rest = name.partition(".")
        if name.startswith(_CLASSIFIER):
            dropped.append(name)
        else:
            found[f"{family.get(first, first)}.{rest}"] = array
    return found, dropped


def _is_encoder(name: str, architecture: str) -> bool:
    family = _family(architecture)
    return family is not None and name.startswith(tuple(f"{prefix}." for prefix in family.values()))


def _shaped(named: Mapping[str, Array], wanted: Mapping[str, Shape]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays in their shapes, and what does not fit."""
    sizes: dict[str, int] = {}
    arrays: dict[str, Array] = {}
    misshapen: list[str] = []
    for name, shape in wanted.items():
        if name not in named:
            continue
        array = named[name]
        if array.ndim == 3 and len(shape) == 4:
            array = array[:, :, None]  # a 1-D convolution, which MindSpore keeps as (out, in, 1, kernel)
        fits = array.ndim == len(shape) and all(
            size == (wish if isinstance(wish, int) else sizes.setdefault(wish, size))
            for size, wish in zip(array.shape, shape, strict=True)
        )
        if fits:
            arrays[name] = array
        else:
            expected = [sizes.get(wish, wish) if isinstance(wish, str) else wish for wish in shape]
            misshapen.append(f"{name} {list(named[name].shape)} instead of {expected}")
    return arrays, misshapen


def _like(bias: str, arrays: Mapping[str, Array]) -> int:
    """Length of a bias: of the convolution's output; a transposed one has it on its second axis."""
    weight = arrays.get(bias.removesuffix("bias") + "weight")
    if weight is None:
        return 0
    return int(weight.shape[1] if "deconv" in bias else weight.shape[0])


def _checked(name: str, array: Array) -> NDArray[np.float32]:
    if array.dtype.kind != "f":
        raise CheckpointError(f"The weights {name} are not floating-point numbers.")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(found).all():
        raise CheckpointError(f"The weights {name} hold values that are not finite, or beyond float32.")
    return found
