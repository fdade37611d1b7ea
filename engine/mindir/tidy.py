"""Small simplifications of an ONNX graph's nodes, none of which changes a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import onnx


def tidy(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Nodes with biases joined to their convolutions and without those that nothing uses.

    Args:
        nodes: in an order in which they can be computed.
        outputs: names of the graph's outputs.
    """
    return drop_unused(join_biases(nodes, outputs), outputs)


def drop_unused(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]


def join_biases(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Convolutions take over the ``Add`` of a bias behind them.

    The pattern is ``Conv`` -> ``Add`` with ``Reshape(bias)``, where nothing but the ``Add`` (and the reading of its
    size) uses the convolution's own result.
    """
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    makers = {name: node for node in nodes for name in node.output}
    for node in nodes:
        for name in node.input:
            users[name].append(node)
    joined: set[int] = set()
    for node in nodes:
        if node.op_type not in {"Conv", "ConvTranspose"} or len(node.input) != 2 or node.output[0] in outputs:
            continue
        others = [user for user in users[node.output[0]] if user.op_type != "Shape"]
        if len(others) != 1 or others[0].op_type != "Add" or others[0].input[0] != node.output[0]:
            continue
        bias = makers.get(others[0].input[1])
        if bias is None or bias.op_type != "Reshape":
            continue
        for user in users[node.output[0]]:
            if user.op_type == "Shape":
                user.input[0] = others[0].output[0]
        node.input.append(bias.input[0])
        node.output[0] = others[0].output[0]
        joined.add(id(others[0]))
    return [node for node in nodes if id(node) not in joined]
