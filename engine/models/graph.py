"""The graph that a runtime gets: pixels in, probabilities out.

A checkpoint has weights and no graph; ``resources/graphs/<architecture>.onnx`` has the graph and no weights. Its
inputs are the image (first) and then every parameter by its MindSpore name and shape; its first output are the
logits. Here the parameters become initializers, the normalisation is put in front and the activation behind::

    image (N, bands, H, W) card.dtype -> Cast, Mul, Add -> network -> Sigmoid | Softmax -> probability float32
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...__about__ import __version__
from ..errors import GraphError
from .card import ModelCard, OptionValue, card_text
from .checkpoint import Array, read_checkpoint
from .onnx_file import load_onnx
from .parameters import Shape, is_of_parts, is_training_state, match_parameters
from .preprocessing_graph import wrap_network
from .registry import Model

if TYPE_CHECKING:
    import onnx

GRAPHS = Path(__file__).resolve().parents[2] / "resources" / "graphs"


def build_graph(model: Model, *, tile: int | None = None, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """The whole ONNX graph of ``model``: pixels in, probabilities out.

    Args:
        model: a checked model of the registry.
        tile: side of the tiles that it shall be run on, in pixels; the card's unless given.
        graphs: folder of the weightless graphs.

    Returns:
        A model with the input ``image`` (N, bands, H, W) of the card's dtype and the output ``probability``
        (N, classes, H, W) float32. N, H and W are dynamic where the network's graph leaves them so.

    Raises:
        GraphError: the graph is missing, damaged or does not fit the card.
        CheckpointError: the checkpoint is damaged or not of this architecture.
    """
    network = network_graph(model, graphs)
    _check_interface(network, model.card, tile or model.card.tile, str(model.weights))
    wrap_network(network, model.card, str(model.weights))
    return network


def network_graph(model: Model, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """The bare network of ``model`` with its weights: normalised image in, logits out; errors as ``build_graph``."""
    suffix = model.weights.suffix.lower()
    if suffix == ".onnx":
        return load_onnx(model.weights)
    if suffix == ".mindir":
        from ..mindir import convert

        return convert(model.weights)
    card = model.card
    if card.architecture is None:
        raise GraphError(f"The card of {model.weights} names no architecture, which a checkpoint needs.")
    graph = load_onnx(graph_path(card.architecture, card.options, graphs))
    tensors = read_checkpoint(model.weights, wanted=lambda name: not is_training_state(name))
    fill_graph(graph, tensors, str(model.weights), {"classes": len(card.classes), "bands": card.bands})
    return graph


def known_architectures(graphs: Path = GRAPHS) -> list[str]:
    """The names of the architectures whose checkpoints can be run."""
    return sorted({path.stem.partition("-")[0] for path in graphs.glob("*.onnx")})


def graph_path(architecture: str, options: Mapping[str, OptionValue], graphs: Path = GRAPHS) -> Path:
    """The weightless graph of ``architecture`` with ``options``.

    Files are named by the architecture and, behind hyphens, the options that make the graph another one, which
    the file's metadata hold as JSON. The file that agrees in most options is the one; without any, the plain one.

    Raises:
        GraphError: there is none.
    """
    import onnx

    best: tuple[int, Path] | None = None
    for path in sorted(graphs.glob("*.onnx")):
        if path.stem.partition("-")[0] == architecture:
            metadata = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
            asked = json.loads(metadata.get("options", "{}"))
            if all(options.get(key) == value for key, value in asked.items()) and len(asked) >= (best or (0,))[0]:
                best = (len(asked), path)
    if best is None:
        known = ", ".join(known_architectures(graphs)) or "none"
        raise GraphError(f"The architecture {architecture} is not known; known are: {known}.")
    return best[1]


def parameter_shapes(graph: onnx.ModelProto) -> dict[str, Shape]:
    """Shape by parameter name of a weightless graph; a size that the checkpoint decides is given by a name."""
    return {value.name: _shape(value) for value in graph.graph.input[1:]}


def fill_graph(
    graph: onnx.ModelProto, tensors: Mapping[str, Array], origin: str, sizes: Mapping[str, int] | None = None
) -> None:
    """Turn the parameter inputs of the weightless ``graph`` into initializers with the values of ``tensors``.

    Args:
        graph: changed in place.
        tensors: of the checkpoint.
        origin: names the checkpoint in errors.
        sizes: of dimensions that the graph gives by a name.

    Raises:
        CheckpointError: the tensors are not those of the network.
    """
    from onnx import numpy_helper

    known = sizes or {}
    wanted = {
        name: tuple(known.get(dim, dim) if isinstance(dim, str) else dim for dim in shape)
        for name, shape in parameter_shapes(graph).items()
    }
    parameters = match_parameters(_without_training_only(graph, tensors), wanted, origin)
    del graph.graph.input[1:]
    for name, values in parameters.items():
        graph.graph.initializer.append(numpy_helper.from_array(values, name))


def _without_training_only(graph: onnx.ModelProto, tensors: Mapping[str, Array]) -> dict[str, Array]:
    parts = training_only_parts(graph)
    return {name: tensor for name, tensor in tensors.items() if not is_of_parts(name, parts)}


def training_only_parts(graph: onnx.ModelProto) -> list[str]:
    """Names of the parts of a network that only training uses (auxiliary heads), by its graph's metadata."""
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    parts: list[str] = metadata.get("training_only", "").split()
    return parts


def _shape(value: onnx.ValueInfoProto) -> Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param for dim in dims)


def _check_interface(model: onnx.ModelProto, card: ModelCard, tile: int, origin: str) -> None:
    """Raise where the inputs and outputs of the network do not fit the card or the tile."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    multiple = int(next((entry.value for entry in model.metadata_props if entry.key == "multiple"), "1"))
    if len(inputs) != 1 or not model.graph.output:
        raise GraphError(f"The network in {origin} has {len(inputs)} inputs; it must have one, the image.")
    image, scores = _shape(inputs[0]), _shape(model.graph.output[0])
    if len(image) != 4 or len(scores) not in {0, 4}:
        raise GraphError(f"The network in {origin} does not turn (N, bands, H, W) into (N, classes, H, W).")
    if isinstance(image[1], int) and image[1] != card.bands:
        raise GraphError(f"The network in {origin} takes {image[1]} bands, and its card says {card.bands}.")
    if any(isinstance(size, int) and size != tile for size in image[2:]):
        raise GraphError(f"The network in {origin} takes tiles of {image[3]} x {image[2]} pixels only, not of {tile}.")
    if tile % multiple:
        raise GraphError(f"The network in {origin} takes tiles whose side is a multiple of {multiple}, not of {tile}.")
    if scores and isinstance(scores[1], int) and scores[1] != len(card.classes):
        raise GraphError(f"The network in {origin} gives {scores[1]} classes, and its card has {len(card.classes)}.")


def graph_identity(model: Model, graphs: Path = GRAPHS) -> str:
    """A text that differs wherever ``build_graph`` would give another graph; for caches of compiled models."""
    digest = hashlib.sha256()
    if model.card.architecture is not None and model.weights.suffix.lower() == ".ckpt":
        # All variants of the architecture: which of them it is would need the onnx package, which is slow to import.
        for template in sorted(graphs.glob(f"{model.card.architecture}*.onnx")):
            digest.update(template.read_bytes())
    return f"{__version__} {model.sha256} {digest.hexdigest()} {card_text(model.card)}"
