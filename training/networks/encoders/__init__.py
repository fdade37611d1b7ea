"""Encoders by name. The table needs no MindSpore; ``base.Encoder`` is the contract that every decoder builds on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from ....engine.models.card import OptionValue
from ..options import NetworkOptions

if TYPE_CHECKING:
    from .base import Encoder


@dataclass(frozen=True)
class EncoderFamily:
    """Properties that the encoders of one class share.

    Attributes:
        cell: module and class, which takes ``in_channels``, ``output_stride`` and what ``EncoderSpec`` adds.
        modules: the class's attributes with weights, named as in published files of weights.
        classifier: how names begin that only the classifier of such files has.
        is_light: whether decoders take their ``light_defaults``, because the last feature has few channels.
    """

    cell: str
    modules: tuple[str, ...]
    classifier: tuple[str, ...] = ()
    is_light: bool = False


@dataclass(frozen=True)
class EncoderSpec:
    """Properties of an encoder that are known without creating it.

    Attributes:
        title: name for people.
        family: what it shares with others.
        arguments: of the class, besides the options.
        choices: its options besides ``in_channels`` and ``output_stride``, with their values, the default first.
    """

    title: str
    family: EncoderFamily
    arguments: Mapping[str, object]
    choices: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)


_RESNET = EncoderFamily(
    "resnet:ResNetEncoder", ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"), ("fc.", "classifier.")
)
_EFFICIENTNET_LITE = EncoderFamily(
    "efficientnet_lite:EfficientNetLiteEncoder",
    ("conv_stem", "bn0", "blocks"),
    ("conv_head.", "bn1.", "fc."),
    is_light=True,
)
_STEM_POOLS = {"stem_pool": ("symmetric", "same")}

#: every encoder
ENCODERS: dict[str, EncoderSpec] = {
    "resnet18": EncoderSpec("ResNet18", _RESNET, {"depth": 18}, _STEM_POOLS),
    "resnet34": EncoderSpec("ResNet34", _RESNET, {"depth": 34}, _STEM_POOLS),
    "resnet50": EncoderSpec("ResNet50", _RESNET, {"depth": 50}, _STEM_POOLS),
    "resnet101": EncoderSpec("ResNet101", _RESNET, {"depth": 101}, _STEM_POOLS),
    "resnet50_deep": EncoderSpec("ResNet50 of deep stem", _RESNET, {"depth": 50, "stem": "deep"}),
    "resnet101_deep": EncoderSpec("ResNet101 of deep stem", _RESNET, {"depth": 101, "stem": "deep"}),
    "efficientnet_lite0": EncoderSpec("EfficientNet-Lite0", _EFFICIENTNET_LITE, {"number": 0}),
    "efficientnet_lite1": EncoderSpec("EfficientNet-Lite1", _EFFICIENTNET_LITE, {"number": 1}),
    "efficientnet_lite2": EncoderSpec("EfficientNet-Lite2", _EFFICIENTNET_LITE, {"number": 2}),
}


def create_encoder(name: str, options: NetworkOptions) -> Encoder:
    """Create the encoder ``name`` of the table with fresh weights; it takes its own of the ``options``."""
    spec = ENCODERS[name]
    own = {option: getattr(options, option) for option in ("in_channels", "output_stride", *spec.choices)}
    encoder: Encoder = resolve_name(f"{__name__}.{spec.family.cell}")(**spec.arguments, **own)
    return encoder
