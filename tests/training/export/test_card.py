from __future__ import annotations

import dataclasses

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.engine.models.card import card_text, parse_card
from terraspore.engine.models.graph import parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.training.config import Config, DataConfig, NetworkConfig, NormalisationConfig, SourceConfig
from terraspore.training.export.card import create_card, write_run_card
from terraspore.training.export.details import CardDetails

pytestmark = pytest.mark.mindspore
SHA = "0" * 64


def card(config: Config, **details):
    return create_card(config, CardDetails(name="model", **details), weights="weights.ckpt", sha256=SHA)


def test_card_of_a_road_network():
    made = card(Config(resolution=0.5, licence="CC0", source="here"), metrics={"iou": 0.5})
    assert (made.task, made.architecture, made.activation) == ("roads", "dlinknet34", "sigmoid")
    assert [(c.id, c.name) for c in made.classes] == [(1, "road")]
    assert (made.resolution, made.tile, made.overlap, made.multiple) == (0.5, 512, 64, 32)
    assert (made.licence, made.data, made.metrics) == ("CC0", "here", {"iou": 0.5})
    # D-LinkNet's value / 255 * 3.2 - 1.6
    value = (200 * made.normalisation.scale - made.normalisation.mean[0]) / made.normalisation.std[0]
    assert value == pytest.approx(200 / 255 * 3.2 - 1.6)
    assert parse_card(card_text(made), "here") == made


def test_card_of_several_sources_names_all_of_them():
    sources = (
        SourceConfig("data/a", licence="CC0"),
        SourceConfig("data/b", name="world"),
        SourceConfig("c", licence="CC0"),
    )
    made = card(Config(resolution=1.0, source="aerial", licence="ODbL", data=DataConfig(sources=sources)))
    assert (made.data, made.licence) == ("aerial; a, world, c", "CC0; ODbL")


def test_card_of_many_classes_and_bands():
    config = Config(
        resolution=2.0,
        network=NetworkConfig("deeplabv3_resnet50", 3, {"in_channels": 4, "output_stride": 8}),
        data=DataConfig(classes=("water", "forest", "other"), colours=((0, 0, 255), (0, 128, 0), (9, 9, 9))),
        normalisation=NormalisationConfig(1.0, (1.0,) * 4, (2.0,) * 4),
    )
    made = card(config)
    assert (made.task, made.activation, made.bands) == ("landcover", "softmax", 4)
    assert made.options == {"output_stride": 8}
    assert [(c.id, c.colour) for c in made.classes] == [(0, (0, 0, 255)), (1, (0, 128, 0)), (2, (9, 9, 9))]


def test_default_options_are_not_in_the_card():
    config = Config(resolution=1.0, network=NetworkConfig("dlinknet34", 1, {"stem_pool": "symmetric"}))
    assert card(config).options == {}
    config = dataclasses.replace(config, network=NetworkConfig("dlinknet34", 1, {"stem_pool": "same"}))
    assert (card(config).architecture, card(config).options) == ("dlinknet34", {"stem_pool": "same"})


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (Config(), "resolution"),
        (Config(resolution=1.0, network=NetworkConfig("lednet", 4)), "names"),
        (Config(resolution=1.0, network=NetworkConfig("dlinknet34", 1, {"in_channels": 4})), "4 bands"),
        (Config(resolution=1.0, network=NetworkConfig("dlinknet34", 1, {"output_stride": 8})), "output_stride"),
    ],
)
def test_missing_or_contradictory_settings_are_refused(config, part):
    with pytest.raises(ParameterError, match=part):
        card(config)


def test_run_folder_becomes_a_model(tmp_path):
    from terraspore.engine.models.registry import read_model

    (tmp_path / "best.ckpt").write_bytes(b"weights")
    config = Config(name="my run/1", resolution=1.0)
    path = write_run_card(tmp_path / "best.ckpt", config, {"foreground_iou": 0.5, "recall": float("nan")})
    assert path == tmp_path / "card.json"
    model = read_model(tmp_path)
    assert model.card.name == "my-run-1"
    assert model.card.metrics == {"foreground_iou": 0.5}
    assert model.weights == tmp_path / "best.ckpt"


def test_no_card_is_written_without_a_resolution(tmp_path):
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    assert write_run_card(tmp_path / "best.ckpt", Config(), {}) is None
    assert not (tmp_path / "card.json").exists()


def test_a_run_of_any_pair_is_a_model_with_its_graph(tmp_path):
    network = NetworkConfig("linknet_resnet18", 1, {"stem_pool": "same"})
    config = Config(name="run", resolution=1.0, network=network)
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    write_run_card(tmp_path / "best.ckpt", config, {})
    graph = tmp_path / "linknet_resnet18-same.onnx"
    assert parameter_shapes(load_onnx(graph))["head.weight"] == ("classes", 32, 2, 2)
    before = graph.stat().st_mtime_ns
    write_run_card(tmp_path / "best.ckpt", config, {})
    assert graph.stat().st_mtime_ns == before
