"""LinkNet's decoder as the LinkNet34 baseline of D-LinkNet has it.

Chaurasia and Culurciello, "LinkNet", VCIP 2017, https://arxiv.org/abs/1707.03718; the variant of
https://github.com/zlckanata/DeepGlobe-Road-Extraction-Challenge. LinkNet itself is in ``networks/linknet.py``.
"""

from __future__ import annotations

from typing import ClassVar

from mindspore import Tensor, nn

from ..encoders import Encoder
from ..layers import conv, deconv, deconv_double, norm, relu
from .base import Decoder


class LinkNetBlock(nn.Cell):
    """1x1 convolution to a quarter of the channels, 3x3 transposed convolution that doubles the size, 1x1 convolution.

    Each has a bias and is followed by batch normalisation and ReLU: (N, in, H, W) to (N, out, 2 H, 2 W).

    Args:
        in_channels: channels of the input, a multiple of 4.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        middle = in_channels // 4
        self.conv1 = conv(in_channels, middle, 1, bias=True)
        self.norm1 = norm(middle)
        self.deconv2 = deconv_double(middle, middle, bias=True)
        self.norm2 = norm(middle)
        self.conv3 = conv(middle, out_channels, 1, bias=True)
        self.norm3 = norm(out_channels)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Double height and width."""
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.deconv2(x)))
        return self.relu(self.norm3(self.conv3(x)))


class LinkNetDecoder(Decoder):
    """Four blocks with additive skips from three encoder stages, then two convolutions at the image's size.

    Those convolutions and the head's are not padded as usual, yet sizes add up: H / 2 to H + 1, H - 1 and H.

    Args:
        encoder: of output stride 32.
        center: a cell between encoder and blocks that keeps the shape; None for none.
        is_padded: whether the last convolutions are padded, as D-LinkNet's are.
    """

    is_full_size: ClassVar[bool] = True
    output_strides: ClassVar[tuple[int, ...]] = (32,)

    def __init__(self, encoder: Encoder, *, center: nn.Cell | None = None, is_padded: bool = False) -> None:
        super().__init__(encoder)
        _, first, second, third, fourth = encoder.out_channels
        self.center = center
        self.decoder4 = LinkNetBlock(fourth, third)
        self.decoder3 = LinkNetBlock(third, second)
        self.decoder2 = LinkNetBlock(second, first)
        self.decoder1 = LinkNetBlock(first, first)
        self.relu = relu()
        self.finaldeconv1 = deconv(first, 32, 4, stride=2, padding=1) if is_padded else deconv(first, 32, 3, stride=2)
        self.finalconv2 = conv(32, 32, 3, padding=1 if is_padded else 0, bias=True)
        self.out_channels = 32

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode to (N, 32, H, W), or (N, 32, H - 1, W - 1) without padding; H and W are multiples of 32."""
        _, first, second, third, x = features
        if self.center is not None:
            x = self.center(x)
        x = self.decoder4(x) + third
        x = self.decoder3(x) + second
        x = self.decoder2(x) + first
        x = self.decoder1(x)
        x = self.relu(self.finaldeconv1(x))
        return self.relu(self.finalconv2(x))

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create a 2x2 convolution that makes up for the missing row and column."""
        return conv(self.out_channels, num_classes, 2, padding=1, bias=True)
