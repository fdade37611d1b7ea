"""Encoder, decoder and head as one network.

Any encoder of ``encoders`` can carry any decoder of ``decoders``. The registry's networks are such pairs whose
parameters have the names that their publications use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from mindspore import Tensor, nn

from ...engine.errors import ParameterError
from .decoders import DECODERS, Decoder
from .decoders.linknet import LinkNetDecoder
from .encoders import Encoder, create_encoder
from .encoders.efficientnet_lite import EfficientNetLiteEncoder
from .layers import resize
from .lednet import LEDNet, LEDNetBinary, LEDNetEncoder
from .linknet import LinkNet
from .registry import DecoderName, EncoderName, NetworkOptions, rename

#: the registry's networks that are no pair of encoder and decoder; all take ``num_classes`` and ``in_channels``, and
#: the options of their entries
WHOLE_NETWORKS: dict[str, Callable[..., nn.Cell]] = {
    "linknet": LinkNet,
    "linknet_residual": partial(LinkNet, variant="residual"),
    "linknet_nobypass": partial(LinkNet, variant="nobypass"),
    "lednet": LEDNet,
    "lednet_binary": LEDNetBinary,
    "lednet_encoder": LEDNetEncoder,
}


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


def create_segmentation_model(
    decoder: DecoderName, encoder: EncoderName, options: NetworkOptions, *, num_classes: int
) -> SegmentationModel:
    """Create any decoder on any encoder, with fresh weights.

    Args:
        decoder: a key of ``decoders.DECODERS``.
        encoder: a key of ``encoders.ENCODERS``.
        options: checked by ``registry.read_options``.
        num_classes: channels of the output, 1 or more.
    """
    cell = create_encoder(encoder, options)
    return SegmentationModel(cell, DECODERS[decoder](cell, options), num_classes)


def set_dropout(network: nn.Cell, *, drop_path: float, decoder_dropout: float) -> None:
    """Set the probabilities of dropout that some networks have in training, in place.

    Neither weights nor exported graphs depend on them, so they are no options of the network.

    Args:
        network: as of ``registry.create_network``.
        drop_path: of a residual block of an EfficientNet-Lite encoder, see ``set_drop_path`` there.
        decoder_dropout: of a channel in front of the head of the decoders "dlinknet" and "linknet".

    Raises:
        ParameterError: a probability is not 0, but the network has nothing that could be dropped so.
    """
    is_pair = isinstance(network, SegmentationModel)
    if drop_path > 0:
        if not is_pair or not isinstance(network.encoder, EfficientNetLiteEncoder):
            raise ParameterError("network.drop_path is for networks with an EfficientNet-Lite encoder.")
        network.encoder.set_drop_path(drop_path)
    if decoder_dropout > 0:
        if not is_pair or not isinstance(network.decoder, LinkNetDecoder):
            hint = "LinkNet as published is a whole network; linknet_resnet18 and linknet34 have the decoder linknet."
            raise ParameterError(
                "network.decoder_dropout is for networks with the decoder dlinknet or linknet.",
                hint if isinstance(network, LinkNet) else None,
            )
        network.decoder.dropout.probability = decoder_dropout


def rename_parameters(network: nn.Cell, names: Mapping[str, str]) -> None:
    """Give the parameters of ``network`` the names of a publication, in place.

    Args:
        network: not hung into another cell; a wrapper has to have ``auto_prefix=False``, or it names them anew.
        names: published beginning by beginning of the name here, see ``registry.rename``.
    """
    for parameter in network.get_parameters():
        parameter.name = rename(parameter.name, names)
