"""Decoders by name. The table needs no MindSpore; each can be built on any encoder that keeps its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from ....engine.models.card import OptionValue
from ..options import NetworkOptions

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from .base import Decoder


@dataclass(frozen=True)
class DecoderSpec:
    """Properties of a decoder that are known without creating it.

    Attributes:
        title: name for people.
        cell: module and class, as "linknet:LinkNetDecoder".
        multiple: height and width of images have to be multiples of this; 32 suits all decoders.
        has_auxiliary_head: whether the class has its own ``create_auxiliary_head``.
        choices: options with their values, the default first. One is ``output_stride`` of the encoder, 32 unless given.
        options: further ones, which are true or false or any number, with the defaults of ``NetworkOptions``.
        light_defaults: other defaults of these on encoders of few channels.
    """

    title: str
    cell: str
    multiple: int = 32
    has_auxiliary_head: bool = False
    choices: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    light_defaults: Mapping[str, OptionValue] = field(default_factory=dict)


_ATROUS_STRIDES = {"output_stride": (16, 8, 32)}
_LINKNET_OPTIONS = ("center_channels", "block_channels", "block_bias", "finest_skip", "last_channels")
#: as light as the encoder, and with its finest feature
_LIGHT = {"center_channels": 256, "block_channels": 16, "block_bias": False, "finest_skip": True, "last_channels": 16}

#: every decoder
DECODERS: dict[str, DecoderSpec] = {
    "dlinknet": DecoderSpec("D-LinkNet", "dlinknet:DLinkNetDecoder", options=_LINKNET_OPTIONS, light_defaults=_LIGHT),
    "linknet": DecoderSpec("LinkNet", "linknet:LinkNetDecoder", options=_LINKNET_OPTIONS, light_defaults=_LIGHT),
    "deeplabv3": DecoderSpec("DeepLabV3", "aspp:DeepLabV3Decoder", multiple=1, choices=_ATROUS_STRIDES),
    "deeplabv3plus": DecoderSpec("DeepLabV3+", "aspp:DeepLabV3PlusDecoder", multiple=1, choices=_ATROUS_STRIDES),
    "dual_graph": DecoderSpec(
        "DGCNet",
        "dual_graph:DualGraphDecoder",
        multiple=1,
        has_auxiliary_head=True,
        choices={"output_stride": (8, 16, 32)},
    ),
}


def create_decoder(name: str, encoder: Encoder, options: NetworkOptions) -> Decoder:
    """Create the decoder ``name`` of the table for an encoder, with fresh weights."""
    decoder: Decoder = resolve_name(f"{__name__}.{DECODERS[name].cell}")(encoder, options)
    return decoder
