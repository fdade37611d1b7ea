"""The centre of D-LinkNet: dilated convolutions in cascade and in parallel at once."""

from __future__ import annotations

from mindspore import Tensor, nn

from ....engine.errors import ParameterError
from ..layers import conv, relu


class DilationBlock(nn.Cell):
    """3x3 convolutions of dilation 1, 2, 4, 8 (and 16) in a chain; the output is the input plus every link.

    Zhou et al., "D-LinkNet", CVPR Workshops 2018. With four links the receptive field is 31 pixels, with five 63.
    Biases start at 0.

    Args:
        channels: channels of input and output.
        links: 4 or 5.
    """

    def __init__(self, channels: int, *, links: int = 4) -> None:
        super().__init__()
        if links not in {4, 5}:
            raise ParameterError(f"A dilation block has 4 or 5 links, not {links}.")
        self.dilate1 = _dilated(channels, 1)
        self.dilate2 = _dilated(channels, 2)
        self.dilate3 = _dilated(channels, 4)
        self.dilate4 = _dilated(channels, 8)
        self.dilate5 = _dilated(channels, 16) if links == 5 else None
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        first = self.relu(self.dilate1(x))
        second = self.relu(self.dilate2(first))
        third = self.relu(self.dilate3(second))
        fourth = self.relu(self.dilate4(third))
        total = x + first + second + third + fourth
        if self.dilate5 is not None:
            total = total + self.relu(self.dilate5(fourth))
        return total


def _dilated(channels: int, dilation: int) -> nn.Cell:
    return conv(channels, channels, 3, padding=dilation, dilation=dilation, bias=True, zero_bias=True)
