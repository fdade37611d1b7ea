"""Turns MINDIR networks into ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import GraphError
from .builder import Builder, Call, Ref
from .model import Mindir, Node, Shape, Tensor
from .operators import OPERATORS
from .reader import read_mindir
from .tidy import tidy

OPSET = 17
IR_VERSION = 8


def convert(
    source: Path | bytes | Mindir,
    *,
    variants: Sequence[Path | bytes | Mindir] = (),
    weights: bool = True,
    output_names: Sequence[str] = (),
) -> onnx.ModelProto:
    """Convert a network.

    Args:
        source: the network; its weights are taken.
        variants: the same network exported with other input sizes. With them, sizes inside the network follow the
            input's; without, a network that carries sizes keeps the one that it was exported with. The variants may
            differ in the numbers of classes and bands too, which are then open in the result.
        weights: False makes each weight an input of the graph, behind the network's own inputs, with its name, type
            and shape; a size that differs between the variants is open, under the name "classes" or "bands" where
            it is one of these.
        output_names: for the outputs; "output" or "output_0", "output_1" ... unless given.

    Returns:
        A checked ONNX model of opset 17. Weights keep MindSpore's names. Batch, height and width of inputs are open
        ("batch", "height", "width") where the network allows.

    Raises:
        GraphError: an operation that is not supported, or variants that are not the same network.
    """
    networks = [entry if isinstance(entry, Mindir) else read_mindir(entry) for entry in (source, *variants)]
    _check_same(networks)
    builder = Builder(len(networks))
    outputs = _convert_nodes(networks, builder)
    names = list(output_names) or (
        ["output"] if len(outputs) == 1 else [f"output_{index}" for index in range(len(outputs))]
    )
    if len(names) != len(outputs):
        raise GraphError(f"The network has {len(outputs)} outputs, which do not fit the names {', '.join(names)}.")
    nodes = tidy(builder.nodes, [ref.name for ref in outputs])
    _rename(nodes, dict(zip([ref.name for ref in outputs], names, strict=True)))
    return _model(networks, builder, nodes, names, weights)


def _check_same(networks: Sequence[Mindir]) -> None:
    """Raise unless the variants have the same operations and parameters in the same order."""
    first = networks[0]
    for other in networks[1:]:
        if [node.op for node in other.nodes] != [node.op for node in first.nodes]:
            raise GraphError("The variants are not the same network: their operations differ.")
        if [tensor.name for tensor in other.parameters] != [tensor.name for tensor in first.parameters]:
            raise GraphError("The variants are not the same network: their weights' names differ.")
        if len(other.inputs) != len(first.inputs) or len(other.outputs) != len(first.outputs):
            raise GraphError("The variants are not the same network: their inputs or outputs differ.")


def _convert_nodes(networks: Sequence[Mindir], builder: Builder) -> list[Ref]:
    """Convert all nodes; the tensors that are the network's outputs."""
    first = networks[0]
    operands: dict[str, Any] = {}
    for kind in ("inputs", "parameters"):
        for tensors in zip(*(getattr(network, kind) for network in networks), strict=True):
            operands[tensors[0].name] = Ref(tensors[0].name, tuple(tensor.shape for tensor in tensors))
    builder.tensors.extend(operands[tensor.name] for tensor in first.inputs)
    renamed = [_input_names(first, other) for other in networks]
    for nodes in zip(*(network.nodes for network in networks), strict=True):
        node = nodes[0]
        for names, other in zip(renamed, nodes, strict=True):
            if tuple(names.get(name) for name in other.inputs) != node.inputs:
                raise GraphError("The variants are not the same network: their nodes are connected differently.")
            names[other.output] = node.output
        operands[node.output] = _convert_node(nodes, operands, builder)
    outputs = [operands.get(tensor.name) for tensor in first.outputs]
    if not all(isinstance(output, Ref) for output in outputs):
        raise GraphError("An output of the network is not a tensor.")
    return [output for output in outputs if isinstance(output, Ref)]


def _input_names(first: Mindir, other: Mindir) -> dict[str, str]:
    """The names of inputs and parameters of one variant to those of the first."""
    pairs = zip((*other.inputs, *other.parameters), (*first.inputs, *first.parameters), strict=True)
    return {theirs.name: ours.name for theirs, ours in pairs}


def _convert_node(nodes: tuple[Node, ...], operands: dict[str, Any], builder: Builder) -> Any:
    node = nodes[0]
    if node.op not in OPERATORS:
        raise GraphError(f"The network uses the operation {node.op!r}, which is not supported.")
    missing = [name for name in node.inputs if name not in operands]
    if missing:
        raise GraphError(f"The network uses {missing[0]!r} before it is made.")
    call = Call(node, nodes[1:], tuple(operands[name] for name in node.inputs), builder)
    return OPERATORS[node.op](call)


def _rename(nodes: Sequence[onnx.NodeProto], names: dict[str, str]) -> None:
    """Give tensors other names, in place."""
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
        for index, name in enumerate(node.output):
            node.output[index] = names.get(name, name)


def _model(
    networks: Sequence[Mindir], builder: Builder, nodes: list[onnx.NodeProto], names: list[str], weights: bool
) -> onnx.ModelProto:
    """Put the parts together and check them."""
    first = networks[0]
    labels = _labels(networks)
    used = {name for node in nodes for name in node.input}
    parameters = [
        tensors
        for tensors in zip(*(network.parameters for network in networks), strict=True)
        if tensors[0].name in used
    ]
    inputs = [_value_info(t[0].name, t, labels) for t in zip(*(network.inputs for network in networks), strict=True)]
    outputs = [
        _value_info(name, tensors, labels)
        for name, tensors in zip(names, zip(*(network.outputs for network in networks), strict=True), strict=True)
    ]
    if len(networks) == 1 and not builder.size_bound:
        for info in (*inputs, *outputs):
            _open_picture(info, first.inputs[0].shape)
    initializers = [tensor for name, tensor in builder.initializers.items() if name in used]
    if weights:
        initializers += [numpy_helper.from_array(_data(tensors[0]), tensors[0].name) for tensors in parameters]
    else:
        inputs += [_value_info(tensors[0].name, tensors, labels) for tensors in parameters]
    graph = helper.make_graph(nodes, "network", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="TerraSpore")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def _data(tensor: Tensor) -> Any:
    assert tensor.data is not None, "the reader takes no parameter without data"
    return np.ascontiguousarray(tensor.data)


def _labels(networks: Sequence[Mindir]) -> dict[Shape, str]:
    """Names of sizes that differ between the variants, by their values."""
    labels: dict[Shape, str] = {}
    places = [("outputs", {1: "classes"}), ("inputs", {0: "batch", 1: "bands", 2: "height", 3: "width"})]
    for kind, axes in places:
        for tensors in zip(*(getattr(network, kind) for network in networks), strict=True):
            for axis, sizes in enumerate(zip(*(tensor.shape for tensor in tensors), strict=True)):
                if len(set(sizes)) > 1 and axis in axes:
                    labels[sizes] = axes[axis]
    return labels


def _value_info(name: str, tensors: tuple[Tensor, ...], labels: dict[Shape, str]) -> onnx.ValueInfoProto:
    """Type and shape of an input or output; sizes that differ between the variants are open."""
    sizes = list(zip(*(tensor.shape for tensor in tensors), strict=True))
    shape = [_size_name(values, labels) if len(set(values)) > 1 else values[0] for values in sizes]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(tensors[0].dtype), shape)


def _size_name(values: Shape, labels: dict[Shape, str]) -> str:
    """The name of an open size: one that has none of its own is named after its values, alike where they are alike."""
    return labels.get(values) or "size_" + "_".join(map(str, values))


def _open_picture(info: onnx.ValueInfoProto, picture: Shape) -> None:
    """Name batch, height and width of an input or output, in place, where they are those of the picture."""
    sizes = info.type.tensor_type.shape.dim
    if len(sizes) != 4 or len(picture) != 4:
        return
    sizes[0].dim_param = "batch"
    for axis, name in ((2, "height"), (3, "width")):
        if sizes[axis].dim_value == picture[axis]:
            sizes[axis].dim_param = name
        else:
            sizes[axis].Clear()
