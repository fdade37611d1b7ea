"""Pooling."""

from __future__ import annotations

from ...errors import GraphError
from ..builder import Builder, Call, Ref
from .convolution import pair

#: the numbers that primitives of MindSpore 2.3 and later have for pad_mode
_PAD_MODES = {0: "pad", 1: "same", 2: "valid"}


def max_pool(call: Call) -> Ref:
    """``MaxPool`` with pad_mode "valid" or "same" -> ``MaxPool``."""
    return _pool(call, "MaxPool")


def average_pool(call: Call) -> Ref:
    """``AvgPool`` with pad_mode "valid" or "same" -> ``AveragePool``; what is padded does not count."""
    return _pool(call, "AveragePool")


def _pool(call: Call, op: str) -> Ref:
    mode = call.value(3, "pad_mode", "valid")
    mode = _PAD_MODES.get(mode, str(mode)) if isinstance(mode, int) else str(mode).lower()
    if mode not in {"valid", "same"}:
        raise GraphError(f"{call.node.name!r} is a pooling with pad_mode {mode!r}, which is not supported.")
    kernel = pair(call.value(1, "kernel_size"))
    stride = pair(call.value(2, "strides"))
    padding = {"auto_pad": "SAME_UPPER"} if mode == "same" else {"pads": [0, 0, 0, 0]}
    return call.emit(op, [call.tensor(0).name], kernel_shape=kernel, strides=stride, **padding)


def max_pool_3d(call: Call) -> tuple[Ref, ...]:
    """``MaxPool3DWithArgmax``, which ``nn.MaxPool2d(pad_mode="pad")`` becomes, -> ``MaxPool`` of five axes.

    Only the first entry of the result is given. Where an ``ExpandDims`` put the axis of depth in, the pooling is done
    on four axes (``Squeeze`` behind it is left to itself): runtimes have fast kernels for those only.
    """
    kernel, stride = list(call.attribute("ksize")), list(call.attribute("strides"))
    pads, dilation = list(call.attribute("pads")), list(call.attribute("dilation", (1, 1, 1)))
    ceil = int(bool(call.attribute("ceil_mode", False)))
    source = call.tensor(0)
    flat = _without_depth(call.builder, source) if (kernel[0], stride[0], pads[0]) == (1, 1, 0) else None
    if flat is None:
        settings = {"kernel_shape": kernel, "strides": stride, "pads": pads * 2, "dilations": dilation}
        return (call.emit("MaxPool", [source.name], ceil_mode=ceil, **settings),)
    shapes = tuple(shape[:2] + shape[3:] for shape in call.shapes())
    settings = {"kernel_shape": kernel[1:], "strides": stride[1:], "pads": pads[1:] * 2, "dilations": dilation[1:]}
    pooled = call.builder.emit("MaxPool", [flat], shapes, ceil_mode=ceil, **settings)
    return (call.emit("Unsqueeze", [pooled.name, call.builder.integers([2])]),)


def max_pool_2d(call: Call) -> tuple[Ref, ...]:
    """``MaxPoolWithArgmaxV2``, which ``ops.max_pool2d`` becomes, -> ``MaxPool``; only the first entry is given."""
    settings = {
        "kernel_shape": pair(call.attribute("kernel_size")),
        "strides": pair(call.attribute("strides")),
        "pads": pair(call.attribute("pads", (0, 0))) * 2,
        "dilations": pair(call.attribute("dilation", (1, 1))),
    }
    ceil = int(bool(call.attribute("ceil_mode", False)))
    return (call.emit("MaxPool", [call.tensor(0).name], ceil_mode=ceil, **settings),)


def _without_depth(builder: Builder, source: Ref) -> str | None:
    """The tensor of four axes that ``source`` was made from by putting in an axis of depth, if it was."""
    last = builder.nodes[-1] if builder.nodes else None
    if last is None or last.op_type != "Unsqueeze" or list(last.output) != [source.name] or source.rank != 5:
        return None
    return str(last.input[0]) if all(shape[2] == 1 for shape in source.shapes) else None


def adaptive_average_pool(call: Call) -> Ref:
    """``AdaptiveAvgPool2D`` to one pixel -> ``GlobalAveragePool``."""
    size = call.value(1, "output_size")
    if tuple(size if isinstance(size, tuple) else (size, size)) != (1, 1):
        raise GraphError(f"{call.node.name!r} pools to {size} pixels; only 1 is supported.")
    return call.emit("GlobalAveragePool", [call.tensor(0).name])


OPERATORS = {
    "MaxPool": max_pool,
    "AvgPool": average_pool,
    "MaxPool3DWithArgmax": max_pool_3d,
    "MaxPoolWithArgmaxV2": max_pool_2d,
    "AdaptiveAvgPool2D": adaptive_average_pool,
}
