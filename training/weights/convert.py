"""Convert weights of other programs to checkpoints of the networks here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...engine.errors import CheckpointError
from ...engine.models.checkpoint import read_checkpoint, write_checkpoint
from ...engine.models.graph import graph_path, parameter_shapes
from ...engine.models.onnx_file import load_onnx
from ...engine.models.parameters import Shape
from ..networks import NETWORKS, create_network, network_entry
from .mapping import Array, MappingReport, Part, map_weights
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
