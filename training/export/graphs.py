"""Export networks to MINDIR, and to the graphs without weights of ``resources/graphs``.

``python -m terraspore.training.export.graphs [NAME ...]`` writes the latter. Such a graph is the ONNX network of an
architecture without weights: its first input is "image", each further input is a parameter with the name that
checkpoints use. Batch, height and width are open, and so are the numbers of classes ("classes") and bands ("bands").
The engine loads a bare ``.ckpt`` into it, without MindSpore. ONNX is made from MINDIR by ``engine.mindir``, because
MindSpore's own ONNX export writes wrong paddings and lacks operations.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
from mindspore import nn
from onnx import helper

from ...engine.errors import GraphError
from ...engine.mindir import convert
from ...engine.models.card import ModelCard
from ...engine.models.graph import GRAPHS, graph_path
from ..networks import NETWORKS, NetworkOptions, create_network, network_entry, read_options

#: (batch, bands, classes) of the exports that a graph is derived from
_COUNTS = ((1, 3, 2), (3, 5, 6), (4, 4, 11))
#: heights and widths of these exports, in multiples of 32 and, for networks of any size, with something odd added
_SIZES = ((64, 96), (160, 224), (288, 352))
_ODD = ((3, 5), (9, 1), (7, 13))


@dataclass(frozen=True)
class GraphSpec:
    """A graph without weights.

    Attributes:
        network: name of the network.
        options: checked ones.
    """

    network: str
    options: NetworkOptions

    @property
    def file_stem(self) -> str:
        """Name of the file without its ending: the network, then the options that are not its defaults."""
        changed = network_entry(self.network).changed_options(self.options)
        labels = {"output_stride": "os", "stem_pool": "", "pyramid_eps": "eps"}
        return "-".join([self.network, *(f"{labels.get(option, option)}{value}" for option, value in changed.items())])


def list_graphs() -> dict[str, GraphSpec]:
    """List all graphs by the stems of their files: every network with every combination of its choices."""
    specs = [
        GraphSpec(name, read_options(name, dict(zip(entry.choices, values, strict=True))))
        for name, entry in NETWORKS.items()
        for values in itertools.product(*entry.choices.values())
    ]
    return {spec.file_stem: spec for spec in specs}


def export_mindir(network: nn.Cell, shape: tuple[int, int, int, int]) -> bytes:
    """Export a network with its weights to MINDIR, in evaluation mode.

    Args:
        network: images to logits; left in evaluation mode.
        shape: of the input: (N, bands, H, W). MINDIR has it fixed.
    """
    network.set_train(False)
    with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
        path = Path(folder) / "network.mindir"
        ms.export(network, ms.Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")
        return path.read_bytes()


def derive_graph(spec: GraphSpec) -> onnx.ModelProto:
    """Derive a graph from exports at several sizes, so that sizes in it can be told from plain numbers.

    Its metadata say what is known of the network: "architecture" is its name; "options" are all that it was made with,
    as JSON; "multiple" is what height and width have to be multiples of; "training_only" are the prefixes,
    separated by spaces, of parameters that a checkpoint may hold beyond the graph's.
    """
    entry = network_entry(spec.network)
    any_size = entry.multiple < 32
    exports = []
    for (batch, bands, count), size, odd in zip(_COUNTS, _SIZES, _ODD, strict=True):
        classes = min(count, entry.max_classes)
        network = create_network(
            spec.network, num_classes=classes, in_channels=bands, **entry.graph_options(spec.options)
        )
        shape = (batch, bands, size[0] + odd[0] * any_size, size[1] + odd[1] * any_size)
        exports.append(export_mindir(network, shape))
    model = convert(exports[0], variants=exports[1:], weights=False, output_names=["logits"])
    metadata = {
        "architecture": spec.network,
        "options": json.dumps(entry.graph_options(spec.options), sort_keys=True),
        "title": entry.title,
        "multiple": str(entry.multiple),
        "training_only": " ".join(entry.training_only),
    }
    helper.set_model_props(model, metadata)
    return model


def write_graphs(specs: Sequence[GraphSpec], folder: Path) -> Iterator[Path]:
    """Write graphs into ``folder``, one after the other, and yield the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for spec in specs:
        path = folder / f"{spec.file_stem}.onnx"
        path.write_bytes(derive_graph(spec).SerializeToString(deterministic=True))
        yield path


def provide_graph(card: ModelCard, folder: Path) -> Path:
    """Return the path of the graph of a card's network; write it into ``folder`` where ``resources`` has none."""
    with contextlib.suppress(GraphError):
        return graph_path(str(card.architecture), card.options, (GRAPHS, folder))
    spec = GraphSpec(str(card.architecture), read_options(str(card.architecture), card.options))
    return next(write_graphs([spec], folder))


def main() -> None:
    """Run the command."""
    specs = list_graphs()
    parser = argparse.ArgumentParser(description="Write the graphs without weights of the engine.")
    parser.add_argument("names", nargs="*", help="stems of the files to write; all unless given")
    parser.add_argument("--folder", type=Path, default=GRAPHS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(specs)
    if unknown:
        parser.error(f"there is no graph {', '.join(sorted(unknown))}; known: {', '.join(specs)}")
    for path in write_graphs([specs[name] for name in arguments.names or specs], arguments.folder):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201 (the command's own output)


if __name__ == "__main__":
    main()
