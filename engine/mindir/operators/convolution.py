"""Convolutions, biases and batch normalisation."""

from __future__ import annotations

from typing import Any

from ...errors import GraphError
from ..builder import Call, Ref


def conv2d(call: Call) -> Ref:
    """``Conv2D`` -> ``Conv``. MindSpore pads (top, bottom, left, right), ONNX (top, left, bottom, right)."""
    return call.emit("Conv", [call.tensor(0).name, call.tensor(1).name], **_convolution(call))


def conv2d_transpose(call: Call) -> Ref:
    """``Conv2DTranspose`` (``Conv2DBackpropInput``) -> ``ConvTranspose``.

    Both give ``(size - 1) * stride + dilation * (kernel - 1) + 1 - pads`` rows and columns, so the size that MindSpore
    writes into the network is only compared with this formula.
    """
    settings = _convolution(call)
    if "auto_pad" in settings:
        raise GraphError(
            f"{call.node.name!r} is a transposed convolution with pad_mode 'same', which is not supported."
        )
    given, wanted = call.tensor(0).shapes, call.shapes()
    pads, kernel = settings["pads"], settings["kernel_shape"]
    for before, after in zip(given, wanted, strict=True):
        for axis in range(2):
            reach = settings["dilations"][axis] * (kernel[axis] - 1) + 1
            full = (before[2 + axis] - 1) * settings["strides"][axis] + reach - pads[axis] - pads[axis + 2]
            if full != after[2 + axis]:
                raise GraphError(f"{call.node.name!r} is a transposed convolution of an output size not supported.")
    return call.emit("ConvTranspose", [call.tensor(0).name, call.tensor(1).name], **settings)


def _convolution(call: Call) -> dict[str, Any]:
    """The attributes that both convolutions have in common, for ONNX."""
    if str(call.attribute("format", "NCHW")).upper() != "NCHW":
        raise GraphError(f"{call.node.name!r} is a convolution in the layout NHWC, which is not supported.")
    kernel = as_pair(call.attribute("kernel_size"))
    dilation = as_pair(call.attribute("dilation", (1, 1)))
    stride = as_pair(call.attribute("stride", (1, 1)))
    settings: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": dilation,
        "group": int(call.attribute("group", call.attribute("groups", 1))),
    }
    mode = str(call.attribute("pad_mode", "valid")).lower()
    if mode == "pad":
        settings["pads"] = to_onnx_pads(call.attribute("pad"))
    elif mode == "valid":
        settings["pads"] = [0, 0, 0, 0]
    elif mode == "same" and stride == [1, 1]:
        total = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
        settings["pads"] = [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]
    elif mode == "same" and dilation == [1, 1]:
        settings["auto_pad"] = "SAME_UPPER"
    else:
        raise GraphError(f"{call.node.name!r} is a convolution with a padding that is not supported ({mode}).")
    return settings


def to_onnx_pads(pads: int | tuple[int, ...]) -> list[int]:
    """Reorder (top, bottom, left, right), or one number for all, to (top, left, bottom, right)."""
    if isinstance(pads, int):
        return [pads] * 4
    top, bottom, left, right = pads
    return [top, left, bottom, right]


def as_pair(value: int | tuple[int, ...] | None) -> list[int]:
    """Height and width from one number, two, or four in the layout NCHW."""
    if isinstance(value, int):
        return [value, value]
    if value is None or len(value) not in {2, 4}:
        raise GraphError(
            f"A convolution or pooling has the kernel, stride or dilation {value}, which is not supported."
        )
    return [int(entry) for entry in value[-2:]]


def bias_add(call: Call) -> Ref:
    """``BiasAdd`` -> ``Add``, which ``converter.fuse_biases`` makes part of the convolution."""
    features, bias = call.tensor(0), call.tensor(1)
    rank = features.rank
    shape = call.builder.integers([1, -1] + [1] * (rank - 2))
    wide = call.builder.emit("Reshape", [bias.name, shape], tuple((1, s[0]) + (1,) * (rank - 2) for s in bias.shapes))
    return call.emit("Add", [features.name, wide.name])


def batch_norm(call: Call) -> tuple[Ref, ...]:
    """``BatchNorm`` with moving statistics -> ``BatchNormalization``; returns only the first entry of the result."""
    if call.value(5, "is_training", False):
        raise GraphError(f"{call.node.name!r} normalises with the statistics of the batch; export in evaluation mode.")
    epsilon = float(call.value(6, "epsilon", 1e-5))
    names = [call.tensor(index).name for index in range(5)]
    return (call.emit("BatchNormalization", names, epsilon=epsilon),)


OPERATORS = {
    "Conv2D": conv2d,
    "Conv2DTranspose": conv2d_transpose,
    "Conv2DBackpropInput": conv2d_transpose,
    "BiasAdd": bias_add,
    "BatchNorm": batch_norm,
}
