"""The one place where MindSpore layers are made.

MindSpore announces that the signatures of ``nn.Conv2d``, normalisation and pooling layers will change to PyTorch's.
Networks therefore make their layers here, in PyTorch's terms, and only this module has to follow.

Weights start as in PyTorch: He-uniform with a negative slope of sqrt(5), biases uniform in ±1/sqrt(fan in); these are
MindSpore's own defaults too. All layers take and give tensors of shape (N, C, H, W), float32 or float16.
"""

from __future__ import annotations

from typing import Literal

from mindspore import Tensor, nn, ops

from .dropout import SeededDropout

StemPool = Literal["symmetric", "same"]


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
    """A 2-D convolution.

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
    """A 1-D convolution of kernel 1 without bias over (N, in, L); its weight has the shape (out, in, 1, 1)."""
    return nn.Conv1d(in_channels, out_channels, 1, pad_mode="valid", has_bias=False)


def same_conv(
    in_channels: int, out_channels: int, kernel: int | tuple[int, int], *, dilation: int = 1, bias: bool = False
) -> nn.Cell:
    """A convolution of odd kernel and stride 1 whose output has the size of its input; arguments as of ``conv``."""
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    return conv(
        in_channels,
        out_channels,
        (rows, columns),
        padding=(dilation * (rows - 1) // 2, dilation * (columns - 1) // 2),
        dilation=(dilation if rows > 1 else 1, dilation if columns > 1 else 1),
        bias=bias,
    )


def deconv_double(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Cell:
    """A 3x3 transposed convolution of stride 2 that doubles height and width exactly.

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
    """A transposed convolution; the output has ``(size - 1) * stride + kernel - 2 * padding`` rows and columns."""
    return nn.Conv2dTranspose(
        in_channels, out_channels, kernel, stride=stride, pad_mode="pad", padding=padding, has_bias=bias
    )


def norm(channels: int, *, eps: float = 1e-5) -> nn.Cell:
    """Batch normalisation with learnt scale and shift; moving statistics move by a tenth per step."""
    return nn.BatchNorm2d(channels, eps=eps, momentum=0.9)


def norm1d(channels: int, *, eps: float = 1e-5) -> nn.Cell:
    """Batch normalisation of (N, C, L)."""
    return nn.BatchNorm1d(channels, eps=eps, momentum=0.9)


def relu() -> nn.Cell:
    """max(x, 0)."""
    return nn.ReLU()


def max_pool(kernel: int, *, stride: int, padding: int = 0, ceil: bool = False) -> nn.Cell:
    """Maximum pooling; ``padding`` on all four sides counts as minus infinity, ``ceil`` keeps a last partial window."""
    if padding == 0 and not ceil:
        return nn.MaxPool2d(kernel, stride=stride, pad_mode="valid")
    return nn.MaxPool2d(kernel, stride=stride, pad_mode="pad", padding=padding, ceil_mode=ceil)


def stem_max_pool(mode: StemPool) -> nn.Cell:
    """The 3x3 pooling of stride 2 behind a ResNet's stem.

    Args:
        mode: "symmetric" pads one row and column on every side, as torchvision and the original D-LinkNet do; "same"
            pads at the bottom and right only, as MindCV does. They differ by a shift of one pixel, so the right one
            depends on where pre-trained weights come from.
    """
    if mode == "same":
        return nn.MaxPool2d(3, stride=2, pad_mode="same")
    return max_pool(3, stride=2, padding=1)


def halving_max_pool() -> nn.Cell:
    """2x2 maximum pooling of stride 2; a last odd row or column is pooled by itself."""
    return nn.MaxPool2d(2, stride=2, pad_mode="same")


def dropout(probability: float) -> nn.Cell:
    """Drops single elements with this probability while training."""
    return SeededDropout(probability, channels=False)


def channel_dropout(probability: float) -> nn.Cell:
    """Drops whole channels with this probability while training."""
    return SeededDropout(probability, channels=True)


def sequence(*cells: nn.Cell) -> nn.Cell:
    """Cells one after the other; parameters are named by position."""
    return nn.SequentialCell(*cells)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of (N, C, H, W) to ``size`` = (rows, columns), the corner pixels' centres kept in place."""
    return ops.interpolate(x, size=size, mode="bilinear", align_corners=True)
