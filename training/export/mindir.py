"""MINDIR of a network, and ONNX through it.

ONNX is made from MINDIR by ``engine.mindir``: MindSpore's own ONNX export writes wrong paddings and lacks operations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
from mindspore import nn

from ...engine.mindir import convert


def export_mindir(network: nn.Cell, shape: tuple[int, int, int, int]) -> bytes:
    """The MINDIR of a network with its weights, in evaluation mode.

    Args:
        network: images to logits; left in evaluation mode.
        shape: of the input: (N, bands, H, W). MINDIR has it fixed.
    """
    network.set_train(False)
    with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
        path = Path(folder) / "network.mindir"
        ms.export(network, ms.Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")
        return path.read_bytes()


def export_onnx(
    make: Callable[[int, int], nn.Cell],
    network: nn.Cell,
    shapes: Sequence[tuple[int, int, int, int]],
    *,
    num_classes: Sequence[int],
    weights: bool = True,
) -> onnx.ModelProto:
    """ONNX of a network for any batch and any size that the network takes: input "image", output "logits".

    The network is exported at several sizes, so that sizes inside it can be told from plain numbers.

    Args:
        make: makes a network like ``network`` from numbers of classes and bands.
        network: the one whose weights are taken; its numbers are those of the first shape.
        shapes: inputs (N, bands, H, W) to export at; they differ in N, H and W.
        num_classes: number of classes at each shape.
        weights: whether the weights are in the result, or inputs of it (see ``engine.mindir.convert``).
    """
    first = export_mindir(network, shapes[0])
    others = [
        export_mindir(make(classes, shape[1]), shape)
        for shape, classes in zip(shapes[1:], num_classes[1:], strict=True)
    ]
    return convert(first, variants=others, weights=weights, output_names=["logits"])
