"""Atrous spatial pyramid pooling: the decoders of DeepLabV3 and DeepLabV3+.

Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", https://arxiv.org/abs/1706.05587, and
"Encoder-Decoder with Atrous Separable Convolution", https://arxiv.org/abs/1802.02611; parameters as MindCV's
``examples/seg/deeplabv3`` has them. The rates of the pyramid stay 6, 12, 18 at output stride 8 as well, as in MindCV
(the paper doubles them), so weights fit both output strides; the pyramid of DeepLabV3+ is enlarged by the nearest pixel
as in MindCV (the paper: bilinearly).
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from ..encoders.base import Encoder
from ..layers import conv, dropout, initialize_xavier, norm, relu, resize, resize_nearest, same_conv, sequence
from ..options import NetworkOptions
from .base import Decoder

RATES = (6, 12, 18)


class ASPPConv(nn.Cell):
    """A convolution of the pyramid with normalisation and ReLU: (N, in, h, w) to (N, out, h, w).

    Args:
        in_channels: of the input.
        out_channels: of the output.
        rate: dilation of the 3x3 kernel; 0 makes a 1x1 kernel.
    """

    def __init__(self, in_channels: int, out_channels: int, rate: int) -> None:
        super().__init__()
        cell = same_conv(in_channels, out_channels, 3, dilation=rate) if rate else conv(in_channels, out_channels, 1)
        self._aspp_conv = sequence(cell, norm(out_channels), relu())

    def construct(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self._aspp_conv(x)


class ASPPPooling(nn.Cell):
    """The mean over the whole image, convolved, at every position: (N, in, h, w) to (N, out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = sequence(conv(in_channels, out_channels, 1), norm(out_channels), relu())

    def construct(self, x: Tensor) -> Tensor:
        """Pool, convolve and resize."""
        return resize(self.conv(x.mean((2, 3), keep_dims=True)), x.shape[2:])


class ASPP(nn.Cell):
    """Convolutions of several rates and the global mean, joined: (N, in, h, w) to (N, out, h, w).

    Args:
        in_channels: of the input.
        out_channels: of every branch and of the output.
        drop_probability: of an element of the output while training.
    """

    def __init__(self, in_channels: int, out_channels: int = 256, *, drop_probability: float = 0.7) -> None:
        super().__init__()
        self.aspp_convs = nn.CellList(
            [ASPPConv(in_channels, out_channels, rate) for rate in (0, *RATES)]
            + [ASPPPooling(in_channels, out_channels)]
        )
        self.conv1 = conv(5 * out_channels, out_channels, 1)
        self.bn1 = norm(out_channels)
        self.relu = relu()
        self.drop = dropout(drop_probability)

    def construct(self, x: Tensor) -> Tensor:
        """Join the branches."""
        branches = [branch(x) for branch in self.aspp_convs]
        return self.drop(self.relu(self.bn1(self.conv1(ops.cat(branches, 1)))))


class DeepLabV3Decoder(Decoder):
    """The pyramid on the encoder's last feature.

    Args:
        encoder: as published, a ResNet of output stride 16 or 8.
        options: not needed.
    """

    def __init__(self, encoder: Encoder, options: NetworkOptions) -> None:
        super().__init__(encoder, options)
        self.aspp = ASPP(encoder.out_channels[-1])
        initialize_xavier(self.aspp)
        self.out_channels = 256

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode to (N, 256, h, w) of the last feature's size."""
        return self.aspp(features[4])

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create a 1x1 convolution, initialised as the decoder."""
        head = super().create_head(num_classes)
        initialize_xavier(head)
        return head


class DeepLabV3PlusDecoder(Decoder):
    """The pyramid on the last feature, joined with the feature of stride 4.

    Args:
        encoder: as published, a ResNet of output stride 16 or 8.
        options: not needed.
    """

    def __init__(self, encoder: Encoder, options: NetworkOptions) -> None:
        super().__init__(encoder, options)
        self.aspp = ASPP(encoder.out_channels[-1])
        self.conv1 = conv(encoder.out_channels[1], 48, 1)
        self.bn1 = norm(48)
        self.relu = relu()
        self.last_conv = sequence(same_conv(304, 256, 3), norm(256), relu(), same_conv(256, 256, 3), norm(256), relu())
        for cell in (self.aspp, self.conv1, self.last_conv):
            initialize_xavier(cell)
        self.out_channels = 256

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode to (N, 256, H / 4, W / 4)."""
        fine = self.relu(self.bn1(self.conv1(features[1])))
        coarse = resize_nearest(self.aspp(features[4]), fine.shape[2:])
        return self.last_conv(ops.cat((coarse, fine), 1))

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create a 1x1 convolution without bias, as MindCV's."""
        head = conv(self.out_channels, num_classes, 1)
        initialize_xavier(head)
        return head
