"""Networks by name: a table of typed entries, from which networks are created.

Besides the names in ``NETWORKS`` there is one for each decoder on each encoder, ``<decoder>_<encoder>``, as
"deeplabv3_efficientnet_lite0". CONTRIBUTING says how to add one. Importing this module does not import MindSpore.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from ...engine.errors import ParameterError
from ...engine.models.card import OptionValue
from .decoders import DECODERS, create_decoder
from .encoders import ENCODERS, create_encoder
from .options import NetworkOptions

if TYPE_CHECKING:
    from mindspore import nn

    from ..config import Config


@dataclass(frozen=True)
class NetworkEntry:
    """Properties of a network that are known without creating it.

    Attributes:
        title: name for people.
        encoder: the encoder, whose pre-trained weights fit; None for none.
        decoder: the decoder; None for a whole network.
        cell: (whole networks) module and class, which takes ``num_classes``, ``in_channels`` and the options.
        arguments: (whole networks) of the class, besides those.
        parameter_names: how the names of parameters begin in published weights, by how they begin in a
            ``SegmentationModel``.
        multiple: height and width of the input have to be multiples of this.
        choices: values of the options that can be chosen, the default first; each has a graph without weights.
        defaults: further options, which take any value of the default's type.
        min_classes: the fewest classes that the network can have.
        max_classes: the most classes.
    """

    title: str
    encoder: str | None = None
    decoder: str | None = None
    cell: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    parameter_names: Mapping[str, str] = field(default_factory=dict)
    multiple: int = 1
    choices: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    defaults: Mapping[str, OptionValue] = field(default_factory=dict)
    min_classes: int = 1
    max_classes: int = 65535

    @property
    def training_only(self) -> tuple[str, ...]:
        """How the names of parameters begin that only training uses: the auxiliary head's, a second output then."""
        has_head = self.decoder is not None and DECODERS[self.decoder].has_auxiliary_head
        return (f"{rename('auxiliary_head', self.parameter_names)}.",) if has_head else ()

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

_PYRAMID_EPS = {"pyramid_eps": (1e-3, 1e-5)}


def _pair(decoder: str, encoder: str, **changes: Any) -> NetworkEntry:
    """Make the entry of a decoder on an encoder; ``changes`` replace fields of it."""
    above, below = DECODERS[decoder], ENCODERS[encoder]
    defaults = {option: getattr(NetworkOptions, option) for option in above.options}
    entry = NetworkEntry(
        title=f"{above.title} with {below.title}",
        encoder=encoder,
        decoder=decoder,
        multiple=above.multiple,
        choices={**below.choices, **above.choices},
        defaults={**defaults, **(above.light_defaults if below.family.is_light else {})},
    )
    return dataclasses.replace(entry, **changes)


def _dlinknet(encoder: str, decoder: str = "dlinknet", **changes: Any) -> NetworkEntry:
    return _pair(decoder, encoder, parameter_names=_DLINKNET_NAMES, **changes)


def _linknet(title: str, variant: str) -> NetworkEntry:
    return NetworkEntry(
        title,
        encoder="resnet18",
        cell="linknet:LinkNet",
        arguments={"variant": variant},
        parameter_names=_LINKNET_NAMES,
        multiple=32,
        choices=ENCODERS["resnet18"].choices,
    )


def _dgcnet(title: str, encoder: str) -> NetworkEntry:
    strides = {"output_stride": (8,)}
    return _pair("dual_graph", encoder, title=title, parameter_names=_DGCNET_NAMES, choices=strides)


def _deeplab(decoder: str, encoder: str, head: str) -> NetworkEntry:
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
    "linknet": _linknet("LinkNet with ResNet18", "port"),
    "linknet_residual": _linknet("LinkNet with residual decoders", "residual"),
    "linknet_nobypass": _linknet("LinkNet without skips", "nobypass"),
    "lednet": NetworkEntry("LEDNet", cell="lednet:LEDNet", min_classes=2, choices=_PYRAMID_EPS),
    "lednet_binary": NetworkEntry(
        "LEDNet for one class", cell="lednet:LEDNetBinary", max_classes=1, choices=_PYRAMID_EPS
    ),
    "lednet_encoder": NetworkEntry("LEDNet's encoder, for its first phase", cell="lednet:LEDNetEncoder"),
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
    known: Mapping[str, object]
    for kind, name, known in (("decoder", decoder, DECODERS), ("encoder", encoder, ENCODERS)):
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
    for decoder, encoder in itertools.product(DECODERS, ENCODERS):
        if name == f"{decoder}_{encoder}":
            return NETWORKS.get(network_name(decoder, encoder)) or _pair(decoder, encoder)
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
        elif not isinstance(value, int) or isinstance(value, bool) or value < min(1, getattr(NetworkOptions, option)):
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
        auxiliary head return (logits, auxiliary logits) while they are training. A cell that the network is hung into
        has to have ``auto_prefix=False``, or it names the parameters anew.

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
    if entry.decoder is None or entry.encoder is None:
        own = {"in_channels": checked.in_channels, **entry.arguments, **entry.graph_options(checked)}
        return resolve_name(f"{__package__}.{entry.cell}")(num_classes=num_classes, **own)
    from .model import SegmentationModel

    encoder = create_encoder(entry.encoder, checked)
    network = SegmentationModel(encoder, create_decoder(entry.decoder, encoder, checked), num_classes)
    for parameter in network.get_parameters():
        parameter.name = rename(parameter.name, entry.parameter_names)
    return network


def create_configured_network(config: Config) -> nn.Cell:
    """Create the network of a training configuration, which drops paths and channels in training.

    Neither weights nor exported graphs depend on these probabilities, so they are no options of the network.

    Raises:
        ParameterError: as of ``create_network``, or the network has nothing that could be dropped so.
    """
    chosen = config.network
    network = create_network(chosen.name, num_classes=chosen.num_classes, **chosen.options)
    if max(chosen.drop_path, chosen.decoder_dropout) > 0 and network_entry(chosen.name).decoder is None:
        hint = "Pairs are named <decoder>_<encoder>, as linknet_resnet18; linknet alone is LinkNet as published."
        raise ParameterError(f"network.drop_path and network.decoder_dropout are for pairs, not {chosen.name}.", hint)
    if chosen.drop_path > 0:
        network.encoder.set_drop_path(chosen.drop_path)
    if chosen.decoder_dropout > 0:
        network.decoder.set_dropout(chosen.decoder_dropout)
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
