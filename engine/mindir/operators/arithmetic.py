"""Arithmetic, activations, reductions, matrix products and casts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...errors import GraphError
from ..builder import Call, Const, Ref

#: Type numbers of ``Cast`` in MINDIR to those of ONNX.
_CASTS = {43: 1, 42: 10, 44: 11, 34: 6, 35: 7, 30: 9, 37: 2, 45: 16}


def unary(op: str, call: Call) -> Ref:
    """A primitive of one tensor that ONNX has too."""
    return call.emit(op, [call.tensor(0).name])


def binary(op: str, call: Call) -> Ref:
    """A primitive of two tensors that broadcast; numbers become float32."""
    names = []
    for index in range(2):
        operand = call.operands[index]
        if isinstance(operand, Const) and isinstance(operand.values[0], int | float):
            names.append(call.builder.constant(np.array(call.value(index, "a number"), np.float32)))
            continue
        ref = call.tensor(index)
        if ref.rank == 4 and ref not in call.builder.tensors and max(ref.shapes[0][2:]) > 1:
            call.builder.size_bound = True  # weights that cover the image fit one size only
        names.append(ref.name)
    return call.emit(op, names)


def relu6(call: Call) -> Ref:
    """``ReLU6`` -> ``Clip`` from 0 to 6."""
    low, high = (call.builder.constant(np.array(bound, np.float32)) for bound in (0, 6))
    return call.emit("Clip", [call.tensor(0).name, low, high])


def softmax(call: Call) -> Ref:
    """``Softmax`` over one axis."""
    axis = call.value(1, "axis", -1)
    return call.emit("Softmax", [call.tensor(0).name], axis=int(axis[0] if isinstance(axis, tuple) else axis))


def matmul(call: Call) -> Ref:
    """``BatchMatMul``, ``MatMul`` -> ``MatMul``, with a ``Transpose`` in front of operands that are transposed."""
    names = []
    for index, setting in enumerate(("transpose_a", "transpose_b")):
        ref = call.tensor(index)
        if call.value(2 + index, setting, False):
            order = [*range(ref.rank - 2), ref.rank - 1, ref.rank - 2]
            shapes = tuple(tuple(shape[axis] for axis in order) for shape in ref.shapes)
            ref = call.builder.emit("Transpose", [ref.name], shapes, perm=order)
        names.append(ref.name)
    return call.emit("MatMul", names)


def reduce(op: str, call: Call) -> Ref:
    """A reduction over axes given as a constant."""
    axes = call.value(1, "axis", ())
    axes = (axes,) if isinstance(axes, int) else tuple(axes or ())
    keep = int(bool(call.value(2, "keep_dims", False)))
    source = call.tensor(0)
    chosen = [axis % source.rank for axis in axes] or list(range(source.rank))
    if op == "ReduceSum":
        return call.emit(op, [source.name, call.builder.integers(chosen)], keepdims=keep)
    return call.emit(op, [source.name], axes=chosen, keepdims=keep)


def cast(call: Call) -> Ref:
    """``Cast`` between number types."""
    kind = call.value(1, "dst_type")
    if kind not in _CASTS:
        raise GraphError(f"{call.node.name!r} casts to the type number {kind}, which is not supported.")
    return call.emit("Cast", [call.tensor(0).name], to=_CASTS[kind])


OPERATORS: dict[str, Callable[[Call], Any]] = {
    "ReLU": partial(unary, "Relu"),
    "ReLU6": relu6,
    "Sigmoid": partial(unary, "Sigmoid"),
    "Tanh": partial(unary, "Tanh"),
    "Exp": partial(unary, "Exp"),
    "Neg": partial(unary, "Neg"),
    "Sqrt": partial(unary, "Sqrt"),
    "Add": partial(binary, "Add"),
    "Sub": partial(binary, "Sub"),
    "Mul": partial(binary, "Mul"),
    "Muls": partial(binary, "Mul"),
    "Div": partial(binary, "Div"),
    "Divs": partial(binary, "Div"),
    "RealDiv": partial(binary, "Div"),
    "Maximum": partial(binary, "Max"),
    "Minimum": partial(binary, "Min"),
    "Pow": partial(binary, "Pow"),
    "Softmax": softmax,
    "MatMul": matmul,
    "MatMulExt": matmul,
    "BatchMatMul": matmul,
    "ReduceMean": partial(reduce, "ReduceMean"),
    "MeanExt": partial(reduce, "ReduceMean"),
    "ReduceSum": partial(reduce, "ReduceSum"),
    "SumExt": partial(reduce, "ReduceSum"),
    "ReduceMax": partial(reduce, "ReduceMax"),
    "Cast": cast,
}
