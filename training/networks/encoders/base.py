"""The contract between encoders and decoders."""

from __future__ import annotations

from mindspore import Tensor, nn

from ....engine.errors import ParameterError


class Encoder(nn.Cell):
    """Base of all encoders: an image to five features of falling size and rising depth.

    Any decoder of ``decoders`` can be built on any encoder that keeps this contract.

    Attributes:
        out_channels: channels of the five features, finest first.
        output_stride: how much smaller than the image the last feature is: 32, or 16 and 8 where the last stages
            dilate instead of striding. The strides of the features are 2, 4, 8, 16 and 32, capped at this number.
    """

    out_channels: tuple[int, int, int, int, int]
    output_stride: int

    def construct(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map an image (N, bands, H, W) to its five features (N, out_channels[i], H / stride, W / stride)."""
        raise NotImplementedError

    def set_drop_path(self, probability: float) -> None:
        """Drop the branches of residual blocks in training; ParameterError where the encoder cannot."""
        raise ParameterError("network.drop_path is for encoders that drop blocks, as efficientnet_lite0.")
