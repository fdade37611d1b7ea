"""Decoders by name; each can be built on any encoder that keeps the contract of ``encoders.base``."""

from __future__ import annotations

from ..registry import DecoderName
from .aspp import DeepLabV3Decoder, DeepLabV3PlusDecoder
from .base import Decoder
from .dlinknet import DLinkNetDecoder
from .dual_graph import DualGraphDecoder
from .linknet import LinkNetDecoder

#: every decoder
DECODERS: dict[DecoderName, type[Decoder]] = {
    "dlinknet": DLinkNetDecoder,
    "linknet": LinkNetDecoder,
    "deeplabv3": DeepLabV3Decoder,
    "deeplabv3plus": DeepLabV3PlusDecoder,
    "dual_graph": DualGraphDecoder,
}
