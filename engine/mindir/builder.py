"""Build an ONNX graph whose sizes follow the input.

MindSpore writes sizes into a network as plain numbers. Where the same network is given at several input sizes
(variants), every tensor's shape is known once per variant; a number that changes with the variant is then the size of
some tensor, and is read from that tensor when the ONNX graph runs. With one variant only, a network whose operations
carry sizes keeps the size that it was exported with (``size_bound``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..errors import GraphError
from .reader import Node, Shape, Tensor, Value


@dataclass(frozen=True)
class Ref:
    """A tensor of the ONNX graph: its name, and its shape in every variant."""

    name: str
    shapes: tuple[Shape, ...]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shapes[0])


@dataclass(frozen=True)
class Const:
    """A constant: its value in every variant."""

    values: tuple[Value, ...]


@dataclass
class GraphBuilder:
    """The nodes and constants of an ONNX graph under construction.

    Attributes:
        variants: number of input sizes at which the network was exported.
        nodes: the nodes added so far.
        initializers: constants other than weights, by name.
        tensors: all tensors with known shapes, in order.
        size_bound: whether a number was copied that might depend on the input's size.
    """

    variants: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    tensors: list[Ref] = field(default_factory=list)
    size_bound: bool = False
    _size_tensors: dict[tuple[str, int], str] = field(default_factory=dict)
    _constants: dict[tuple[str, Shape, bytes], str] = field(default_factory=dict)

    def emit(self, op: str, inputs: Sequence[str], shapes: tuple[Shape, ...], **attributes: Any) -> Ref:
        """Add a node of one output.

        Args:
            op: ONNX operator.
            inputs: names; "" for one that is left out.
            shapes: of the output, per variant.
            **attributes: of the operator.
        """
        ref = Ref(self._add_node(op, inputs, **attributes), shapes)
        self.tensors.append(ref)
        return ref

    def emit_several(
        self, op: str, inputs: Sequence[str], shapes: Sequence[tuple[Shape, ...]], **attributes: Any
    ) -> tuple[Ref, ...]:
        """Add a node of several outputs; ``shapes`` per output and variant."""
        name = f"{op}_{len(self.nodes)}"
        refs = tuple(Ref(f"{name}_{index}", shape) for index, shape in enumerate(shapes))
        self.nodes.append(helper.make_node(op, list(inputs), [ref.name for ref in refs], name=name, **attributes))
        self.tensors.extend(refs)
        return refs

    def constant(self, array: NDArray[Any]) -> str:
        """The name of an initializer with this content; equal contents share one."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._constants[key] = f"constant_{len(self._constants)}"
            self.initializers[name] = numpy_helper.from_array(array, name)
        return self._constants[key]

    def integers(self, values: Sequence[int]) -> str:
        """The name of a 1-D int64 constant."""
        return self.constant(np.array(values, np.int64))

    def sizes(self, per_variant: Sequence[Sequence[int]], near: Sequence[Ref]) -> str:
        """The name of a 1-D int64 tensor of sizes that follow the input.

        Args:
            per_variant: the sizes in every variant.
            near: tensors that are searched first.

        Raises:
            GraphError: a size changes with the input's but is no tensor's size.
        """
        columns = list(zip(*per_variant, strict=True))
        if self.variants == 1 or all(len(set(column)) == 1 for column in columns):
            self.size_bound |= self.variants == 1
            return self.integers([column[0] for column in columns])
        names: list[str] = []
        for values in columns:
            if len(set(values)) == 1:
                names.append(self.integers([values[0]]))
            elif (found := self.find_axis(values, near)) is not None:
                names.append(self._axis_size(*found))
            else:
                raise GraphError(
                    f"A size in the network is {', '.join(map(str, values))} at the sizes it was exported with, and no "
                    "tensor's size explains it; it can only be converted at a fixed size."
                )
        return names[0] if len(names) == 1 else self._add_node("Concat", names, axis=0)

    def find_axis(self, values: tuple[int, ...], near: Sequence[Ref]) -> tuple[str, int] | None:
        """A tensor's name and axis whose size is ``values``, one per variant; None if there is none."""
        for ref in (*near, *reversed(self.tensors)):
            for axis in range(ref.rank):
                if tuple(shape[axis] for shape in ref.shapes) == values:
                    return ref.name, axis
        return None

    def _axis_size(self, name: str, axis: int) -> str:
        """The name of a tensor of one element that holds the size of an axis of the tensor ``name``."""
        if (name, axis) not in self._size_tensors:
            if (name, -1) not in self._size_tensors:
                self._size_tensors[name, -1] = self._add_node("Shape", [name])
            self._size_tensors[name, axis] = self._add_node(
                "Gather", [self._size_tensors[name, -1], self.integers([axis])], axis=0
            )
        return self._size_tensors[name, axis]

    def _add_node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output and return its name; it is not among ``tensors``, whose sizes are searched."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name


@dataclass(frozen=True)
class Call:
    """One MINDIR node with its inputs, to be converted by a function of ``operators``.

    Attributes:
        node: the node in the first variant.
        others: the same node in the other variants.
        operands: its inputs: a ``Ref``, a ``Const`` or a tuple of these.
        builder: the graph to add to.
    """

    node: Node
    others: tuple[Node, ...]
    operands: tuple[Any, ...]
    builder: GraphBuilder

    def shapes(self, index: int = 0) -> tuple[Shape, ...]:
        """Shape of the result (or of its entry ``index``) in every variant."""
        nodes = (self.node, *self.others)
        if any(index >= len(node.shapes) or min(node.shapes[index], default=1) < 1 for node in nodes):
            raise GraphError(f"The network does not say the shape of {self.node.name!r} ({self.node.op}).")
        return tuple(node.shapes[index] for node in nodes)

    def tensor(self, index: int) -> Ref:
        """Input ``index`` as a tensor; a constant becomes an initializer."""
        operand = self.operands[index] if index < len(self.operands) else None
        if isinstance(operand, Ref):
            return operand
        if isinstance(operand, Const):
            value = as_array(require_equal(operand.values, self.node, f"input {index}"))
            return Ref(self.builder.constant(value), (value.shape,) * self.builder.variants)
        raise GraphError(f"Input {index} of {self.node.name!r} ({self.node.op}) is not a tensor.")

    def values(self, index: int, name: str, default: Value = None) -> tuple[Value, ...]:
        """A setting in every variant: the constant input ``index``, or else the attribute ``name``."""
        operand = self.operands[index] if index < len(self.operands) else None
        if isinstance(operand, Const):
            return operand.values
        if isinstance(operand, tuple) and all(isinstance(entry, Const) for entry in operand):
            return tuple(tuple(entry.values[v] for entry in operand) for v in range(self.builder.variants))
        if operand is not None and not isinstance(operand, tuple):
            raise GraphError(f"The setting {name!r} of {self.node.name!r} ({self.node.op}) is not a constant.")
        return tuple(node.attributes.get(name, default) for node in (self.node, *self.others))

    def value(self, index: int, name: str, default: Value = None) -> Value:
        """A setting that has to be the same in every variant."""
        return require_equal(self.values(index, name, default), self.node, name)

    def attribute(self, name: str, default: Value = None) -> Value:
        """An attribute of the primitive; the same in every variant."""
        return require_equal(
            tuple(node.attributes.get(name, default) for node in (self.node, *self.others)), self.node, name
        )

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> Ref:
        """Add a node whose output has the shape of this call's result."""
        return self.builder.emit(op, inputs, self.shapes(), **attributes)


def require_equal(values: tuple[Value, ...], node: Node, name: str) -> Value:
    """The value of a setting that has to be the same in all variants.

    Raises:
        GraphError: it differs.
    """
    comparable: list[Any] = [value.data if isinstance(value, Tensor) else value for value in values]
    if not all(np.array_equal(comparable[0], other) for other in comparable[1:]):
        raise GraphError(f"The setting {name!r} of {node.name!r} ({node.op}) depends on the input's size.")
    return values[0]


def as_array(value: Value) -> NDArray[Any]:
    """A constant as an array: integers as int64, floats as float32.

    Raises:
        GraphError: it is no number.
    """
    if isinstance(value, Tensor) and value.data is not None:
        return value.data
    array = np.asarray(value)
    if array.dtype.kind not in "bif":
        raise GraphError(f"A constant of the network ({value!r}) is no number.")
    return array.astype({"b": np.bool_, "i": np.int64, "f": np.float32}[array.dtype.kind])
