"""Encoder, decoder and head as one network: any encoder of ``encoders`` can carry any decoder of ``decoders``."""

from __future__ import annotations

from mindspore import Tensor, nn

from .decoders.base import Decoder
from .encoders.base import Encoder
from .layers import resize


class SegmentationModel(nn.Cell):
    """An encoder, a decoder and the decoder's head.

    Args:
        encoder: makes five features of an image.
        decoder: joins them; was created for this encoder.
        num_classes: channels of the output.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.head = decoder.create_head(num_classes)
        self.auxiliary_head = decoder.create_auxiliary_head(num_classes)
        self.is_full_size = decoder.is_full_size

    def construct(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the logits of an image.

        Args:
            image: (N, bands, H, W), normalised; decoders of full size want multiples of 32.

        Returns:
            (N, num_classes, H, W); while training, also the auxiliary head's where there is one.
        """
        features = self.encoder(image)
        logits = self.head(self.decoder(features))
        if not self.is_full_size:
            logits = resize(logits, image.shape[2:])
        if self.training and self.auxiliary_head is not None:
            return logits, resize(self.auxiliary_head(features[3]), image.shape[2:])
        return logits
