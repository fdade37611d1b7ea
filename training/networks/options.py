"""Options of networks, for all parts of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .layers import StemPool


@dataclass(frozen=True)
class NetworkOptions:
    """Options of a network besides its number of classes, see ``registry.read_options``.

    The tables of encoders, decoders and networks tell which of them each has.

    Attributes:
        in_channels: bands of the image, 1 or more.
        stem_pool: how the pooling behind a ResNet's stem pads: "symmetric" as torchvision, "same" as MindCV.
        output_stride: of the encoder: 32, or 16 and 8 with dilated last stages; the weights fit all three.
        pyramid_eps: epsilon of the normalisation in LEDNet's attention pyramid.
        center_channels: (this and the next four: decoders ``dlinknet``, ``linknet``) channels that a 1x1 convolution
            makes of the encoder's last feature, 0 for none.
        block_channels: fewest channels inside a block of the decoder; a quarter of its input otherwise.
        block_bias: whether the blocks' convolutions, each in front of a normalisation, have biases.
        finest_skip: whether the feature of stride 2 is added behind the last block.
        last_channels: channels of the two convolutions at the image's size.
    """

    in_channels: int = 3
    stem_pool: StemPool = "symmetric"
    output_stride: int = 32
    pyramid_eps: float = 1e-3
    center_channels: int = 0
    block_channels: int = 1
    block_bias: bool = True
    finest_skip: bool = False
    last_channels: int = 32
