"""Writes the weightless graphs of ``resources/graphs``: ``python -m terraspore.training.export.graphs [NAME ...]``.

A weightless graph is the ONNX network of an architecture without weights: its first input is "image", every further
input is a weight with the name that checkpoints use. Batch, height and width are open, and so are the numbers of
classes ("classes") and bands ("bands"). The engine fills such a graph from a bare ``.ckpt``, without MindSpore.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import onnx
from mindspore import nn
from onnx import helper

from ..networks import NETWORKS, architecture_name, create_network, network_entry, other_options
from ..networks.layers import StemPool
from .mindir import export_onnx

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "graphs"
#: (batch, bands, classes) of the exports that a graph is derived from
_COUNTS = ((1, 3, 2), (3, 5, 6), (4, 4, 11))
#: heights and widths of these exports, in multiples of 32 and, for networks of any size, with something odd added
_SIZES = ((64, 96), (160, 224), (288, 352))
_ODD = ((3, 5), (9, 1), (7, 13))


def graph_names() -> list[str]:
    """All graphs: every network, with every combination of options that are not its defaults."""
    names = []
    for name, entry in NETWORKS.items():
        pools: tuple[StemPool | None, ...] = ("symmetric", "same") if "stem_pool" in entry.defaults else (None,)
        strides: tuple[int | None, ...] = (16, 8) if "output_stride" in entry.defaults else (None,)
        names += [architecture_name(name, stem_pool=pool, output_stride=stride) for stride in strides for pool in pools]
    return names


def weightless_graph(architecture: str) -> onnx.ModelProto:
    """The graph of an architecture, with what is known of it in its metadata."""
    entry = network_entry(architecture)
    any_size = entry.multiple < 32
    shapes = [
        (counts[0], counts[1], size[0] + odd[0] * any_size, size[1] + odd[1] * any_size)
        for counts, size, odd in zip(_COUNTS, _SIZES, _ODD, strict=True)
    ]
    classes = [min(counts[2], entry.classes[1]) for counts in _COUNTS]

    def make(num_classes: int, bands: int) -> nn.Cell:
        """The network with so many classes and bands."""
        return create_network(architecture, num_classes=num_classes, in_channels=bands)

    model = export_onnx(make, make(classes[0], _COUNTS[0][1]), shapes, num_classes=classes, weights=False)
    helper.set_model_props(model, properties(architecture))
    return model


def properties(architecture: str) -> dict[str, str]:
    """What is known of an architecture, as a graph's metadata.

    "architecture" is the network's name without options; "options" are those that are not its defaults, as JSON;
    "multiple" is what height and width have to be multiples of; "training_only" are the prefixes, with spaces between,
    of parameters that a checkpoint may hold beyond the graph's.
    """
    entry = network_entry(architecture)
    return {
        "architecture": architecture.partition("-")[0],
        "options": json.dumps(other_options(architecture), sort_keys=True),
        "title": entry.title,
        "multiple": str(entry.multiple),
        "training_only": " ".join(entry.training_only),
    }


def write_graphs(names: list[str], folder: Path) -> Iterator[Path]:
    """Write the graphs ``names`` (all, if empty) into ``folder``, one after the other; the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or graph_names():
        path = folder / f"{name}.onnx"
        path.write_bytes(weightless_graph(name).SerializeToString(deterministic=True))
        yield path


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write the weightless graphs of the engine.")
    parser.add_argument("names", nargs="*", help="which; all unless given")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(graph_names())
    if unknown:
        parser.error(f"there is no graph {', '.join(sorted(unknown))}; known: {', '.join(graph_names())}")
    for path in write_graphs(arguments.names, arguments.folder):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201 (the command's own output)


if __name__ == "__main__":
    main()
