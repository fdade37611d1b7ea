"""LinkNet's decoder block in the form that D-LinkNet has it."""

from __future__ import annotations

from mindspore import Tensor, nn

from ..layers import conv, deconv_double, norm, relu


class LinkBlock(nn.Cell):
    """1x1 convolution to a quarter of the channels, 3x3 transposed convolution that doubles the size, 1x1 convolution.

    Each has a bias and is followed by batch normalisation and ReLU.

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
        """(N, in, H, W) to (N, out, 2 H, 2 W)."""
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.deconv2(x)))
        return self.relu(self.norm3(self.conv3(x)))
