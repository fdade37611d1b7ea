"""Networks by name: a table of typed entries, from which networks are created.

To add a network, write its decoder (``decoders/linknet.py`` is the shortest), its encoder, or a cell of its own
(``lednet.py``), and add one entry to ``NETWORKS``. Importing this module does not import MindSpore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ...engine.errors import ParameterError

if TYPE_CHECKING:
    from mindspore import nn

    from ..config import Config
    from .decoders import DecoderName
    from .encoders import EncoderName
    from .layers import StemPool


@dataclass(frozen=True)
class NetworkOptions:
    """What can be chosen of a network beside its number of classes; None is the network's own default.

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
        """Read the options of the network ``name`` from a configuration, and check them.

        Raises:
            ParameterError: there is no such network, or it has no such option or value.
        """
        in_channels = options.get("in_channels", 3)
        if isinstance(in_channels, bool) or not isinstance(in_channels, int):
            raise ParameterError(f"The option in_channels is a number of bands, not {in_channels!r}.")
        entry = network_entry(name)
        choices: dict[str, tuple[object, ...]] = {"stem_pool": entry.stem_pools, "output_stride": entry.output_strides}
        for option, value in options.items():
            if option == "in_channels" or value is None:
                continue
            if not choices.get(option):
                raise ParameterError(f"The network {name} has no option {option!r}.")
            if value not in choices[option]:
                known = " or ".join(map(repr, choices[option]))
                raise ParameterError(f"The option {option} is {known}, not {value!r}.")
        stem_pool: StemPool | None = next((pool for pool in entry.stem_pools if pool == options.get("stem_pool")), None)
        stride = next((number for number in entry.output_strides if number == options.get("output_stride")), None)
        return cls(in_channels, stem_pool, stride)


@dataclass(frozen=True)
class NetworkEntry:
    """What is known of a network without creating it.

    Attributes:
        title: name for people.
        encoder: the encoder whose pre-trained weights fit, and which the network is created from; None for none.
        decoder: the decoder; None for a network that is created as a whole.
        create_whole: creates such a network from its numbers of classes, its options, and the stem's pooling.
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
    create_whole: Callable[[int, NetworkOptions], nn.Cell] | None = None
    parameter_names: Mapping[str, str] = field(default_factory=dict)
    multiple: int = 1
    stem_pools: tuple[StemPool, ...] = ()
    output_strides: tuple[int, ...] = ()
    training_only: tuple[str, ...] = ()
    min_classes: int = 1
    max_classes: int = 65535

    def changed_options(self, options: NetworkOptions) -> dict[str, str | int]:
        """List the options that change the graph, because they are not the network's defaults."""
        changed: dict[str, str | int] = {}
        if options.stem_pool is not None and options.stem_pool != self.stem_pools[0]:
            changed["stem_pool"] = options.stem_pool
        if options.output_stride is not None and options.output_stride != self.output_strides[0]:
            changed["output_stride"] = options.output_stride
        return changed


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
_DEEPLABV3_NAMES = {"encoder": "backbone.net", "decoder": "", "head": "conv"}
_DEEPLABV3PLUS_NAMES = {"encoder": "backbone.net", "decoder": "", "head": "last_conv.6"}


def _dlinknet(title: str, encoder: EncoderName, decoder: DecoderName = "dlinknet") -> NetworkEntry:
    pools: tuple[StemPool, ...] = ("symmetric", "same")
    return NetworkEntry(title, encoder, decoder, parameter_names=_DLINKNET_NAMES, multiple=32, stem_pools=pools)


def _dgcnet(title: str, encoder: EncoderName) -> NetworkEntry:
    return NetworkEntry(title, encoder, "dual_graph", parameter_names=_DGCNET_NAMES, training_only=("dsn.",))


def _deeplab(title: str, encoder: EncoderName, decoder: DecoderName, names: Mapping[str, str]) -> NetworkEntry:
    pools: tuple[StemPool, ...] = ("same", "symmetric")
    return NetworkEntry(title, encoder, decoder, parameter_names=names, stem_pools=pools, output_strides=(16, 8))


def _linknet(title: str, variant: Literal["port", "residual", "nobypass"]) -> NetworkEntry:
    def create(num_classes: int, options: NetworkOptions) -> nn.Cell:
        from .linknet import LinkNet

        pool = options.stem_pool or "symmetric"
        return LinkNet(num_classes=num_classes, in_channels=options.in_channels, stem_pool=pool, variant=variant)

    return NetworkEntry(
        title,
        "resnet18",
        create_whole=create,
        parameter_names=_LINKNET_NAMES,
        multiple=32,
        stem_pools=("symmetric", "same"),
    )


def _create_lednet(num_classes: int, options: NetworkOptions) -> nn.Cell:
    from .lednet import LEDNet

    return LEDNet(num_classes=num_classes, in_channels=options.in_channels)


def _create_lednet_binary(num_classes: int, options: NetworkOptions) -> nn.Cell:
    from .lednet import LEDNetBinary

    return LEDNetBinary(num_classes=num_classes, in_channels=options.in_channels)


def _create_lednet_encoder(num_classes: int, options: NetworkOptions) -> nn.Cell:
    from .lednet import LEDNetEncoder

    return LEDNetEncoder(num_classes=num_classes, in_channels=options.in_channels)


#: every network, by the name that configurations and model cards use
NETWORKS: dict[str, NetworkEntry] = {
    "dlinknet34": _dlinknet("D-LinkNet with ResNet34", "resnet34"),
    "dlinknet50": _dlinknet("D-LinkNet with ResNet50", "resnet50"),
    "dlinknet101": _dlinknet("D-LinkNet with ResNet101", "resnet101"),
    "linknet34": _dlinknet("LinkNet34, the baseline of D-LinkNet", "resnet34", "linknet"),
    "linknet": _linknet("LinkNet with ResNet18", "port"),
    "linknet_residual": _linknet("LinkNet with residual decoders", "residual"),
    "linknet_nobypass": _linknet("LinkNet without skips", "nobypass"),
    "lednet": NetworkEntry("LEDNet", create_whole=_create_lednet, min_classes=2),
    "lednet_binary": NetworkEntry("LEDNet for one class", create_whole=_create_lednet_binary, max_classes=1),
    "lednet_encoder": NetworkEntry("LEDNet's encoder, for its first phase", create_whole=_create_lednet_encoder),
    "dgcnet50": _dgcnet("DGCNet with ResNet50", "resnet50_deep"),
    "dgcnet101": _dgcnet("DGCNet with ResNet101", "resnet101_deep"),
    "deeplabv3_resnet50": _deeplab("DeepLabV3 with ResNet50", "resnet50", "deeplabv3", _DEEPLABV3_NAMES),
    "deeplabv3_resnet101": _deeplab("DeepLabV3 with ResNet101", "resnet101", "deeplabv3", _DEEPLABV3_NAMES),
    "deeplabv3plus_resnet50": _deeplab("DeepLabV3+ with ResNet50", "resnet50", "deeplabv3plus", _DEEPLABV3PLUS_NAMES),
    "deeplabv3plus_resnet101": _deeplab(
        "DeepLabV3+ with ResNet101", "resnet101", "deeplabv3plus", _DEEPLABV3PLUS_NAMES
    ),
}


def network_names() -> tuple[str, ...]:
    """List the names that ``create_network`` knows."""
    return tuple(NETWORKS)


def network_entry(name: str) -> NetworkEntry:
    """Look up what is known of the network ``name``.

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
        name: one of ``network_names()``.
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
    if num_classes < 1 or in_channels < 1:
        raise ParameterError(f"A network has at least one class and one band, not {num_classes} and {in_channels}.")
    if not entry.min_classes <= num_classes <= entry.max_classes:
        most = f"at most {entry.max_classes} class" + "es" * (entry.max_classes > 1)
        bound = f"at least {entry.min_classes} classes" if num_classes < entry.min_classes else most
        hint = "lednet_binary is for one class, lednet for more." if name.startswith("lednet") else ""
        raise ParameterError(f"The network {name} has {bound}, not {num_classes}.", hint)
    given = {"in_channels": in_channels, "stem_pool": stem_pool, "output_stride": output_stride}
    options = NetworkOptions.from_mapping(name, given)
    if entry.create_whole is not None:
        return entry.create_whole(num_classes, options)
    if entry.encoder is None or entry.decoder is None:
        raise AssertionError(f"{name} has neither encoder and decoder nor a cell of its own")
    from .model import create_segmentation_model, rename_parameters

    network = create_segmentation_model(
        entry.decoder,
        entry.encoder,
        num_classes=num_classes,
        in_channels=in_channels,
        stem_pool=options.stem_pool or (entry.stem_pools or ("symmetric",))[0],
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
