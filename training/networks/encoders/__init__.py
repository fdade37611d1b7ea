"""Encoders by name; ``base.Encoder`` is the contract that every decoder builds on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from ....engine.errors import ParameterError
from ..layers import StemPool
from .base import Encoder
from .resnet import ResNetEncoder

__all__ = ["ENCODERS", "Encoder", "EncoderName", "ResNetEncoder", "create_encoder"]

EncoderName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet50_deep", "resnet101_deep"]

#: every encoder; all take the keywords ``in_channels``, ``stem_pool`` and ``output_stride``
ENCODERS: dict[EncoderName, Callable[..., Encoder]] = {
    "resnet18": partial(ResNetEncoder, 18),
    "resnet34": partial(ResNetEncoder, 34),
    "resnet50": partial(ResNetEncoder, 50),
    "resnet101": partial(ResNetEncoder, 101),
    "resnet50_deep": partial(ResNetEncoder, 50, stem="deep"),
    "resnet101_deep": partial(ResNetEncoder, 101, stem="deep"),
}


def create_encoder(
    name: EncoderName, *, in_channels: int = 3, stem_pool: StemPool = "symmetric", output_stride: int = 32
) -> Encoder:
    """Create an encoder with fresh weights.

    Args:
        name: a key of ``ENCODERS``.
        in_channels: bands of the image.
        stem_pool: how the pooling behind a ResNet's stem pads, see ``layers.stem_max_pool``.
        output_stride: 8, 16 or 32; the weights fit all three.

    Raises:
        ParameterError: an unknown name or output stride.
    """
    if name not in ENCODERS:
        raise ParameterError(f"There is no encoder named {name!r}.", f"Known ones: {', '.join(ENCODERS)}.")
    return ENCODERS[name](in_channels=in_channels, stem_pool=stem_pool, output_stride=output_stride)
