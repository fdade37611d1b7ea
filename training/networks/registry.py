"""Networks by name: a table of typed entries, from which networks are created.

Besides the names in ``NETWORKS`` there is one for each decoder on each encoder, ``<decoder>_<encoder>``, as
"deeplabv3_efficientnet_lite0". To add a network, write its decoder (``decoders/linknet.py`` is the shortest), its
encoder, or a cell of its own (``lednet.py``, with a line in ``model.WHOLE_NETWORKS``), and add an entry to
``NETWORKS``. Importing this module does not import MindSpore.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...engine.errors import ParameterError
from ...engine.models.card import OptionValue

if TYPE_CHECKING:
    from mindspore import nn

    from ..config import Config
    from .layers import StemPool

EncoderName = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet50_deep",
    "resnet101_deep",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
]
DecoderName = Literal["dlinknet", "linknet", "deeplabv3", "deeplabv3plus", "dual_graph"]


@dataclass(frozen=True)
class NetworkOptions:
    """Options of a network besides its number of classes, see ``read_options``.

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


@dataclass(frozen=True)
class NetworkEntry:
    """Properties of a network that are known without creating it.

    Attributes:
        title: name for people.
        encoder: the encoder, whose pre-trained weights fit; None for none.
        decoder: the decoder; None for a network of ``model.WHOLE_NETWORKS``.
        parameter_names: how the names of parameters begin in published weights, by how they begin in a
            ``SegmentationModel``.
        multiple: height and width of the input have to be multiples of this.
        choices: values of the options that can be chosen, the default first; each has a graph without weights.
        defaults: further options, which take any value of the default's type.
        training_only: prefixes of parameters that are used in training only: the auxiliary head, whose logits are
            then a second output.
        min_classes: the fewest classes that the network can have.
        max_classes: the most classes.
    """

    title: str
    encoder: EncoderName | None = None
    decoder: DecoderName | None = None
    parameter_names: Mapping[str, str] = field(default_factory=dict)
    multiple: int = 1
    choices: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    defaults: Mapping[str, OptionValue] = field(default_factory=dict)
    training_only: tuple[str, ...] = ()
    min_classes: int = 1
    max_classes: int = 65535

    @property
    def default_options(self) -> dict[str, OptionValue]:
        """The default of every option that changes the graph."""
        return {**{option: values[0] for option, values in self.choices.items()}, **self.defaults}

    def graph_options(self, options: NetworkOptions) -> dict[str, OptionValue]:
        """Collect the values in ``options`` that the network's graph depends on."""
        return {option: getattr(options, option) for option in self.default_options}

    def changed_options(self, options: NetworkOptions) -> dict[str, OptionValue]:
        """List the options that change the graph, because they are not the network's defaults."""
        defaults = self.default_options
        return {option: value for option, value in self.graph_options(options).items() if value != defaults[option]}


_STAGES = {f"encoder.layer{number}": f"encoder{number}" for number in range(1, 5)}
_DLINKNET_NAMES = {
    "encoder.conv1": "firstconv",
    "encoder.bn1": "firstbn",
    **_STAGES,
    "decoder.center": "dblock",
    "decoder": "",
    "head": "finalconv3",
}
_LINKNET_NAMES = {"encoder.conv1": "in_block.0", "encoder.bn1": "in_block.1", **_STAGES}
_DGCNET_NAMES = {"encoder": "", "decoder": "head", "head": "head.bottleneck.3", "auxiliary_head": "dsn"}

_LINKNET_OPTIONS = ("center_channels", "block_channels", "block_bias", "finest_skip", "last_channels")
_STEM_POOLS: dict[str, tuple[OptionValue, ...]] = {"stem_pool": ("symmetric", "same")}
_PYRAMID_EPS: dict[str, tuple[OptionValue, ...]] = {"pyramid_eps": (1e-3, 1e-5)}
#: for an encoder of few channels: a decoder that is as light, and takes the finest feature as well
_LIGHT_LINKNET = NetworkOptions(
    center_channels=256, block_channels=16, block_bias=False, finest_skip=True, last_channels=16
)
#: the output strides of the encoder under each decoder, the usual one first; others take 32 only
_OUTPUT_STRIDES: dict[DecoderName, tuple[OptionValue, ...]] = {
    "deeplabv3": (16, 8, 32),
    "deeplabv3plus": (16, 8, 32),
    "dual_graph": (8, 16, 32),
}
_TITLES: dict[DecoderName, str] = {
    "dlinknet": "D-LinkNet",
    "linknet": "LinkNet",
    "deeplabv3": "DeepLabV3",
    "deeplabv3plus": "DeepLabV3+",
    "dual_graph": "DGCNet",
}


def _pair(decoder: DecoderName, encoder: EncoderName, **changes: Any) -> NetworkEntry:
    """Make the entry of a decoder on an encoder; ``changes`` replace fields of it."""
    choices: dict[str, tuple[OptionValue, ...]] = {}
    if encoder.startswith("resnet") and not encoder.endswith("_deep"):
        choices |= _STEM_POOLS
    defaults: dict[str, OptionValue] = {}
    if decoder in _OUTPUT_STRIDES:
        choices["output_stride"] = _OUTPUT_STRIDES[decoder]
    else:
        preset = _LIGHT_LINKNET if encoder.startswith("efficientnet_lite") else NetworkOptions()
        defaults = {option: getattr(preset, option) for option in _LINKNET_OPTIONS}
    label = encoder.replace("resnet", "ResNet").replace("efficientnet_lite", "EfficientNet-Lite")
    entry = NetworkEntry(
        title=f"{_TITLES[decoder]} with {label.replace('_deep', ' of deep stem')}",
        encoder=encoder,
        decoder=decoder,
        multiple=1 if decoder in _OUTPUT_STRIDES else 32,
        choices=choices,
        defaults=defaults,
        training_only=("auxiliary_head.",) if decoder == "dual_graph" else (),
    )
    return dataclasses.replace(entry, **changes)


def _dlinknet(encoder: EncoderName, decoder: DecoderName = "dlinknet", **changes: Any) -> NetworkEntry:
    return _pair(decoder, encoder, parameter_names=_DLINKNET_NAMES, **changes)


def _linknet(title: str) -> NetworkEntry:
    return NetworkEntry(title, "resnet18", None, _LINKNET_NAMES, multiple=32, choices=_STEM_POOLS)


def _dgcnet(title: str, encoder: EncoderName) -> NetworkEntry:
    names, strides = _DGCNET_NAMES, {"output_stride": (8,)}
    return _pair("dual_graph", encoder, title=title, parameter_names=names, choices=strides, training_only=("dsn.",))


def _deeplab(decoder: DecoderName, encoder: EncoderName, head: str) -> NetworkEntry:
    names = {"encoder": "backbone.net", "decoder": "", "head": head}
    choices = {"stem_pool": ("same", "symmetric"), "output_stride": (16, 8)}
    return _pair(decoder, encoder, parameter_names=names, choices=choices)


#: every network with graphs without weights, by the name that configurations and model cards use
NETWORKS: dict[str, NetworkEntry] = {
    "dlinknet34": _dlinknet("resnet34"),
    "dlinknet50": _dlinknet("resnet50"),
    "dlinknet101": _dlinknet("resnet101"),
    "dlinknet_efficientnet_lite0": _pair("dlinknet", "efficientnet_lite0"),
    "dlinknet_efficientnet_lite1": _pair("dlinknet", "efficientnet_lite1"),
    "dlinknet_efficientnet_lite2": _pair("dlinknet", "efficientnet_lite2"),
    "linknet34": _dlinknet("resnet34", "linknet", title="LinkNet34, the baseline of D-LinkNet"),
    "linknet": _linknet("LinkNet with ResNet18"),
    "linknet_residual": _linknet("LinkNet with residual decoders"),
    "linknet_nobypass": _linknet("LinkNet without skips"),
    "lednet": NetworkEntry("LEDNet", min_classes=2, choices=_PYRAMID_EPS),
    "lednet_binary": NetworkEntry("LEDNet for one class", max_classes=1, choices=_PYRAMID_EPS),
    "lednet_encoder": NetworkEntry("LEDNet's encoder, for its first phase"),
    "dgcnet50": _dgcnet("DGCNet with ResNet50", "resnet50_deep"),
    "dgcnet101": _dgcnet("DGCNet with ResNet101", "resnet101_deep"),
    "deeplabv3_resnet50": _deeplab("deeplabv3", "resnet50", "conv"),
    "deeplabv3_resnet101": _deeplab("deeplabv3", "resnet101", "conv"),
    "deeplabv3plus_resnet50": _deeplab("deeplabv3plus", "resnet50", "last_conv.6"),
    "deeplabv3plus_resnet101": _deeplab("deeplabv3plus", "resnet101", "last_conv.6"),
}


def network_name(decoder: str, encoder: str) -> str:
    """Return the name of a decoder on an encoder: its own, or ``<decoder>_<encoder>``.

    Raises:
        ParameterError: there is no such decoder or encoder.
    """
    for kind, name, known in (("decoder", decoder, get_args(DecoderName)), ("encoder", encoder, get_args(EncoderName))):
        if name not in known:
            raise ParameterError(f"There is no {kind} named {name!r}.", f"Known ones: {', '.join(known)}.")
    for name, entry in NETWORKS.items():
        if (entry.decoder, entry.encoder) == (decoder, encoder):
            return name
    return f"{decoder}_{encoder}"


def network_entry(name: str) -> NetworkEntry:
    """Look up the entry of the network ``name``: one of ``NETWORKS``, or ``<decoder>_<encoder>``.

    Raises:
        ParameterError: there is no such network.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    for decoder in get_args(DecoderName):
        encoder = name.removeprefix(f"{decoder}_")
        if encoder in get_args(EncoderName):
            return NETWORKS.get(network_name(decoder, encoder)) or _pair(decoder, encoder)  # type: ignore[arg-type]
    similar = difflib.get_close_matches(name, NETWORKS, n=1)
    hint = f"Did you mean {similar[0]}? " if similar else ""
    known = f"{', '.join(NETWORKS)}; or any <decoder>_<encoder>, as linknet_efficientnet_lite0"
    raise ParameterError(f"There is no network named {name!r}.", f"{hint}Known ones: {known}.")


def read_options(name: str, options: Mapping[str, object]) -> NetworkOptions:
    """Check the options of the network ``name``, and fill in its defaults; None counts as not given.

    Raises:
        ParameterError: there is no such network, or it has no such option or value.
    """
    entry = network_entry(name)
    free = {"in_channels": 3, **entry.defaults}
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option in entry.choices:
            if value not in entry.choices[option]:
                choices = " or ".join(map(repr, entry.choices[option]))
                raise ParameterError(f"The option {option} is {choices}, not {value!r}.")
        elif option not in free:
            hint = f"It has: {', '.join(['in_channels', *entry.default_options])}."
            raise ParameterError(f"The network {name} has no option {option!r}.", hint)
        elif isinstance(free[option], bool):
            if not isinstance(value, bool):
                raise ParameterError(f"The option {option} is true or false, not {value!r}.")
        elif not isinstance(value, int) or isinstance(value, bool) or value < (option != "center_channels"):
            raise ParameterError(f"The option {option} is a number of bands or channels, not {value!r}.")
    return NetworkOptions(**{**entry.default_options, **given})  # type: ignore[arg-type]


def create_network(name: str, *, num_classes: int, **options: object) -> nn.Cell:
    """Create a network with fresh weights.

    Args:
        name: as of ``network_entry``.
        num_classes: channels of the output, 1 or more; "lednet" wants 2 or more, "lednet_binary" is for 1.
        options: see ``NetworkOptions``; the network's own default unless given.

    Returns:
        The cell: images (N, in_channels, H, W), normalised, to logits (N, num_classes, H, W). Networks with an
        auxiliary head return (logits, auxiliary logits) while they are training.

    Raises:
        ParameterError: an unknown name, a number out of range, or an option that this network does not have.
    """
    entry = network_entry(name)
    if not entry.min_classes <= num_classes <= entry.max_classes:
        most = entry.max_classes
        bound = f"at most {most}" if num_classes > most else f"at least {entry.min_classes}"
        hint = "lednet_binary is for one class, lednet for more." if name.startswith("lednet") else ""
        raise ParameterError(f"The number of classes of the network {name} is {bound}, not {num_classes}.", hint)
    checked = read_options(name, options)
    from .model import WHOLE_NETWORKS, create_segmentation_model, rename_parameters

    if entry.decoder is None or entry.encoder is None:
        own = entry.graph_options(checked)
        return WHOLE_NETWORKS[name](num_classes=num_classes, in_channels=checked.in_channels, **own)
    network = create_segmentation_model(entry.decoder, entry.encoder, checked, num_classes=num_classes)
    rename_parameters(network, entry.parameter_names)
    return network


def create_configured_network(config: Config) -> nn.Cell:
    """Create the network of a training configuration; errors as of ``create_network`` and ``model.set_dropout``."""
    chosen = config.network
    network = create_network(chosen.name, num_classes=chosen.num_classes, **chosen.options)
    from .model import set_dropout

    set_dropout(network, drop_path=chosen.drop_path, decoder_dropout=chosen.decoder_dropout)
    return network


def rename(name: str, names: Mapping[str, str]) -> str:
    """Replace the longest beginning of a dotted ``name`` that ``names`` holds; "" takes it off.

    Example: with {"decoder": "", "encoder.conv1": "firstconv"}, "encoder.conv1.weight" becomes "firstconv.weight" and
    "decoder.decoder4.conv1.bias" becomes "decoder4.conv1.bias".
    """
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        published = names.get(".".join(parts[:count]))
        if published is not None:
            return ".".join([*([published] if published else []), *parts[count:]])
    return name
