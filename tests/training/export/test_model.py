"""``terraspore export``: a checkpoint becomes a folder that the engine runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from command_line import run_last
from onnx import numpy_helper
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.models.graph import build_graph
from terraspore.engine.models.registry import find_model, read_model
from terraspore.training.export.model import compare_with_mindspore
from terraspore.training.networks import create_network

pytestmark = pytest.mark.mindspore
export = partial(run_last, "export")


def create_lednet(classes: int = 2):
    ms.set_seed(3)
    cell = create_network("lednet", num_classes=classes)
    for parameter in cell.get_parameters():
        if parameter.name.startswith("apn.") and parameter.name.endswith("beta"):
            parameter.set_data(ms.ops.ones_like(parameter))
    cell.set_train(False)
    return cell


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """What a training run leaves: weights with the optimizer's state, and the configuration."""
    folder = tmp_path_factory.mktemp("run")
    cell = create_lednet()
    state = [{"name": f"adam_m.{p.name}", "data": p} for p in list(cell.get_parameters())[:3]]
    weights = [{"name": p.name, "data": p} for p in cell.get_parameters()]
    ms.save_checkpoint(weights + state, str(folder / "best.ckpt"))
    config = {
        "name": "tiny",
        "title": "Tiny land cover",
        "resolution": 0.3,
        "network": {"name": "lednet", "num_classes": 2},
        "data": {"classes": ["low", "high"]},
        "loss": {"name": "ce"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    return folder


@pytest.fixture(scope="module")
def model(run_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    code, event = export(run_folder, "--out", folder, "--tile", 64, "--metric", "mean_iou=0.25")
    assert code == 0, event
    assert set(event["summary"]) == {f"difference {n}" for n in ("weights.ckpt", "model.onnx", "model.mindir")}
    assert all(value < 1e-3 for value in event["summary"].values())
    return folder


def probabilities(model) -> np.ndarray:
    """What the engine's graph makes of an image."""
    session = onnxruntime.InferenceSession(build_graph(model).SerializeToString(), providers=["CPUExecutionProvider"])
    tiles = np.random.default_rng(4).integers(0, 256, (2, 3, 64, 64), np.uint8)
    return session.run(None, {"image": tiles})[0]


def mindspore_probabilities(cell) -> np.ndarray:
    """The same by MindSpore, the normalisation and softmax written out."""
    tiles = np.random.default_rng(4).integers(0, 256, (2, 3, 64, 64), np.uint8)
    logits = cell(ms.Tensor(((tiles / 255 - 0.5) / 0.3125).astype(np.float32))).asnumpy()
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_engine_runs_the_folder_as_it_is(model):
    found = read_model(model)
    assert found.card.title == "Tiny land cover"
    assert [c.name for c in found.card.classes] == ["low", "high"]
    assert found.card.metrics == {"mean_iou": 0.25}
    np.testing.assert_allclose(probabilities(found), mindspore_probabilities(create_lednet()), atol=1e-3)


def test_engine_runs_the_onnx_file_alone(model, tmp_path):
    path = tmp_path / "alone.onnx"
    path.write_bytes((model / "model.onnx").read_bytes())
    found = find_model(str(path))
    assert found.card.resolution == 0.3
    np.testing.assert_allclose(probabilities(found), mindspore_probabilities(create_lednet()), atol=1e-3)


def test_mindspore_loads_the_mindir(model):
    cell = ms.nn.GraphCell(ms.load(str(model / "model.mindir")))
    image = np.random.default_rng(4).normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(
        cell(ms.Tensor(image)).asnumpy(), create_lednet()(ms.Tensor(image)).asnumpy(), rtol=1e-4, atol=1e-4
    )


def test_half_precision_is_half_the_size_and_nearly_the_same(run_folder, model, tmp_path):
    code, _ = export(
        run_folder, "--out", tmp_path / "half", "--precision", "float16", "--only-checkpoint", "--tile", 64
    )
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "half").iterdir()) == ["card.json", "weights.ckpt"]
    sizes = [(folder / "weights.ckpt").stat().st_size for folder in (tmp_path / "half", model)]
    assert sizes[0] < 0.6 * sizes[1]
    np.testing.assert_allclose(
        probabilities(read_model(tmp_path / "half")), mindspore_probabilities(create_lednet()), atol=0.02
    )


def test_half_precision_keeps_variances_that_it_cannot_hold(run_folder, tmp_path):
    tensors = read_checkpoint(run_folder / "best.ckpt")
    name = next(name for name in tensors if name.endswith("moving_variance"))
    tensors[name] = np.full_like(tensors[name], 1e6)
    wide = tmp_path / "wide.ckpt"
    write_checkpoint(wide, tensors)
    arguments = ["--config", run_folder / "config.yaml", "--precision", "float16", "--only-checkpoint", "--tile", 64]
    code, _ = export(wide, "--out", tmp_path / "half", *arguments)
    assert code == 0
    np.testing.assert_array_equal(read_checkpoint(tmp_path / "half" / "weights.ckpt")[name], tensors[name])


def test_difference_finds_one_weight_that_is_wrong(model):
    graph = onnx.load(model / "model.onnx")
    assert compare_with_mindspore(create_lednet(), graph, [(1, 3, 64, 64)]) < 1e-4
    weight = next(t for t in graph.graph.initializer if t.name == "apn.mid.0.conv.bias")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) + np.float32([0, 1]), weight.name))
    assert compare_with_mindspore(create_lednet(), graph, [(1, 3, 64, 64)]) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--arch", "dlinknet34", "--classes", "road"], "not of this network"),
        (["--classes", "a,b,c"], "not of this network"),
        (["--metric", "iou"], "NAME=VALUE"),
        (["--tile", "2", "--overlap", "1"], "overlap"),
        (["data.classes=[a,b,c]"], "data.classes"),
    ],
)
def test_mistakes_are_reported_and_write_nothing(run_folder, tmp_path, arguments, part):
    code, event = export(run_folder, "--out", tmp_path / "model", "--resolution", 1, *arguments)
    assert code == 2
    assert part in event["text"] + str(event["hint"])
    assert not list(tmp_path.iterdir())


def test_existing_folder_is_not_replaced(run_folder, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine", "utf-8")
    code, event = export(run_folder, "--out", tmp_path / "model")
    assert (code, event["code"]) == (2, "OutputError")
    assert (tmp_path / "model" / "mine.txt").exists()


def test_only_the_folder_of_another_model_is_replaced(run_folder: Path, model: Path) -> None:
    before = sorted(path.name for path in run_folder.iterdir())
    code, event = export(run_folder, "--out", run_folder, "--overwrite")
    assert code == 2
    assert "which is not of a model" in event["text"]
    assert sorted(path.name for path in run_folder.iterdir()) == before
    code, event = export(model / "weights.ckpt", "--config", run_folder / "config.yaml", "--out", model, "--overwrite")
    assert code == 2
    assert "is in the folder" in event["text"]


def test_a_network_without_a_bundled_graph_brings_its_own(tmp_path):
    name, options = "linknet_efficientnet_lite0", {"last_channels": 8}
    cell = create_network(name, num_classes=1, **options)
    ms.save_checkpoint(cell, str(tmp_path / "best.ckpt"))
    network = {"decoder": "linknet", "encoder": "efficientnet_lite0", "num_classes": 1, "options": options}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"resolution": 0.5, "network": network}), "utf-8")
    code, event = export(tmp_path, "--out", tmp_path / "pair", "--tile", 64)
    assert code == 0, event
    assert (tmp_path / "pair" / f"{name}-last_channels8.onnx").is_file()
    model = read_model(tmp_path / "pair")
    assert (model.card.architecture, model.card.options) == (name, options)
    image = np.random.default_rng(4).integers(0, 256, (2, 3, 64, 64), np.uint8)
    normalised = (image / 255 - 0.5) / 0.3125
    wanted = 1 / (1 + np.exp(-cell.set_train(False)(ms.Tensor(normalised.astype(np.float32))).asnumpy()))
    np.testing.assert_allclose(probabilities(model), wanted, atol=1e-3)
