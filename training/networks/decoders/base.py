"""The contract of decoders."""

from __future__ import annotations

from typing import ClassVar

from mindspore import Tensor, nn

from ....engine.errors import ParameterError
from ..encoders.base import Encoder
from ..layers import conv
from ..options import NetworkOptions


class Decoder(nn.Cell):
    """Base of all decoders: an encoder's five features to one feature that a head classifies.

    Args:
        encoder: whose channels the decoder reads; it does not keep the encoder.
        options: of the network; the decoder reads its own of them.

    Attributes:
        out_channels: channels of the result.
        is_full_size: whether the result, after the head, has the image's size; otherwise the model resizes the logits.
    """

    out_channels: int
    is_full_size: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, options: NetworkOptions) -> None:
        super().__init__()

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode features of strides 2, 4, 8, 16 and 32 (see ``Encoder``) to (N, out_channels, h, w)."""
        raise NotImplementedError

    def create_head(self, num_classes: int) -> nn.Cell:
        """Create the head, (N, out_channels, h, w) to logits (N, num_classes, h, w): a 1x1 convolution."""
        return conv(self.out_channels, num_classes, 1, bias=True)

    def create_auxiliary_head(self, num_classes: int) -> nn.Cell | None:
        """Create the head that training puts on the encoder's fourth feature, if any (``has_auxiliary_head``)."""
        return None

    def set_dropout(self, probability: float) -> None:
        """Drop channels in front of the head in training; ParameterError where the decoder cannot."""
        raise ParameterError("network.decoder_dropout is for decoders that drop channels, as dlinknet and linknet.")
