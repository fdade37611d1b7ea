"""LinkNet's decoder as the LinkNet34 baseline of D-LinkNet has it.

Chaurasia and Culurciello, "LinkNet", VCIP 2017, https://arxiv.org/abs/1707.03718; the variant of
https://github.com/zlckanata/DeepGlobe-Road-Extraction-Challenge, for any encoder. It differs from LinkNet as its
authors published it, which is the whole network ``networks/linknet.py``.
"""

from __future__ import annotations

from typing import ClassVar

from mindspore import Tensor, nn

from ..encoders.base import Encoder
from ..layers import channel_dropout, conv, deconv, deconv_double, norm, relu, sequence
from ..options import NetworkOptions
from .base import Decoder


class LinkNetBlock(nn.Cell):
    """1x1 convolution to fewer channels, 3x3 transposed convolution that doubles the size, 1x1 convolution.

    Each is followed by batch normalisation and ReLU: (N, in, H, W) to (N, out, 2 H, 2 W).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        middle: channels in between.
        bias: whether the convolutions have biases.
    """

    def __init__(self, in_channels: int, out_channels: int, *, middle: int, bias: bool) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, middle, 1, bias=bias)
        self.norm1 = norm(middle)
        self.deconv2 = deconv_double(middle, middle, bias=bias)
        self.norm2 = norm(middle)
        self.conv3 = conv(middle, out_channels, 1, bias=bias)
        self.norm3 = norm(out_channels)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Double height and width."""
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.deconv2(x)))
        return self.relu(self.norm3(self.conv3(x)))


class LinkNetDecoder(Decoder):
    """Four blocks with additive skips from the encoder's features, then two convolutions at the image's size.

    As published, three features are added, blocks have a quarter of their input's channels inside, and biases; the
    ``options`` can change this. The last convolutions and the head's are not padded as usual, yet sizes add up: H / 2
    to H + 1, H - 1 and H.

    Args:
        encoder: of output stride 32.
        options: see ``NetworkOptions``.

    Attributes:
        is_padded: whether the last convolutions are padded, as D-LinkNet's are.
    """

    is_full_size: ClassVar[bool] = True
    is_padded: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, options: NetworkOptions) -> None:
        super().__init__(encoder, options)
        finest, first, second, third, fourth = encoder.out_channels
        width = options.center_channels or fourth
        end = finest if options.finest_skip else first
        self.reduce = sequence(conv(fourth, width, 1), norm(width), relu()) if options.center_channels else None
        self.center = self.create_center(width)
        self.decoder4, self.decoder3, self.decoder2, self.decoder1 = (
            LinkNetBlock(before, after, middle=max(before // 4, options.block_channels), bias=options.block_bias)
            for before, after in ((width, third), (third, second), (second, first), (first, end))
        )
        self.relu = relu()
        last, padding = options.last_channels, int(self.is_padded)
        self.finaldeconv1 = deconv(end, last, 3 + padding, stride=2, padding=padding)
        self.finalconv2 = conv(last, last, 3, padding=padding, bias=True)
        self.dropout = channel_dropout(0.0)
        self.has_finest_skip = options.finest_skip
        self.out_channels = last

    def create_center(self, channels: int) -> nn.Cell | None:
        """Create a cell between encoder and blocks that keeps the shape; None for none."""
        return None

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode to (N, last_channels, H, W), or (.., H - 1, W - 1) without padding; H and W are multiples of 32."""
        finest, first, second, third, x = features
        if self.reduce is not None:
            x = self.reduce(x)
        if self.center is not None:
            x = self.center(x)
        x = self.decoder4(x) + third
        x = self.decoder3(x) + second
        x = self.decoder2(x) + first
        x = self.decoder1(x)
        if self.has_finest_skip:
            x = x + finest
        x = self.relu(self.finaldeconv1(x))
        return self.dropout(self.relu(self.finalconv2(x)))

    def set_dropout(self, probability: float) -> None:
        """Drop channels in front of the head in training."""
        self.dropout.probability = probability

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create a 2x2 convolution that makes up for the missing row and column."""
        return conv(self.out_channels, num_classes, 2, padding=1, bias=True)
