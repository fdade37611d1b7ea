"""D-LinkNet's decoder: LinkNet's with dilated convolutions at its centre.

Zhou, Zhang and Wu, "D-LinkNet: LinkNet with Pretrained Encoder and Dilated Convolution for High Resolution Satellite
Imagery Road Extraction", CVPR Workshops 2018; https://github.com/zlckanata/DeepGlobe-Road-Extraction-Challenge.

Differences from the publications, on purpose: the network gives logits, since the sigmoid inside the original overflows
in half precision together with its loss; the transposed convolutions and the fifth dilated convolution have the biases
that the MindSpore port lost. The original normalises images to ``value / 255 * 3.2 - 1.6``.
"""

from __future__ import annotations

from mindspore import Tensor, nn

from ....engine.errors import ParameterError
from ..layers import conv, relu
from .linknet import LinkNetDecoder


class DilatedCenter(nn.Cell):
    """3x3 convolutions of dilation 1, 2, 4, 8 (and 16) in a chain; the output is the input plus every result.

    Keeps the shape (N, channels, H, W). With four convolutions the receptive field is 31 pixels, with five 63. Biases
    are initialised to 0.

    Args:
        channels: channels of input and output.
        count: number of convolutions, 4 or 5.

    Raises:
        ParameterError: another count.
    """

    def __init__(self, channels: int, *, count: int = 4) -> None:
        super().__init__()
        if count not in {4, 5}:
            raise ParameterError(f"A dilated centre has 4 or 5 convolutions, not {count}.")
        self.dilate1 = _dilated_conv(channels, 1)
        self.dilate2 = _dilated_conv(channels, 2)
        self.dilate3 = _dilated_conv(channels, 4)
        self.dilate4 = _dilated_conv(channels, 8)
        self.dilate5 = _dilated_conv(channels, 16) if count == 5 else None
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Add the results of all convolutions to ``x``."""
        first = self.relu(self.dilate1(x))
        second = self.relu(self.dilate2(first))
        third = self.relu(self.dilate3(second))
        fourth = self.relu(self.dilate4(third))
        total = x + first + second + third + fourth
        if self.dilate5 is not None:
            total = total + self.relu(self.dilate5(fourth))
        return total


def _dilated_conv(channels: int, dilation: int) -> nn.Cell:
    return conv(channels, channels, 3, padding=dilation, dilation=dilation, bias=True, zero_bias=True)


class DLinkNetDecoder(LinkNetDecoder):
    """LinkNet's decoder with a dilated centre and padded last convolutions.

    As published, the centre has four convolutions on the 512 channels of ResNet34, and five on those of deeper ResNets.
    """

    is_padded = True

    def create_center(self, channels: int) -> nn.Cell:
        """Create the dilated centre."""
        return DilatedCenter(channels, count=4 if channels <= 512 else 5)

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create a 3x3 convolution."""
        return conv(self.out_channels, num_classes, 3, padding=1, bias=True)
