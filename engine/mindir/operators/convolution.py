"""Operations on windows of pixels: convolutions, pooling, resizing; biases and batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import GraphError
from ..builder import Call, GraphBuilder, Ref


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


#: Numbers that primitives of MindSpore 2.3 and later use for pad_mode.
_PAD_MODES = {0: "pad", 1: "same", 2: "valid"}


def pool(op: str, call: Call) -> Ref:
    """``MaxPool`` or ``AvgPool`` with pad_mode "valid" or "same"; padding is left out of the mean."""
    mode = call.value(3, "pad_mode", "valid")
    mode = _PAD_MODES.get(mode, str(mode)) if isinstance(mode, int) else str(mode).lower()
    if mode not in {"valid", "same"}:
        raise GraphError(f"{call.node.name!r} is a pooling with pad_mode {mode!r}, which is not supported.")
    kernel, stride = as_pair(call.value(1, "kernel_size")), as_pair(call.value(2, "strides"))
    padding = {"auto_pad": "SAME_UPPER"} if mode == "same" else {"pads": [0, 0, 0, 0]}
    return call.emit(op, [call.tensor(0).name], kernel_shape=kernel, strides=stride, **padding)


def max_pool_3d(call: Call) -> tuple[Ref, ...]:
    """``MaxPool3DWithArgmax``, which ``nn.MaxPool2d(pad_mode="pad")`` becomes, -> ``MaxPool`` of five axes.

    Returns only the first entry of the result. Where an ``ExpandDims`` inserted the depth axis, four axes are pooled (a
    ``Squeeze`` behind it is converted as usual), because runtimes have fast kernels for four axes only.
    """
    kernel, stride = list(call.attribute("ksize")), list(call.attribute("strides"))
    pads, dilation = list(call.attribute("pads")), list(call.attribute("dilation", (1, 1, 1)))
    source = call.tensor(0)
    flat = _without_depth(call.builder, source) if (kernel[0], stride[0], pads[0]) == (1, 1, 0) else None
    if flat is not None:
        kernel, stride, pads, dilation = kernel[1:], stride[1:], pads[1:], dilation[1:]
    settings: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": pads * 2, "dilations": dilation}
    settings["ceil_mode"] = int(bool(call.attribute("ceil_mode", False)))
    if flat is None:
        return (call.emit("MaxPool", [source.name], **settings),)
    shapes = tuple(shape[:2] + shape[3:] for shape in call.shapes())
    pooled = call.builder.emit("MaxPool", [flat], shapes, **settings)
    return (call.emit("Unsqueeze", [pooled.name, call.builder.integers([2])]),)


def max_pool_2d(call: Call) -> tuple[Ref, ...]:
    """``MaxPoolWithArgmaxV2``, which ``ops.max_pool2d`` becomes, -> ``MaxPool``; only the first entry is returned."""
    settings = {
        "kernel_shape": as_pair(call.attribute("kernel_size")),
        "strides": as_pair(call.attribute("strides")),
        "pads": as_pair(call.attribute("pads", (0, 0))) * 2,
        "dilations": as_pair(call.attribute("dilation", (1, 1))),
    }
    ceil = int(bool(call.attribute("ceil_mode", False)))
    return (call.emit("MaxPool", [call.tensor(0).name], ceil_mode=ceil, **settings),)


def _without_depth(builder: GraphBuilder, source: Ref) -> str | None:
    """The tensor of four axes behind the ``Unsqueeze`` that gave ``source`` its depth axis; None without one."""
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


def resize(mode: str, call: Call) -> Ref:
    """``ResizeBilinearV2`` or ``ResizeNearestNeighborV2`` -> ``Resize`` to sizes that follow the input."""
    source, target = call.tensor(0), call.shapes()
    if bool(call.value(2, "align_corners", False)):
        coordinates, rounding = "align_corners", "round_prefer_ceil"
    elif bool(call.value(3, "half_pixel_centers", False)):
        coordinates, rounding = "half_pixel", "floor" if mode == "nearest" else "round_prefer_floor"
    else:
        coordinates, rounding = "asymmetric", "floor"
    sizes = call.builder.sizes(target, [source])
    return call.emit(
        "Resize",
        [source.name, "", "", sizes],
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
    )


OPERATORS: dict[str, Callable[[Call], Any]] = {
    "Conv2D": conv2d,
    "Conv2DTranspose": conv2d_transpose,
    "Conv2DBackpropInput": conv2d_transpose,
    "BiasAdd": bias_add,
    "BatchNorm": batch_norm,
    "MaxPool": partial(pool, "MaxPool"),
    "AvgPool": partial(pool, "AveragePool"),
    "MaxPool3DWithArgmax": max_pool_3d,
    "MaxPoolWithArgmaxV2": max_pool_2d,
    "AdaptiveAvgPool2D": adaptive_average_pool,
    "ResizeBilinearV2": partial(resize, "linear"),
    "ResizeNearestNeighborV2": partial(resize, "nearest"),
}
