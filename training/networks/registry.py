"""Networks by name: a table of typed entries, from which networks are created.

To add a network, write its decoder (``decoders/linknet.py`` is the shortest), its encoder, or a cell of its own
(``lednet.py``, with a line in ``model.WHOLE_NETWORKS``), and add an entry to ``NETWORKS``. Importing this module
does not import MindSpore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ...engine.errors import ParameterError

if TYPE_CHECKING:
    from mindspore import nn

    from ..config import Config
    from .decoders import DecoderName
    from .encoders import EncoderName
    from .layers import StemPool


@dataclass(frozen=True)
class NetworkOptions:
    """Options of a network besides its number of classes; None is the network's own default.

    Attributes:
        in_channels: bands of the image, 1 or more.
        stem_pool: how the pooling behind a ResNet's stem pads: "symmetric" as torchvision, "same" as MindCV.
        output_stride: 8 or 16 for the dilated encoders of DeepLabV3; the weights fit both.
    """

    in_channels: int = 3
    stem_pool: StemPool | None = None
    output_stride: int | None = None

    @classmethod
    def from_mapping(cls, name: str, options: Mapping[str, object]) -> NetworkOptions:
        """Check the options of the network ``name``, and collect them.

        Raises:
            ParameterError: there is no such network, or it has no such option or value.
        """
        entry = network_entry(name)
        choices: dict[str, tuple[object, ...]] = {"stem_pool": entry.stem_pools, "output_stride": entry.output_strides}
        given = {option: value for option, value in options.items() if value is not None}
        in_channels = given.pop("in_channels", 3)
        if not isinstance(in_channels, int) or in_channels < 1:
            raise ParameterError(f"The option in_channels is a number of bands of 1 or more, not {in_channels!r}.")
        for option, value in given.items():
            allowed = choices.get(option, ())
            if not allowed:
                raise ParameterError(f"The network {name} has no option {option!r}.")
            if value not in allowed:
                raise ParameterError(f"The option {option} is {' or '.join(map(repr, allowed))}, not {value!r}.")
        stem_pool = cast("StemPool | None", given.get("stem_pool"))
        return cls(in_channels, stem_pool, cast("int | None", given.get("output_stride")))


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
        stem_pools: the poolings behind the stem that can be chosen, the default first.
        output_strides: the output strides that can be chosen, the default first.
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
    stem_pools: tuple[StemPool, ...] = ()
    output_strides: tuple[int, ...] = ()
    training_only: tuple[str, ...] = ()
    min_classes: int = 1
    max_classes: int = 65535

    def changed_options(self, options: NetworkOptions) -> dict[str, str | int]:
        """List the options that change the graph, because they are not the network's defaults."""
        chosen = (
            ("stem_pool", options.stem_pool, self.stem_pools),
            ("output_stride", options.output_stride, self.output_strides),
        )
        return {name: value for name, value, known in chosen if value is not None and value != known[0]}


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


def _dlinknet(title: str, encoder: EncoderName, decoder: DecoderName = "dlinknet") -> NetworkEntry:
    return NetworkEntry(title, encoder, decoder, _DLINKNET_NAMES, multiple=32, stem_pools=("symmetric", "same"))


def _linknet(title: str) -> NetworkEntry:
    return NetworkEntry(title, "resnet18", None, _LINKNET_NAMES, multiple=32, stem_pools=("symmetric", "same"))


def _dgcnet(title: str, encoder: EncoderName) -> NetworkEntry:
    return NetworkEntry(title, encoder, "dual_graph", _DGCNET_NAMES, training_only=("dsn.",))


def _deeplab(title: str, encoder: EncoderName, decoder: DecoderName, head: str) -> NetworkEntry:
    names = {"encoder": "backbone.net", "decoder": "", "head": head}
    return NetworkEntry(title, encoder, decoder, names, stem_pools=("same", "symmetric"), output_strides=(16, 8))


#: every network, by the name that configurations and model cards use
NETWORKS: dict[str, NetworkEntry] = {
    "dlinknet34": _dlinknet("D-LinkNet with ResNet34", "resnet34"),
    "dlinknet50": _dlinknet("D-LinkNet with ResNet50", "resnet50"),
    "dlinknet101": _dlinknet("D-LinkNet with ResNet101", "resnet101"),
    "linknet34": _dlinknet("LinkNet34, the baseline of D-LinkNet", "resnet34", "linknet"),
    "linknet": _linknet("LinkNet with ResNet18"),
    "linknet_residual": _linknet("LinkNet with residual decoders"),
    "linknet_nobypass": _linknet("LinkNet without skips"),
    "lednet": NetworkEntry("LEDNet", min_classes=2),
    "lednet_binary": NetworkEntry("LEDNet for one class", max_classes=1),
    "lednet_encoder": NetworkEntry("LEDNet's encoder, for its first phase"),
    "dgcnet50": _dgcnet("DGCNet with ResNet50", "resnet50_deep"),
    "dgcnet101": _dgcnet("DGCNet with ResNet101", "resnet101_deep"),
    "deeplabv3_resnet50": _deeplab("DeepLabV3 with ResNet50", "resnet50", "deeplabv3", "conv"),
    "deeplabv3_resnet101": _deeplab("DeepLabV3 with ResNet101", "resnet101", "deeplabv3", "conv"),
    "deeplabv3plus_resnet50": _deeplab("DeepLabV3+ with ResNet50", "resnet50", "deeplabv3plus", "last_conv.6"),
    "deeplabv3plus_resnet101": _deeplab("DeepLabV3+ with ResNet101", "resnet101", "deeplabv3plus", "last_conv.6"),
}


def network_entry(name: str) -> NetworkEntry:
    """Look up the entry of the network ``name``.

    Raises:
        ParameterError: there is no such network.
    """
    if name not in NETWORKS:
        raise ParameterError(f"There is no network named {name!r}.", f"Known ones: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def create_network(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    stem_pool: StemPool | None = None,
    output_stride: int | None = None,
) -> nn.Cell:
    """Create a network with fresh weights.

    Args:
        name: a key of ``NETWORKS``.
        num_classes: channels of the output, 1 or more; "lednet" wants 2 or more, "lednet_binary" is for 1.
        in_channels: bands of the image, 1 or more.
        stem_pool: see ``NetworkOptions``.
        output_stride: see ``NetworkOptions``.

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
    given = {"in_channels": in_channels, "stem_pool": stem_pool, "output_stride": output_stride}
    options = NetworkOptions.from_mapping(name, given)
    from .model import WHOLE_NETWORKS, create_segmentation_model, rename_parameters

    if entry.encoder is None:
        return WHOLE_NETWORKS[name](num_classes=num_classes, in_channels=in_channels)
    pool = options.stem_pool or (entry.stem_pools or ("symmetric",))[0]
    if entry.decoder is None:
        return WHOLE_NETWORKS[name](num_classes=num_classes, in_channels=in_channels, stem_pool=pool)
    network = create_segmentation_model(
        entry.decoder,
        entry.encoder,
        num_classes=num_classes,
        in_channels=in_channels,
        stem_pool=pool,
        output_stride=options.output_stride,
    )
    rename_parameters(network, entry.parameter_names)
    return network


def create_configured_network(config: Config) -> nn.Cell:
    """Create the network of a training configuration; errors as of ``create_network``."""
    options = NetworkOptions.from_mapping(config.network.name, config.network.options)
    return create_network(
        config.network.name,
        num_classes=config.network.num_classes,
        in_channels=options.in_channels,
        stem_pool=options.stem_pool,
        output_stride=options.output_stride,
    )


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
