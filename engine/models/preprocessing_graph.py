"""Normalisation in front of a network and activation behind it, as part of its graph.

Inside the graph a runtime fuses both with their neighbours, and tiles reach it as uint8, a quarter of the bytes of
float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError
from .card import ModelCard, Normalisation

if TYPE_CHECKING:
    import onnx

IMAGE, PROBABILITY = "image", "probability"
#: From this opset on Softmax works along one axis; before, it flattens all axes behind the given one.
_SOFTMAX_OPSET = 13


def add_normalisation_and_activation(model: onnx.ModelProto, card: ModelCard, origin: str) -> None:
    """Make ``model`` take pixels and return probabilities, in place.

    Args:
        model: a network from the normalised image (N, bands, H, W) of a float type to class scores
            (N, classes, H, W). Further outputs are dropped.
        card: defines the pixels' type, the normalisation and the activation.
        origin: names the model in errors.

    Raises:
        GraphError: the network takes whole numbers and the card asks for a normalisation.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inner = next(value for value in graph.input if value.name not in weights)
    kind = inner.type.tensor_type.elem_type
    pixel = helper.np_dtype_to_tensor_dtype(np.dtype(card.dtype))
    sizes = [_size(dim, name) for dim, name in zip(inner.type.tensor_type.shape.dim, ("N", "", "H", "W"), strict=True)]
    names = _reserved_names(graph, inner.name, graph.output[0].name)
    scores_type = graph.output[0].type.tensor_type.elem_type
    _rename_values(graph, names)
    nodes, constants = _normalising_nodes(card.normalisation, pixel, kind, names[inner.name], origin)
    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 1)
    nodes = [*nodes, *graph.node, *_activation_nodes(card.activation, scores_type, names[graph.output[0].name], opset)]
    sizes[1] = card.bands
    del graph.input[:], graph.output[:], graph.value_info[:], graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.input.append(helper.make_tensor_value_info(IMAGE, pixel, sizes))
    output = [sizes[0], len(card.classes), *sizes[2:]]
    graph.output.append(helper.make_tensor_value_info(PROBABILITY, TensorProto.FLOAT, output))


def _size(dim: onnx.TensorShapeProto.Dimension, name: str) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else name


def _reserved_names(graph: onnx.GraphProto, image: str, scores: str) -> dict[str, str]:
    """New names of the network's own input and output, and of values whose names the new graph uses."""
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {tensor.name for tensor in graph.initializer} | {image, scores}
    names = {name: f"network/{name}" for name in used if name in {IMAGE, PROBABILITY, image, scores}}
    for name, new in names.items():
        while new in used:
            new += "_"  # noqa: PLW2901
        names[name] = new
    return names


def _rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)


def _normalising_nodes(
    normalisation: Normalisation, pixel: int, kind: int, target: str, origin: str
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes from ``image`` to ``target`` and their constants; ``GraphError`` where an integer type cannot hold it.

    ``(x * scale - mean) / std`` is one multiplication and one addition, with factors computed in float64.
    """
    from onnx import TensorProto, helper, numpy_helper

    std = np.asarray(normalisation.std, np.float64).reshape(1, -1, 1, 1)
    factor = (normalisation.scale / std).astype(np.float32)
    shift = (-np.asarray(normalisation.mean, np.float64).reshape(std.shape) / std).astype(np.float32)
    constants = {}
    if np.any(factor != 1):
        constants["Mul"] = numpy_helper.from_array(factor, "normalisation/factor")
    if np.any(shift != 0):
        constants["Add"] = numpy_helper.from_array(shift, "normalisation/shift")
    steps: list[tuple[str, list[str], dict[str, Any]]]  # operator, inputs behind the value, attributes
    if kind in {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}:
        steps = [("Cast", [], {"to": TensorProto.FLOAT})] if pixel != TensorProto.FLOAT else []
        steps += [(operator, [constant.name], {}) for operator, constant in constants.items()]
        steps += [("Cast", [], {"to": kind})] if kind != TensorProto.FLOAT else []
    elif constants:
        raise GraphError(f"The network in {origin} takes whole numbers, and its card asks for a normalisation.")
    else:
        steps = [("Cast", [], {"to": kind})] if kind != pixel else []
    nodes, value = [], IMAGE
    for index, (operator, inputs, attributes) in enumerate(steps or [("Identity", [], {})], 1):
        result = target if index >= len(steps) else f"normalisation/{index - 1}"
        nodes.append(helper.make_node(operator, [value, *inputs], [result], **attributes))
        value = result
    return nodes, list(constants.values())


def _activation_nodes(activation: str, kind: int, scores: str, opset: int) -> Sequence[onnx.NodeProto]:
    """Nodes from ``scores`` to ``probability``, float32."""
    from onnx import TensorProto, helper

    nodes = []
    if kind not in {TensorProto.FLOAT, TensorProto.UNDEFINED}:
        nodes.append(helper.make_node("Cast", [scores], ["activation/scores"], to=TensorProto.FLOAT))
        scores = "activation/scores"
    if activation != "softmax":
        return [*nodes, helper.make_node("Sigmoid" if activation == "sigmoid" else "Identity", [scores], [PROBABILITY])]
    if opset >= _SOFTMAX_OPSET:
        return [*nodes, helper.make_node("Softmax", [scores], [PROBABILITY], axis=1)]
    return [
        *nodes,
        helper.make_node("Transpose", [scores], ["activation/last"], perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["activation/last"], ["activation/shares"], axis=3),
        helper.make_node("Transpose", ["activation/shares"], [PROBABILITY], perm=[0, 3, 1, 2]),
    ]
