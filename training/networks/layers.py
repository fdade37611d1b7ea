"""Layers in PyTorch's terms: convolution, normalisation, pooling, dropout that can be repeated, resize.

MindSpore announces that the signatures of ``nn.Conv2d``, normalisation and pooling layers will change to PyTorch's.
Networks therefore make their layers here, and only this module has to follow.

Weights are initialised as in PyTorch: He-uniform with a negative slope of sqrt(5), biases uniform in ±1/sqrt(fan in);
these are MindSpore's own defaults too. Unless stated otherwise, layers map (N, C, H, W) to (N, C, H, W), float32 or
float16.
"""

from __future__ import annotations

from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

StemPool = Literal["symmetric", "same"]
DropoutUnit = Literal["element", "channel", "sample"]

#: factor of the integer hash "lowbias" by Ellis (https://nullprogram.com/blog/2018/07/31/, public domain); below 2**31,
#: so that its product with a 32-bit number stays within 63 bits
_HASH_FACTOR = 0x45D9F3B
_MASK_32_BITS = 0xFFFFFFFF
#: distance between the hash inputs of two dropout layers
_LAYER_OFFSET = 0x9E3779B1


def conv(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    bias: bool = False,
    zero_bias: bool = False,
) -> nn.Cell:
    """Create a 2-D convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: height and width of the kernel, or one number for both.
        stride: step of the kernel (rows, columns), or one number for both.
        padding: rows above and below and columns left and right, or one number for both; filled with zeros.
        dilation: distance of the kernel's elements (rows, columns), or one number for both.
        groups: number of groups; ``in_channels`` for a depthwise convolution.
        bias: whether a bias is added.
        zero_bias: whether the bias starts at 0 rather than at random.
    """
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        pad_mode="pad",
        padding=padding if isinstance(padding, int) else (padding[0], padding[0], padding[1], padding[1]),
        dilation=dilation,
        group=groups,
        has_bias=bias,
        bias_init="zeros" if zero_bias else None,
    )


def conv1d(in_channels: int, out_channels: int) -> nn.Cell:
    """Create a 1-D convolution of kernel 1 without bias over (N, in, L); its weight has the shape (out, in, 1, 1)."""
    return nn.Conv1d(in_channels, out_channels, 1, pad_mode="valid", has_bias=False)


def same_conv(
    in_channels: int, out_channels: int, kernel: int | tuple[int, int], *, dilation: int = 1, bias: bool = False
) -> nn.Cell:
    """Create a convolution of odd kernel and stride 1 that keeps height and width; arguments as of ``conv``."""
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    return conv(
        in_channels,
        out_channels,
        (rows, columns),
        padding=(dilation * (rows - 1) // 2, dilation * (columns - 1) // 2),
        dilation=(dilation if rows > 1 else 1, dilation if columns > 1 else 1),
        bias=bias,
    )


def tf_same_conv(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Cell:
    """Create a convolution without bias that pads as TensorFlow's "same", the smaller half above and left.

    Height and width become ceil(size / stride). The padding of a strided one depends on the size of the image.
    """
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        pad_mode="same",
        dilation=dilation,
        group=groups,
        has_bias=False,
    )


def deconv_double(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Cell:
    """Create a 3x3 transposed convolution of stride 2 that doubles height and width exactly.

    It is PyTorch's ``ConvTranspose2d(kernel 3, stride 2, padding 1, output_padding 1)``: MindSpore's own
    ``output_padding`` pads the last row and column instead of computing them, so the padding is taken from the top and
    left only.
    """
    return nn.Conv2dTranspose(
        in_channels, out_channels, 3, stride=2, pad_mode="pad", padding=(1, 0, 1, 0), has_bias=bias
    )


def deconv(
    in_channels: int, out_channels: int, kernel: int, *, stride: int, padding: int = 0, bias: bool = True
) -> nn.Cell:
    """Create a transposed convolution: H and W become ``(size - 1) * stride + kernel - 2 * padding``."""
    return nn.Conv2dTranspose(
        in_channels, out_channels, kernel, stride=stride, pad_mode="pad", padding=padding, has_bias=bias
    )


def norm(channels: int, *, eps: float = 1e-5) -> nn.Cell:
    """Create a batch normalisation with scale and shift; each step moves the running statistics by a tenth."""
    return nn.BatchNorm2d(channels, eps=eps, momentum=0.9)


def norm1d(channels: int, *, eps: float = 1e-5) -> nn.Cell:
    """Create a batch normalisation of (N, C, L)."""
    return nn.BatchNorm1d(channels, eps=eps, momentum=0.9)


def relu() -> nn.Cell:
    """Create a rectified linear unit."""
    return nn.ReLU()


def relu6() -> nn.Cell:
    """Create a rectified linear unit that is cut off at 6."""
    return nn.ReLU6()


def max_pool(kernel: int, *, stride: int, padding: int = 0, ceil: bool = False) -> nn.Cell:
    """Create a maximum pooling, padded with minus infinity on all sides; ``ceil`` keeps a last partial window."""
    if padding == 0 and not ceil:
        return nn.MaxPool2d(kernel, stride=stride, pad_mode="valid")
    return nn.MaxPool2d(kernel, stride=stride, pad_mode="pad", padding=padding, ceil_mode=ceil)


def stem_max_pool(mode: StemPool) -> nn.Cell:
    """Create the 3x3 pooling of stride 2 behind a ResNet's stem.

    Args:
        mode: "symmetric" pads one row and column on every side, as torchvision and the original D-LinkNet do; "same"
            pads at the bottom and right only, as MindCV does. They differ by a shift of one pixel, so the right one
            depends on where pre-trained weights come from.
    """
    if mode == "same":
        return nn.MaxPool2d(3, stride=2, pad_mode="same")
    return max_pool(3, stride=2, padding=1)


def halving_max_pool() -> nn.Cell:
    """Create a 2x2 maximum pooling of stride 2; a last odd row or column is pooled by itself."""
    return nn.MaxPool2d(2, stride=2, pad_mode="same")


def sequence(*cells: nn.Cell) -> nn.Cell:
    """Chain cells; their parameters are named by position."""
    return nn.SequentialCell(*cells)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly to ``size`` = (rows, columns), keeping the corner pixels' centres in place."""
    return ops.interpolate(x, size=size, mode="bilinear", align_corners=True)


def resize_nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) to ``size`` = (rows, columns) by the nearest pixel, keeping the corner pixels in place."""
    return ops.ResizeNearestNeighborV2(align_corners=True)(x, size)


def initialize_xavier(cell: nn.Cell) -> None:
    """Initialise the kernels of all convolutions of ``cell`` Xavier-uniform, in place."""
    for _, layer in cell.cells_and_names():
        if isinstance(layer, nn.Conv2d):
            layer.weight.set_data(initializer("xavier_uniform", layer.weight.shape, layer.weight.dtype))


def dropout(probability: float) -> SeededDropout:
    """Create a dropout of single elements."""
    return SeededDropout(probability, "element")


def channel_dropout(probability: float) -> SeededDropout:
    """Create a dropout of whole channels."""
    return SeededDropout(probability, "channel")


def drop_path(probability: float) -> SeededDropout:
    """Create a dropout of whole samples, for the branch of a residual block (stochastic depth)."""
    return SeededDropout(probability, "sample")


class SeededDropout(nn.Cell):
    """Dropout whose masks follow from a key, so that a resumed run drops what an uninterrupted one would have dropped.

    MindSpore keeps the state of its random numbers inside its kernels, where it can be neither saved nor restored.
    Here the mask is an integer hash of each element's position, the layer's number and the key, the same on every
    device. The trainer sets the key before each batch (``bind_dropout``, ``batch_key``); without a key the masks are
    MindSpore's own. A layer that is used twice in one pass drops the same elements both times.

    Args:
        probability: of dropping a unit, 0 up to but excluding 1. The others are scaled up.
        unit: what is dropped: elements of any shape, or channels or samples of (N, C, H, W).
    """

    def __init__(self, probability: float, unit: DropoutUnit) -> None:
        super().__init__()
        self.probability = probability
        self.unit = unit
        self.number = 0
        self._set_key(None)

    def bind(self, key: Parameter, number: int) -> None:
        """Take the masks from ``key``, an int64 scalar; ``number`` distinguishes the layers of a network."""
        self.number = number
        self._set_key(key)

    def _set_key(self, key: Parameter | None) -> None:
        # nn.Cell would make the key a parameter of the network, and checkpoints would hold it.
        object.__setattr__(self, "key", key)

    def construct(self, x: Tensor) -> Tensor:
        """Drop elements of ``x`` while training; shape and type stay."""
        if not self.training or self.probability == 0:
            return x
        shape = x.shape
        if self.unit != "element":
            shape = (x.shape[0], x.shape[1] if self.unit == "channel" else 1, 1, 1)
        if self.key is None:
            return x * ops.dropout(ops.ones(shape, x.dtype), self.probability)
        count = 1
        for size in shape:
            count = count * size
        positions = ops.arange(0, count, dtype=ms.int64) + ((self.number + 1) * _LAYER_OFFSET & _MASK_32_BITS)
        hashes = hash_integers(ops.bitwise_xor(hash_integers(ops.bitwise_and(positions, _MASK_32_BITS)), self.key))
        mask = ops.cast(hashes >= int(self.probability * 2**32), x.dtype) / (1.0 - self.probability)
        return x * mask.reshape(shape)


def hash_integers(values: Tensor) -> Tensor:
    """Hash 32-bit numbers one to one: int64 (n) of values 0 to 2**32 - 1 to the same range."""
    for _ in range(2):
        values = ops.bitwise_and(ops.bitwise_xor(values, _shift_16(values)) * _HASH_FACTOR, _MASK_32_BITS)
    return ops.bitwise_xor(values, _shift_16(values))


def _shift_16(values: Tensor) -> Tensor:
    return ops.bitwise_right_shift(values, Tensor(16, ms.int64))


def bind_dropout(network: nn.Cell) -> Parameter | None:
    """Give all dropout layers of ``network`` one key, and return it; None where no layer drops anything."""
    cells = [cell for _, cell in network.cells_and_names()]
    layers = [cell for cell in cells if isinstance(cell, SeededDropout) and cell.probability > 0]
    if not layers:
        return None
    key = Parameter(Tensor(0, ms.int64), name="dropout_key", requires_grad=False)
    for number, layer in enumerate(layers):
        layer.bind(key, number)
    return key


def batch_key(seed: int, batch: int, rank: int) -> int:
    """Derive the dropout key of a batch, 0 to 2**32 - 1.

    Args:
        seed: of the run.
        batch: number of the batch, counted over the whole run.
        rank: of the process.
    """
    return int(np.random.SeedSequence([seed, 13, batch, rank]).generate_state(1)[0])
