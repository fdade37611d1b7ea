"""The graph that a runtime gets: pixels in, probabilities out.

A checkpoint has weights and no graph; ``resources/graphs/<architecture>.onnx`` has the graph and no weights. Its
inputs are the image (first) and then every parameter by its MindSpore name and shape; its first output are the
logits. Here the parameters become initializers, the normalisation is put in front and the activation behind::

    image (N, bands, H, W) card.dtype -> Cast, Mul, Add -> network -> Sigmoid | Softmax -> probability float32
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GraphError
from .card import ModelCard
from .catalogue import Model
from .checkpoint import Array, read_checkpoint
from .onnx_model import load_onnx
from .parameters import Shape, is_training_state, match_parameters
from .wrap import wrap_network

if TYPE_CHECKING:
    import onnx

GRAPHS = Path(__file__).resolve().parents[2] / "resources" / "graphs"


def build_graph(model: Model, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """The whole ONNX graph of ``model``: pixels in, probabilities out.

    Args:
        model: from the catalogue.
        graphs: folder of the weightless graphs.

    Returns:
        A model with the input ``image`` (N, bands, H, W) of the card's dtype and the output ``probability``
        (N, classes, H, W) float32. N, H and W are dynamic where the network's graph leaves them so.

    Raises:
        GraphError: the graph is missing, damaged or does not fit the card.
        CheckpointError: the checkpoint is damaged or not of this architecture.
    """
    card = model.card
    network = network_graph(model, graphs)
    _check_interface(network, card, str(model.weights))
    wrap_network(network, card, str(model.weights))
    return network


def network_graph(model: Model, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """The bare network of ``model`` with its weights: normalised image in, logits out; errors as ``build_graph``."""
    suffix = model.weights.suffix.lower()
    if suffix == ".onnx":
        return load_onnx(model.weights)
    if suffix == ".mindir":
        from ..mindir import convert

        return convert(model.weights)
    if model.card.architecture is None:
        raise GraphError(f"The card of {model.weights} names no architecture, which a checkpoint needs.")
    graph = weightless_graph(model.card.architecture, graphs)
    tensors = read_checkpoint(model.weights, wanted=lambda name: not is_training_state(name))
    fill_graph(graph, tensors, str(model.weights))
    return graph


def known_architectures(graphs: Path = GRAPHS) -> list[str]:
    """The names of the architectures whose checkpoints can be run."""
    return sorted(path.stem for path in graphs.glob("*.onnx"))


def weightless_graph(architecture: str, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """The weightless graph of ``architecture``.

    Raises:
        GraphError: there is none of that name, or it is damaged.
    """
    path = graphs / f"{architecture}.onnx"
    if architecture not in known_architectures(graphs):
        known = ", ".join(known_architectures(graphs)) or "none"
        raise GraphError(f"The architecture {architecture} is not known; known are: {known}.")
    return load_onnx(path)


def parameter_shapes(graph: onnx.ModelProto) -> dict[str, Shape]:
    """Shape by parameter name of a weightless graph; a size that the checkpoint decides is given by a name."""
    return {value.name: _shape(value) for value in graph.graph.input[1:]}


def fill_graph(graph: onnx.ModelProto, tensors: Mapping[str, Array], origin: str) -> None:
    """Turn the parameter inputs of the weightless ``graph`` into initializers with the values of ``tensors``.

    Raises:
        CheckpointError: the tensors are not those of the network.
    """
    from onnx import numpy_helper

    parameters = match_parameters(tensors, parameter_shapes(graph), origin)
    del graph.graph.input[1:]
    for name, values in parameters.items():
        graph.graph.initializer.append(numpy_helper.from_array(values, name))


def _shape(value: onnx.ValueInfoProto) -> Shape:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims)


def _check_interface(model: onnx.ModelProto, card: ModelCard, origin: str) -> None:
    """Raise where the inputs and outputs of the network do not fit the card."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise GraphError(f"The network in {origin} has {len(inputs)} inputs; it must have one, the image.")
    if not model.graph.output:
        raise GraphError(f"The network in {origin} has no output.")
    image, logits = _shape(inputs[0]), _shape(model.graph.output[0])
    if len(image) != 4:
        raise GraphError(f"The network in {origin} takes {len(image)} dimensions, not (N, bands, H, W).")
    if isinstance(image[1], int) and image[1] not in {0, card.bands}:
        raise GraphError(f"The network in {origin} takes {image[1]} bands, and its card says {card.bands}.")
    if any(isinstance(size, int) and size != card.tile for size in image[2:]):
        raise GraphError(f"The network in {origin} takes tiles of {image[3]} x {image[2]}, not of {card.tile}.")
    if len(logits) not in (0, 4):
        raise GraphError(f"The network in {origin} gives {len(logits)} dimensions, not (N, classes, H, W).")
    if len(logits) == 4 and isinstance(logits[1], int) and logits[1] != len(card.classes):
        raise GraphError(f"The network in {origin} gives {logits[1]} classes, and its card has {len(card.classes)}.")
