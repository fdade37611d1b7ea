"""Cells that compute convolutions by our operators, in place of MindSpore's primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from ...engine.concurrency import available_cores
from ...engine.errors import ParameterError, RuntimeUnavailableError
from ..config import TrainConfig
from .library import load_library

Shape = Sequence[int]
_HINT = "Set train.convolution=mindspore."


def select_convolutions(config: TrainConfig) -> tuple[Callable[[nn.Cell], nn.Cell], str]:
    """Choose who computes the convolutions of a training, as ``config.convolution`` says.

    Returns:
        A function that changes a network in place, before it is used, and returns it; and a remark for the user, empty
        where nothing had to be chosen.

    Raises:
        RuntimeUnavailableError: the operator that the configuration names cannot be had.
        ParameterError: it does not go with another part of the configuration.
    """
    if config.convolution == "mindspore" or (config.convolution == "auto" and config.device != "CPU"):
        return _leave, ""
    try:
        if config.device != "CPU" or config.amp != "O0":
            raise ParameterError("Our convolutions are for train.device=CPU and train.amp=O0.", _HINT)
        library = load_library(config.threads or available_cores())
        in_bfloat16 = config.convolution == "onednn_bfloat16"
        if in_bfloat16 and not library.has_bfloat16:
            raise RuntimeUnavailableError(
                "This processor does not compute in bfloat16, or oneDNN is limited.", "Set train.convolution=onednn."
            )
    except (ParameterError, RuntimeUnavailableError) as error:
        if config.convolution != "auto":
            raise
        return _leave, f"Convolutions are MindSpore's, which are slower. {error}"

    def replace(network: nn.Cell) -> nn.Cell:
        replace_convolutions(network, library.path, in_bfloat16=in_bfloat16)
        return network

    return replace, f"Convolutions are computed by oneDNN in {'bfloat16' if in_bfloat16 else 'float32'}."


def _leave(network: nn.Cell) -> nn.Cell:
    return network


def replace_convolutions(network: nn.Cell, library: Path, *, in_bfloat16: bool) -> int:
    """Let all 1-D and 2-D convolutions of ``network`` be computed by the operators, in place; return their number.

    Parameters and their names stay as they are.

    Args:
        network: its parameters are float32.
        library: the compiled operators.
        in_bfloat16: whether inputs and gradients are rounded to bfloat16 before they are multiplied. Sums, results and
            weights stay float32.
    """
    count = 0
    for _, cell in list(network.cells_and_names()):
        if isinstance(cell, nn.Conv1d | nn.Conv2d):
            cell.conv2d = Convolution(cell, library, in_bfloat16=in_bfloat16)
        elif isinstance(cell, nn.Conv2dTranspose) and cell.pad_mode == "pad":
            cell.conv2d_transpose = TransposedConvolution(cell, library, in_bfloat16=in_bfloat16)
        else:
            continue
        count += 1
    return count


class Convolution(nn.Cell):
    """The convolution of a layer without its bias: x (N, C, H, W) and the layer's weight to (N, out, H', W').

    Args:
        layer: a ``nn.Conv1d`` or ``nn.Conv2d``, whose attributes say which.
        library: the compiled operators.
        in_bfloat16: as of ``replace_convolutions``.
    """

    def __init__(self, layer: nn.Cell, library: Path, *, in_bfloat16: bool) -> None:
        super().__init__(auto_prefix=False)
        kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
        top, bottom, left, right = _padding(layer)
        self.geometry = _geometry(layer, in_bfloat16=in_bfloat16)
        backward_input = _operator(library, "convolve_backward_input", self.geometry, _third)
        backward_weights = _operator(library, "convolve_backward_weights", self.geometry, _third)

        def infer_shape(x: Shape, w: Shape, _geometry: Shape) -> list[int]:
            """Shape of the result."""
            if layer.pad_mode == "same":
                return [x[0], w[0], -(-x[2] // stride[0]), -(-x[3] // stride[1])]
            height = (x[2] + top + bottom - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
            width = (x[3] + left + right - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
            if min(height, width) < 1:
                raise ValueError(f"An input of {x[2]} x {x[3]} is smaller than the kernel of {layer}.")
            return [x[0], w[0], height, width]

        def differentiate(x: Tensor, w: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
            """Gradients of the three inputs."""
            return backward_input(dy, w, x, geometry), backward_weights(x, dy, w, geometry), ops.zeros_like(geometry)

        self.operator = _operator(library, "convolve", self.geometry, infer_shape, differentiate)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve."""
        return self.operator(x, weight, self.geometry)


class TransposedConvolution(nn.Cell):
    """The transposed convolution of a layer without its bias: the gradient of a convolution with respect to its input.

    Args:
        layer: a ``nn.Conv2dTranspose`` with explicit padding.
        library: the compiled operators.
        in_bfloat16: as of ``replace_convolutions``.
    """

    def __init__(self, layer: nn.Cell, library: Path, *, in_bfloat16: bool) -> None:
        super().__init__(auto_prefix=False)
        kernel, stride, dilation, groups = layer.kernel_size, layer.stride, layer.dilation, layer.group
        top, bottom, left, right = _padding(layer)
        self.geometry = _geometry(layer, in_bfloat16=in_bfloat16)
        forward = _operator(library, "convolve", self.geometry, _third)
        backward_weights = _operator(library, "convolve_backward_weights", self.geometry, _third)

        def infer_shape(x: Shape, w: Shape, _geometry: Shape) -> list[int]:
            """Shape of the result."""
            height = (x[2] - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1 - top - bottom
            width = (x[3] - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1 - left - right
            return [x[0], w[1] * groups, height, width]

        def differentiate(x: Tensor, w: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
            """Gradients of the three inputs."""
            return forward(dy, w, x, geometry), backward_weights(dy, x, w, geometry), ops.zeros_like(geometry)

        self.operator = _operator(library, "convolve_backward_input", self.geometry, infer_shape, differentiate)

    def construct(self, x: Tensor, weight: Tensor, _size: tuple[int, ...]) -> Tensor:
        """Convolve; the size follows from the layer's padding."""
        return self.operator(x, weight, self.geometry)


def _operator(
    library: Path,
    name: str,
    geometry: Tensor,
    infer_shape: Callable[..., Shape],
    differentiate: Callable[..., tuple[Tensor, ...]] | None = None,
) -> ops.Custom:
    function = f"{library}:{name}"
    operator = ops.Custom(function, out_shape=infer_shape, out_dtype=_first, func_type="aot", bprop=differentiate)
    # MindSpore remembers the result's shape by the attributes of an operator and the shapes of its inputs.
    operator.add_prim_attr("geometry", geometry.asnumpy().tolist())
    return operator


def _first(first: ms.Type, *_: ms.Type) -> ms.Type:
    return first


def _third(_first: Shape, _second: Shape, third: Shape, _geometry: Shape) -> Shape:
    return third


def _padding(layer: nn.Cell) -> tuple[int, int, int, int]:
    """Explicit padding of a layer: top, bottom, left, right."""
    if layer.pad_mode != "pad":
        return 0, 0, 0, 0
    return layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * 4


def _geometry(layer: nn.Cell, *, in_bfloat16: bool) -> Tensor:
    """The operators' last input, see ``Geometry`` in ``convolution.cpp``."""
    top, _, left, _ = _padding(layer) if layer.pad_mode != "same" else (-1,) * 4
    return Tensor(np.array([*layer.stride, *layer.dilation, top, left, layer.group, int(in_bfloat16)], np.int64))
