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
        replace_pooling(network, library.path)
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
            cell.conv2d = Convolution(cell, library, in_bfloat16=in_bfloat16, is_first=count == 0)
        elif isinstance(cell, nn.Conv2dTranspose) and cell.pad_mode == "pad":
            cell.conv2d_transpose = TransposedConvolution(cell, library, in_bfloat16=in_bfloat16)
        else:
            continue
        count += 1
    return count


def replace_pooling(network: nn.Cell, library: Path) -> int:
    """Let the padded maximum poolings of ``network`` be computed by the operators, in place; return their number.

    MindSpore computes those as pooling in three dimensions, ten times as slowly.
    """
    count = 0
    for _, cell in list(network.cells_and_names()):
        if isinstance(cell, nn.MaxPool2d) and cell.use_pad and not cell.return_indices:
            cell.max_pool = MaxPooling(cell, library)
            count += 1
    return count


class Convolution(nn.Cell):
    """The convolution of a layer with its bias: x (N, C, H, W) and the layer's weight to (N, out, H', W').

    Args:
        layer: a ``nn.Conv1d`` or ``nn.Conv2d``, whose attributes say which; it no longer adds its bias itself.
        library: the compiled operators.
        in_bfloat16: as of ``replace_convolutions``.
        is_first: whether the gradient of x is rarely wanted, and is therefore computed apart from that of the weight.
    """

    def __init__(self, layer: nn.Cell, library: Path, *, in_bfloat16: bool, is_first: bool) -> None:
        super().__init__(auto_prefix=False)
        kernel, stride, dilation, groups = layer.kernel_size, layer.stride, layer.dilation, layer.group
        top, bottom, left, right = _padding(layer)
        self.has_bias = layer.has_bias
        if self.has_bias:
            layer.has_bias = False
            # nn.Cell would make it a parameter of this cell, too.
            object.__setattr__(self, "bias", layer.bias)
        self.geometry = _geometry(layer, in_bfloat16=in_bfloat16, has_bias=self.has_bias)
        of_input = _operator(library, "convolve_backward_input", self.geometry, _third)
        if self.has_bias:
            of_weight = _operator(library, "convolve_backward_weights", self.geometry, _weight_and_bias, results=2)
            of_both = _operator(library, "convolve_backward", self.geometry, _input_weight_and_bias, results=3)
        else:
            of_weight = _operator(library, "convolve_backward_weights", self.geometry, _third)
            of_both = _operator(library, "convolve_backward", self.geometry, _input_and_weight, results=2)

        def infer_shape(x: Shape, w: Shape, *_: Shape) -> list[int]:
            """Shape of the result."""
            _check_channels(layer, x[1], w[1] * groups)
            if layer.pad_mode == "same":
                return [x[0], w[0], -(-x[2] // stride[0]), -(-x[3] // stride[1])]
            height = (x[2] + top + bottom - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
            width = (x[3] + left + right - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
            if min(height, width) < 1:
                raise ValueError(f"An input of {x[2]} x {x[3]} is smaller than the kernel of {layer}.")
            return [x[0], w[0], height, width]

        def differentiate(x: Tensor, w: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
            """Gradients of the inputs without a bias."""
            if is_first:
                return of_input(dy, w, x, geometry), of_weight(dy, x, w, geometry), ops.zeros_like(geometry)
            dx, dw = of_both(dy, x, w, geometry)
            return dx, dw, ops.zeros_like(geometry)

        def differentiate_with_bias(
            x: Tensor, w: Tensor, _bias: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor
        ) -> tuple[Tensor, ...]:
            """Gradients of the inputs with a bias."""
            if is_first:
                dw, db = of_weight(dy, x, w, geometry)
                return of_input(dy, w, x, geometry), dw, db, ops.zeros_like(geometry)
            dx, dw, db = of_both(dy, x, w, geometry)
            return dx, dw, db, ops.zeros_like(geometry)

        gradients = differentiate_with_bias if self.has_bias else differentiate
        self.operator = _operator(library, "convolve", self.geometry, infer_shape, gradients)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve."""
        if self.has_bias:
            return self.operator(x, weight, self.bias, self.geometry)
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
        self.geometry = _geometry(layer, in_bfloat16=in_bfloat16, has_bias=False)
        of_both = _operator(library, "convolve_transposed_backward", self.geometry, _input_and_weight, results=2)

        def infer_shape(x: Shape, w: Shape, _geometry: Shape) -> list[int]:
            """Shape of the result."""
            _check_channels(layer, x[1], w[0])
            height = (x[2] - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1 - top - bottom
            width = (x[3] - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1 - left - right
            return [x[0], w[1] * groups, height, width]

        def differentiate(x: Tensor, w: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
            """Gradients of the three inputs."""
            dx, dw = of_both(dy, x, w, geometry)
            return dx, dw, ops.zeros_like(geometry)

        self.operator = _operator(library, "convolve_transposed", self.geometry, infer_shape, differentiate)

    def construct(self, x: Tensor, weight: Tensor, _size: tuple[int, ...]) -> Tensor:
        """Convolve; the size follows from the layer's padding."""
        return self.operator(x, weight, self.geometry)


class MaxPooling(nn.Cell):
    """The padded maximum pooling of a layer, (N, C, 1, H, W) to (N, C, 1, H', W').

    Args:
        layer: a ``nn.MaxPool2d`` with explicit padding and without dilation.
        library: the compiled operators.
    """

    def __init__(self, layer: nn.Cell, library: Path) -> None:
        super().__init__(auto_prefix=False)
        _, *kernel = layer.max_pool.ksize
        _, *stride = layer.max_pool.strides
        _, top, left = layer.max_pool.pads
        ceil = layer.max_pool.ceil_mode
        self.geometry = Tensor(np.array([*kernel, *stride, 1, 1, top, left, 1, 0, 0], np.int64))
        backward = _operator(library, "pool_max_backward", self.geometry, _second)

        def infer_shape(x: Shape, _geometry: Shape) -> list[int]:
            """Shape of the result."""
            return [*x[:2], *(_pooled(x[2 + i], kernel[i], stride[i], (top, left)[i], ceil) for i in range(2))]

        def differentiate(x: Tensor, geometry: Tensor, _y: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
            """Gradients of the two inputs."""
            return backward(dy, x, geometry), ops.zeros_like(geometry)

        self.operator = _operator(library, "pool_max", self.geometry, infer_shape, differentiate)
        self.operator.add_prim_attr("ceil", ceil)

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pool; the layer takes the first of two results."""
        y = self.operator(x.squeeze(2), self.geometry).expand_dims(2)
        return y, y


def _pooled(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    """Size after pooling. A last partial window, which ``ceil`` adds, must begin inside or before the image."""
    count = -(-(size + 2 * padding - kernel) // stride) if ceil else (size + 2 * padding - kernel) // stride
    return count if ceil and count * stride >= size + padding else count + 1


def _operator(
    library: Path,
    name: str,
    geometry: Tensor,
    infer_shape: Callable[..., Shape | tuple[Shape, ...]],
    differentiate: Callable[..., tuple[Tensor, ...]] | None = None,
    *,
    results: int = 1,
) -> ops.Custom:
    def infer_type(*types: ms.Type) -> ms.Type | tuple[ms.Type, ...]:
        """Type of the results. The operator takes float32 only, and is not told of any other type."""
        if types[0].element_type() != ms.float32:
            raise TypeError(f"Our convolutions take float32, not {types[0].element_type()}. {_HINT}")
        return types[0] if results == 1 else (types[0],) * results

    function = f"{library}:{name}"
    operator = ops.Custom(function, out_shape=infer_shape, out_dtype=infer_type, func_type="aot", bprop=differentiate)
    # MindSpore remembers the result's shape by the attributes of an operator and the shapes of its inputs.
    operator.add_prim_attr("geometry", geometry.asnumpy().tolist())
    return operator


def _check_channels(layer: nn.Cell, given: int, expected: int) -> None:
    if given != expected:
        raise ValueError(
            f"An input of {given} channels does not fit a convolution of {expected} channels and a kernel of "
            f"{' x '.join(map(str, layer.kernel_size))}."
        )


def _second(_first: Shape, second: Shape, _geometry: Shape) -> Shape:
    return second


def _third(_first: Shape, _second: Shape, third: Shape, _geometry: Shape) -> Shape:
    return third


def _weight_and_bias(_dy: Shape, _x: Shape, w: Shape, _geometry: Shape) -> tuple[Shape, ...]:
    return w, w[:1]


def _input_and_weight(_dy: Shape, x: Shape, w: Shape, _geometry: Shape) -> tuple[Shape, ...]:
    return x, w


def _input_weight_and_bias(_dy: Shape, x: Shape, w: Shape, _geometry: Shape) -> tuple[Shape, ...]:
    return x, w, w[:1]


def _padding(layer: nn.Cell) -> tuple[int, int, int, int]:
    """Explicit padding of a layer: top, bottom, left, right."""
    if layer.pad_mode != "pad":
        return 0, 0, 0, 0
    return layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * 4


def _geometry(layer: nn.Cell, *, in_bfloat16: bool, has_bias: bool) -> Tensor:
    """An input of the operators, see ``Geometry`` in ``convolution.cpp``."""
    top, _, left, _ = _padding(layer) if layer.pad_mode != "same" else (-1,) * 4
    flags = int(in_bfloat16), int(has_bias)
    numbers = [*layer.kernel_size, *layer.stride, *layer.dilation, top, left, layer.group, *flags]
    return Tensor(np.array(numbers, np.int64))
