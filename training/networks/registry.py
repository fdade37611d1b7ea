"""Networks by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...engine.errors import ParameterError

if TYPE_CHECKING:
    from mindspore import nn

    from .layers import StemPool


@dataclass(frozen=True)
class NetworkEntry:
    """What is known of a network without making it.

    Attributes:
        module: the module beside this one that has the class.
        cell: the class's name.
        fixed: arguments that this name stands for.
        multiple: height and width of the input have to be multiples of this.
        options: the arguments of ``create_network`` beyond ``num_classes`` and ``in_channels`` that it understands.
        auxiliary: whether it returns a pair (logits, auxiliary logits) while training.
        title: what a person reads.
    """

    module: str
    cell: str
    fixed: dict[str, Any]
    multiple: int
    options: frozenset[str]
    title: str
    auxiliary: bool = False


def _dlinknet(depth: int, title: str, *, dilated: bool = True) -> NetworkEntry:
    return NetworkEntry(
        ".dlinknet", "DLinkNet", {"depth": depth, "dilated": dilated}, 32, frozenset({"stem_pool"}), title
    )


#: every network, by the name that configurations and model cards use
NETWORKS: dict[str, NetworkEntry] = {
    "dlinknet34": _dlinknet(34, "D-LinkNet with ResNet34"),
    "dlinknet50": _dlinknet(50, "D-LinkNet with ResNet50"),
    "dlinknet101": _dlinknet(101, "D-LinkNet with ResNet101"),
    "linknet34": _dlinknet(34, "LinkNet34, the baseline of D-LinkNet", dilated=False),
}


def network_names() -> tuple[str, ...]:
    """The names that ``create_network`` knows."""
    return tuple(NETWORKS)


def network_entry(name: str) -> NetworkEntry:
    """What is known of the network ``name``.

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
    """Make a network with fresh weights.

    Args:
        name: one of ``network_names()``.
        num_classes: channels of the output, 1 or more.
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
    if stem_pool not in {None, "symmetric", "same"}:
        raise ParameterError(f"The stem pools 'symmetric' or 'same', not {stem_pool!r}.")
    given = {"stem_pool": stem_pool, "output_stride": output_stride}
    chosen = {option: value for option, value in given.items() if value is not None}
    for option in chosen:
        if option not in entry.options:
            raise ParameterError(f"The network {name} has no option {option!r}.")
    cell: Callable[..., nn.Cell] = getattr(importlib.import_module(entry.module, __package__), entry.cell)
    return cell(num_classes=num_classes, in_channels=in_channels, **entry.fixed, **chosen)
