"""Encoders by name; ``base.Encoder`` is the contract that every decoder builds on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..registry import EncoderName, NetworkOptions
from .base import Encoder
from .efficientnet_lite import EfficientNetLiteEncoder
from .resnet import ResNetEncoder

#: every encoder; all take the keywords ``in_channels`` and ``output_stride``, ResNets also ``stem_pool``
ENCODERS: dict[EncoderName, Callable[..., Encoder]] = {
    "resnet18": partial(ResNetEncoder, 18),
    "resnet34": partial(ResNetEncoder, 34),
    "resnet50": partial(ResNetEncoder, 50),
    "resnet101": partial(ResNetEncoder, 101),
    "resnet50_deep": partial(ResNetEncoder, 50, stem="deep"),
    "resnet101_deep": partial(ResNetEncoder, 101, stem="deep"),
    "efficientnet_lite0": partial(EfficientNetLiteEncoder, 0),
    "efficientnet_lite1": partial(EfficientNetLiteEncoder, 1),
    "efficientnet_lite2": partial(EfficientNetLiteEncoder, 2),
}


def create_encoder(name: EncoderName, options: NetworkOptions) -> Encoder:
    """Create an encoder with fresh weights; it takes its own of the ``options``."""
    own = {"stem_pool": options.stem_pool} if name.startswith("resnet") else {}
    return ENCODERS[name](in_channels=options.in_channels, output_stride=options.output_stride, **own)
