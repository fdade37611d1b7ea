"""The networks, each written once as a MindSpore cell.

``create_network`` creates any of them by name, and any decoder on any encoder as ``<decoder>_<encoder>``;
``training.export`` derives ONNX and MINDIR from them. A network takes normalised images (N, bands, H, W) and gives
logits (N, num_classes, H, W) of the same size; some want multiples of 32 (``NetworkEntry.multiple``). Importing this
package does not import MindSpore, creating a network does.
"""

from __future__ import annotations

from .registry import (
    NETWORKS,
    NetworkEntry,
    NetworkOptions,
    create_configured_network,
    create_network,
    network_entry,
    network_name,
    read_options,
)
