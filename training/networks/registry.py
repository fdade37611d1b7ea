"""Networks by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...engine.errors import ParameterError

if TYPE_CHECKING:
    from mindspore import nn

    from ..config import Config
    from .layers import StemPool


@dataclass(frozen=True)
class NetworkEntry:
    """What is known of a network without making it.

    Attributes:
        module: the module beside this one that has the class.
        cell: the class's name.
        title: what a person reads.
        multiple: height and width of the input have to be multiples of this.
        fixed: arguments of the class that this name stands for.
        defaults: the options that this network has beyond the numbers of classes and bands, with their defaults.
        auxiliary: whether it returns a pair (logits, auxiliary logits) while training.
        training_only: prefixes of the names of parameters that are used in training only.
        classes: the fewest and the most classes that it can have.
    """

    module: str
    cell: str
    title: str
    multiple: int = 32
    fixed: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    auxiliary: bool = False
    training_only: tuple[str, ...] = ()
    classes: tuple[int, int] = (1, 65535)


#: how a value of an option that is not the default stands in an architecture's name
SUFFIXES: dict[str, tuple[str, Any]] = {
    "same": ("stem_pool", "same"),
    "symmetric": ("stem_pool", "symmetric"),
    "os8": ("output_stride", 8),
    "os16": ("output_stride", 16),
}


def _dlinknet(depth: int, title: str, *, dilated: bool = True) -> NetworkEntry:
    fixed = {"depth": depth, "dilated": dilated}
    return NetworkEntry(".dlinknet", "DLinkNet", title, fixed=fixed, defaults={"stem_pool": "symmetric"})


def _linknet(variant: str, title: str) -> NetworkEntry:
    fixed = {"variant": variant}
    return NetworkEntry(".linknet", "LinkNet", title, fixed=fixed, defaults={"stem_pool": "symmetric"})


def _dgcnet(depth: int) -> NetworkEntry:
    return NetworkEntry(
        ".dgcnet",
        "DGCNet",
        f"DGCNet with ResNet{depth}",
        multiple=1,
        fixed={"depth": depth},
        auxiliary=True,
        training_only=("dsn.",),
    )


def _deeplab(cell: str, depth: int, title: str) -> NetworkEntry:
    defaults = {"stem_pool": "same", "output_stride": 16}
    return NetworkEntry(".deeplabv3", cell, title, multiple=1, fixed={"depth": depth}, defaults=defaults)


#: every network, by the name that configurations and model cards use
NETWORKS: dict[str, NetworkEntry] = {
    "dlinknet34": _dlinknet(34, "D-LinkNet with ResNet34"),
    "dlinknet50": _dlinknet(50, "D-LinkNet with ResNet50"),
    "dlinknet101": _dlinknet(101, "D-LinkNet with ResNet101"),
    "linknet34": _dlinknet(34, "LinkNet34, the baseline of D-LinkNet", dilated=False),
    "linknet": _linknet("port", "LinkNet with ResNet18"),
    "linknet_residual": _linknet("residual", "LinkNet with residual decoders"),
    "linknet_nobypass": _linknet("nobypass", "LinkNet without skips"),
    "lednet": NetworkEntry(".lednet", "LEDNet", "LEDNet", multiple=1, classes=(2, 65535)),
    "lednet_binary": NetworkEntry(".lednet", "LEDNetBinary", "LEDNet for one class", multiple=1, classes=(1, 1)),
    "lednet_encoder": NetworkEntry(".lednet", "LEDNetEncoder", "LEDNet's encoder, for its first phase", multiple=1),
    "dgcnet50": _dgcnet(50),
    "dgcnet101": _dgcnet(101),
    "deeplabv3_resnet50": _deeplab("DeepLabV3", 50, "DeepLabV3 with ResNet50"),
    "deeplabv3_resnet101": _deeplab("DeepLabV3", 101, "DeepLabV3 with ResNet101"),
    "deeplabv3plus_resnet50": _deeplab("DeepLabV3Plus", 50, "DeepLabV3+ with ResNet50"),
    "deeplabv3plus_resnet101": _deeplab("DeepLabV3Plus", 101, "DeepLabV3+ with ResNet101"),
}


def network_names() -> tuple[str, ...]:
    """The names that ``create_network`` knows."""
    return tuple(NETWORKS)


def network_entry(name: str) -> NetworkEntry:
    """What is known of the network ``name``, which may carry options (see ``architecture_name``).

    Raises:
        ParameterError: there is no such network.
    """
    base = name.partition("-")[0]
    if base not in NETWORKS:
        raise ParameterError(f"There is no network named {name!r}.", f"Known ones: {', '.join(NETWORKS)}.")
    return NETWORKS[base]


def architecture_name(name: str, *, stem_pool: StemPool | None = None, output_stride: int | None = None) -> str:
    """The name of a network together with the options that are not its defaults, e.g. "dlinknet34-same".

    Such a name determines the graph completely: the engine's weightless graphs are called so. ``create_network``
    takes it too.

    Raises:
        ParameterError: an unknown name, or an option that this network does not have.
    """
    chosen = other_options(name, {"stem_pool": stem_pool, "output_stride": output_stride})
    kept = [suffix for suffix, (option, value) in SUFFIXES.items() if chosen.get(option) == value]
    return "-".join([name.partition("-")[0], *kept])


def other_options(name: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options in ``name`` and of those ``given`` that are not the network's defaults; errors as above."""
    defaults = network_entry(name).defaults
    return {option: value for option, value in _options(name, given or {}).items() if defaults[option] != value}


def create_network(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    stem_pool: StemPool | None = None,
    output_stride: int | None = None,
) -> nn.Cell:
    """Make a network with fresh weights.

    Args:
        name: one of ``network_names()``, or such a name with options from ``architecture_name``.
        num_classes: channels of the output, 1 or more; "lednet" wants 2 or more, "lednet_binary" is for 1.
        in_channels: bands of the image, 1 or more.
        stem_pool: how the pooling behind a ResNet's stem pads: "symmetric" as torchvision, "same" as MindCV; None is
            the network's own default.
        output_stride: 8 or 16 for the dilated encoders of DeepLabV3 (the weights fit both); None is 16.

    Returns:
        The cell: images (N, in_channels, H, W), normalised, to logits (N, num_classes, H, W). Networks with an
        auxiliary head return (logits, auxiliary logits) while they are training.

    Raises:
        ParameterError: an unknown name, a number out of range, or an option that this network does not have.
    """
    entry = network_entry(name)
    if num_classes < 1 or in_channels < 1:
        raise ParameterError(f"A network has at least one class and one band, not {num_classes} and {in_channels}.")
    fewest, most = entry.classes
    if not fewest <= num_classes <= most:
        bound = f"at least {fewest} classes" if num_classes < fewest else f"at most {most} class" + "es" * (most > 1)
        hint = "lednet_binary is for one class, lednet for more." if name.startswith("lednet") else ""
        raise ParameterError(f"The network {name} has {bound}, not {num_classes}.", hint)
    chosen = _options(name, {"stem_pool": stem_pool, "output_stride": output_stride})
    cell: Callable[..., nn.Cell] = getattr(importlib.import_module(entry.module, __package__), entry.cell)
    return cell(num_classes=num_classes, in_channels=in_channels, **entry.fixed, **chosen)


def create_configured_network(config: Config) -> nn.Cell:
    """Make the network of a training configuration; arguments and errors as in ``create_network``."""
    options: dict[str, Any] = dict(config.network.options)
    return create_network(config.network.name, num_classes=config.network.num_classes, **options)


def _options(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The options in ``name`` and those given, checked against what the network has."""
    entry = network_entry(name)
    chosen = {option: value for option, value in given.items() if value is not None}
    for suffix in name.split("-")[1:]:
        if suffix not in SUFFIXES:
            raise ParameterError(f"There is no network named {name!r}: {suffix!r} is no option.")
        option, value = SUFFIXES[suffix]
        if chosen.setdefault(option, value) != value:
            raise ParameterError(f"The network {name} cannot have {option} = {chosen[option]!r}.")
    for option, value in chosen.items():
        if option not in entry.defaults:
            raise ParameterError(f"The network {name} has no option {option!r}.")
        if (option, value) not in SUFFIXES.values():
            known = [repr(v) for o, v in SUFFIXES.values() if o == option]
            raise ParameterError(f"The option {option} is {' or '.join(known)}, not {value!r}.")
    return chosen
