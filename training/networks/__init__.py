"""The networks, each written once as a MindSpore cell.

``create_network`` makes any of them by name; ``training.export`` derives ONNX and MINDIR from them. A network takes
normalised images (N, bands, H, W) and gives logits (N, num_classes, H, W) at the same size; ``anysize.AnySize`` lets
one that wants multiples of 32 take any size. Importing this package does not import MindSpore, making a network does.
"""

from __future__ import annotations

from .registry import (
    NETWORKS,
    NetworkEntry,
    architecture_name,
    create_configured_network,
    create_network,
    network_entry,
    network_names,
    other_options,
)

__all__ = [
    "NETWORKS",
    "NetworkEntry",
    "architecture_name",
    "create_configured_network",
    "create_network",
    "network_entry",
    "network_names",
    "other_options",
]
