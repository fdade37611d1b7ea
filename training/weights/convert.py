"""Files of weights of other programs -> checkpoints of the networks here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.errors import CheckpointError
from ...engine.models.checkpoint import read_checkpoint, write_checkpoint
from ...engine.models.graph import GRAPHS, graph_path, parameter_shapes
from ...engine.models.onnx_file import load_onnx
from ..networks import network_entry, other_options
from .mapping import Array, Part, Report, map_weights
from .torch_file import read_torch

#: how Torch 7 begins: the number, 32 bits, of the kind of what follows (a table or an object)
_TORCH7 = (b"\x03\0\0\0", b"\x04\0\0\0")


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        report: what became of the names.
        stem_pool: the option of that name that the weights were trained with, or None where the network has none.
    """

    report: Report
    stem_pool: str | None


def convert_weights(source: Path, target: Path, architecture: str, *, part: Part = "auto") -> Converted:
    """Convert the weights in ``source`` and write them as the checkpoint ``target``.

    Args:
        source: a PyTorch file (``.pth``, ``.th``, ``.pt``) or a MindSpore checkpoint (``.ckpt``); which one it is, is
            decided by its content.
        target: the checkpoint to write.
        architecture: the network.
        part: whether the source holds the whole network or its encoder (a ResNet).

    Raises:
        CheckpointError: the source is damaged, or any name is missing, unexpected or of another shape; nothing is
            written then.
        ParameterError: there is no such network.
    """
    entry = network_entry(architecture)
    weights, foreign = _read(source)
    graph = load_onnx(graph_path(architecture.partition("-")[0], other_options(architecture), GRAPHS))
    arrays, report = map_weights(
        weights, architecture, parameter_shapes(graph), part=part, training_only=entry.training_only
    )
    if report.surprises:
        raise CheckpointError(
            f"{source} does not hold the weights of {architecture} ({report.text()}): {report.details()}."
        )
    write_checkpoint(target, arrays)
    # MindCV's ResNets pool with "same"; torchvision's, and all PyTorch networks here, symmetrically.
    pool = ("symmetric" if foreign else "same") if "stem_pool" in entry.defaults else None
    return Converted(report, pool)


def _read(source: Path) -> tuple[dict[str, Array], bool]:
    """The weights, and whether PyTorch wrote them."""
    try:
        with source.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise CheckpointError(f"{source} cannot be read: {error.strerror or error}.") from error
    if head[:2] == b"PK" or head[:1] == b"\x80":
        return read_torch(source), True
    if head in _TORCH7:
        raise CheckpointError(
            f"{source} looks like a file of Torch 7, which holds a program of Lua objects and is not read.",
            "Use weights of LinkNet's PyTorch port, or torchvision's ResNet18 for the encoder.",
        )
    found: dict[str, Any] = read_checkpoint(source)
    return found, False
