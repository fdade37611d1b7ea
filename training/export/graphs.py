"""Writes the weightless graphs of ``resources/graphs``: ``python -m terraspore.training.export.graphs [NAME ...]``.

A weightless graph is the ONNX network of an architecture without weights: its first input is "image", every further
input is a weight with the name that checkpoints use. Batch, height and width are open, and so are the numbers of
classes ("classes") and bands ("bands"). The engine fills such a graph from a bare ``.ckpt``, without MindSpore.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from ..networks import NETWORKS, create_network, network_entry
from .mindir import export_onnx

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "graphs"
#: (batch, bands, classes) of the exports that a graph is derived from
_COUNTS = ((1, 3, 2), (3, 5, 6), (4, 4, 11))
#: heights and widths of these exports, in multiples of 32 and, for networks of any size, with something odd added
_SIZES = ((64, 96), (160, 224), (288, 352))
_ODD = ((3, 5), (9, 1), (7, 13))


@dataclass(frozen=True)
class GraphSpec:
    """A graph to write: an architecture with options other than its default ones.

    Attributes:
        architecture: name of the network.
        options: further arguments of ``create_network``.
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the file, without its ending: the architecture and the options' values."""
        return "-".join([self.architecture, *(str(value) for _, value in sorted(self.options.items()))])


def graph_specs() -> dict[str, GraphSpec]:
    """All graphs by name: every network, with each value of each option that changes its graph."""
    values: dict[str, tuple[Any, ...]] = {"stem_pool": ("same",), "output_stride": (8,)}
    specs = [GraphSpec(name) for name in NETWORKS]
    for name, entry in NETWORKS.items():
        specs += [GraphSpec(name, {option: value}) for option in sorted(entry.options) for value in values[option]]
    return {spec.name: spec for spec in specs}


def weightless_graph(spec: GraphSpec) -> onnx.ModelProto:
    """The graph of ``spec``, with what is known of it in its metadata."""
    entry = network_entry(spec.architecture)
    any_size = entry.multiple < 32
    shapes = [
        (counts[0], counts[1], size[0] + odd[0] * any_size, size[1] + odd[1] * any_size)
        for counts, size, odd in zip(_COUNTS, _SIZES, _ODD, strict=True)
    ]
    classes = [counts[2] for counts in _COUNTS]

    def make(num_classes: int, bands: int) -> Any:
        return create_network(spec.architecture, num_classes=num_classes, in_channels=bands, **spec.options)

    model = export_onnx(make, make(classes[0], _COUNTS[0][1]), shapes, num_classes=classes, weights=False)
    properties = {
        "architecture": spec.architecture,
        "options": json.dumps(spec.options, sort_keys=True),
        "multiple": str(entry.multiple),
        "title": entry.title,
    }
    helper.set_model_props(model, properties)
    return model


def write_graphs(names: list[str], folder: Path) -> list[Path]:
    """Write the graphs ``names`` (all, if empty) into ``folder``; the files' paths."""
    specs = graph_specs()
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or list(specs):
        path = folder / f"{name}.onnx"
        path.write_bytes(weightless_graph(specs[name]).SerializeToString(deterministic=True))
        written.append(path)
    return written


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write the weightless graphs of the engine.")
    parser.add_argument("names", nargs="*", choices=[[], *graph_specs()], help="which; all unless given")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    for path in write_graphs(arguments.names, arguments.folder):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201 (the command's own output)


if __name__ == "__main__":
    main()
