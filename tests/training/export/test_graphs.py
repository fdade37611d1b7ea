from __future__ import annotations

import json

import onnx
import pytest
from terraspore.training.export.graphs import GRAPHS, GraphSpec, list_graphs, write_graphs
from terraspore.training.networks import NETWORKS, network_entry, read_options

pytestmark = pytest.mark.mindspore


@pytest.mark.parametrize("name", ["lednet", "lednet_binary-eps1e-05", "dlinknet34", "dlinknet_efficientnet_lite0"])
def test_graphs_in_the_repository_are_up_to_date(name, tmp_path):
    (path,) = write_graphs([list_graphs()[name]], tmp_path)
    assert path.read_bytes() == (GRAPHS / f"{name}.onnx").read_bytes()


def test_every_network_with_every_option_has_a_graph():
    assert {path.stem for path in GRAPHS.glob("*.onnx")} == set(list_graphs())
    assert {spec.network for spec in list_graphs().values()} == set(NETWORKS)


@pytest.mark.parametrize("path", sorted(GRAPHS.glob("*.onnx")), ids=lambda path: path.stem)
def test_graphs_have_no_weights_and_complete_metadata(path):
    model = onnx.load(path)
    assert path.stat().st_size < 100_000
    image, *weights = model.graph.input
    sizes = [size.dim_param for size in image.type.tensor_type.shape.dim]
    assert (image.name, sizes) == ("image", ["batch", "bands", "height", "width"])
    (logits,) = model.graph.output
    channels = logits.type.tensor_type.shape.dim[1]
    assert logits.name == "logits"
    assert (channels.dim_param, channels.dim_value) == (("", 1) if "binary" in path.stem else ("classes", 0))
    assert len(weights) > 60
    assert not {weight.name for weight in weights} & {tensor.name for tensor in model.graph.initializer}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    spec = list_graphs()[path.stem]
    assert metadata["architecture"] == spec.network
    assert json.loads(metadata["options"]) == network_entry(spec.network).graph_options(spec.options)


def test_names_of_files_tell_the_options():
    stems = set(list_graphs())
    assert {"lednet", "lednet-eps1e-05", "dlinknet34-same", "deeplabv3_resnet50-symmetric-os8"} < stems
    spec = GraphSpec("dlinknet34", read_options("dlinknet34", {"last_channels": 16}))
    assert spec.file_stem == "dlinknet34-last_channels16"
