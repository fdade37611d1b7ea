"""Turns MINDIR networks into ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import GraphError
from .builder import Builder, Call, Const, Ref
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
        if [node.op for node in _operations(other)] != [node.op for node in _operations(first)]:
            raise GraphError("The variants are not the same network: their operations differ.")
        if [tensor.name for tensor in other.parameters] != [tensor.name for tensor in first.parameters]:
            raise GraphError("The variants are not the same network: their weights' names differ.")
        if len(other.inputs) != len(first.inputs) or len(other.outputs) != len(first.outputs):
            raise GraphError("The variants are not the same network: their inputs or outputs differ.")


def _operations(network: Mindir) -> list[Node]:
    """The nodes that are not constants: of these MindSpore joins equal ones, so that their number may vary."""
    return [node for node in network.nodes if node.op != "Constant"]


def _convert_nodes(networks: Sequence[Mindir], builder: Builder) -> list[Ref]:
    """Convert all nodes; the tensors that are the network's outputs.

    Names are the first variant's; ``known`` has, per variant, the operand of every name so far.
    """
    known: list[dict[str, Any]] = [
        {node.output: _Constant(node.attributes.get("value")) for node in network.nodes if node.op == "Constant"}
        for network in networks
    ]
    for kind in ("inputs", "parameters"):
        for tensors in zip(*(getattr(network, kind) for network in networks), strict=True):
            ref = Ref(tensors[0].name, tuple(tensor.shape for tensor in tensors))
            _note(known, [tensor.name for tensor in tensors], ref)
            if kind == "inputs":
                builder.tensors.append(ref)
    for nodes in zip(*(_operations(network) for network in networks), strict=True):
        operands = [_operand(known, names) for names in zip(*(node.inputs for node in nodes), strict=True)]
        result = _converted(Call(nodes[0], nodes[1:], tuple(operands), builder))
        _note(known, [node.output for node in nodes], result)
    outputs = [known[0].get(tensor.name) for tensor in networks[0].outputs]
    if not all(isinstance(output, Ref) for output in outputs):
        raise GraphError("An output of the network is not a tensor.")
    return [output for output in outputs if isinstance(output, Ref)]


def _converted(call: Call) -> Any:
    """The result of one node."""
    node = call.node
    if node.op not in OPERATORS:
        raise GraphError(f"The network uses the operation {node.op!r}, which is not supported.")
    try:
        return OPERATORS[node.op](call)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Settings of the wrong kind: the functions take for granted what every MindSpore writes.
        raise GraphError(f"The node {node.name!r} ({node.op}) has settings that make no sense: {error}.") from error


@dataclass(frozen=True)
class _Constant:
    """A constant's value in one variant."""

    value: Any


def _note(known: list[dict[str, Any]], names: Sequence[str], operand: Any) -> None:
    for of_variant, name in zip(known, names, strict=True):
        of_variant[name] = operand


def _operand(known: list[dict[str, Any]], names: Sequence[str]) -> Any:
    """The operand with these names in the variants."""
    missing = [name for of_variant, name in zip(known, names, strict=True) if name not in of_variant]
    if missing:
        raise GraphError(f"The network uses {missing[0]!r} before it is made.")
    found = [of_variant[name] for of_variant, name in zip(known, names, strict=True)]
    if all(isinstance(entry, _Constant) for entry in found):
        return Const(tuple(entry.value for entry in found))
    if any(entry is not found[0] for entry in found):
        raise GraphError("The variants are not the same network: their nodes are connected differently.")
    return found[0]


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
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise GraphError(f"The network cannot be expressed in ONNX: {str(error).splitlines()[0]}.") from error
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
