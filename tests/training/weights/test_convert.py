"""``terraspore convert`` from a file to a checkpoint."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import run_last
from terraspore.engine.errors import CheckpointError
from terraspore.engine.models.checkpoint import read_checkpoint
from terraspore.engine.models.graph import GRAPHS, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.training.weights import map_weights, read_torch

DATA = Path(__file__).parent / "data"
convert = partial(run_last, "convert")


def test_encoder_into_a_checkpoint_that_a_network_loads(tmp_path):
    code, event = convert(DATA / "resnet18.pth", tmp_path / "encoder.ckpt", "--arch", "linknet")
    assert code == 0
    assert event["summary"]["matched"] == 100
    assert event["summary"]["stem_pool"] == "symmetric"
    tensors = read_checkpoint(tmp_path / "encoder.ckpt")
    assert tensors["in_block.0.weight"].shape == (64, 3, 7, 7)
    again, event = convert(tmp_path / "encoder.ckpt", tmp_path / "again.ckpt", "--arch", "linknet", "--part", "network")
    assert again == 2, "an encoder is not the network"
    assert "missing" in event["text"]


@pytest.mark.mindspore
def test_network_into_a_checkpoint_that_mindspore_loads(tmp_path, monkeypatch):
    import mindspore as ms
    from mindspore.train import serialization
    from terraspore.training.networks import create_network

    code, event = convert(DATA / "dlinknet34_old.th", tmp_path / "network.ckpt", "--arch", "dlinknet34")
    assert code == 0
    assert event["summary"]["part"] == "network"
    network = create_network("dlinknet34", num_classes=1)
    # MindSpore takes the page cache for used memory, and would refuse a file that fits where the cache is full.
    monkeypatch.setattr(serialization, "_get_available_memory", lambda: None, raising=False)
    missing, left = ms.load_param_into_net(network, ms.load_checkpoint(str(tmp_path / "network.ckpt")), True)
    assert not missing
    assert not left


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("extra.pth", "surprise.weight"),
        ("lacking.pth", "encoder2.1.conv1.weight"),
        ("malicious.pth", "run any program"),
        ("resnet18.pth", "missing"),
        ("absent.pth", "cannot be read"),
    ],
)
def test_any_problem_is_an_error_and_writes_nothing(name, part, tmp_path):
    code, event = convert(DATA / name, tmp_path / "out.ckpt", "--arch", "dlinknet34")
    assert code == 2
    assert part in event["text"] + str(event["hint"])
    assert not list(tmp_path.iterdir())


def test_torch_7_files_are_recognised_and_refused(tmp_path):
    # A table or an object of Torch 7: kind, index, version "V 1", name of the class.
    name = b"nn.Sequential"
    lengths = [length.to_bytes(4, "little") for length in (4, 1, 3, len(name))]
    (tmp_path / "model.net").write_bytes(b"".join([*lengths[:3], b"V 1", lengths[3], name]))
    code, event = convert(tmp_path / "model.net", tmp_path / "out.ckpt", "--arch", "linknet")
    assert code == 2
    assert "Torch 7" in event["text"]
    assert not (tmp_path / "out.ckpt").exists()


def test_unknown_networks_are_refused(tmp_path):
    code, event = convert(DATA / "resnet34.pth", tmp_path / "out.ckpt", "--arch", "unet")
    assert (code, event["code"]) == (2, "ParameterError")


@pytest.mark.mindspore
def test_encoder_of_a_pair_without_a_bundled_graph(tmp_path):
    arch = "deeplabv3_efficientnet_lite0"
    code, event = convert(DATA / "efficientnet-lite0.pth", tmp_path / "encoder.ckpt", "--arch", arch)
    assert code == 0, event
    assert (event["summary"]["part"], event["summary"]["stem_pool"]) == ("encoder", None)
    assert read_checkpoint(tmp_path / "encoder.ckpt")["encoder.conv_stem.weight"].shape == (32, 3, 3, 3)


def shapes(architecture: str):
    return parameter_shapes(load_onnx(GRAPHS / f"{architecture}.onnx"))


def like(wanted, *, classes: int = 1, bands: int = 3):
    """Arrays of a network's shapes, each of its own number."""
    sizes = {"classes": classes, "bands": bands}
    return {
        name: np.broadcast_to(np.float32(index), [sizes.get(size, size) for size in shape])
        for index, (name, shape) in enumerate(wanted.items())
    }


def origin(weights, name: str) -> float:
    """The number of the tensor ``name`` of the file."""
    return float(weights[name].reshape(-1)[0])


@pytest.mark.parametrize("name", ["resnet34.pth", "resnet34_old.pth"])
def test_torchvision_resnet_into_dlinknet(name):
    weights = read_torch(DATA / name)
    arrays, report = map_weights(weights, "dlinknet34", shapes("dlinknet34"))
    assert report.part == "encoder"
    assert not report.has_problems
    # 36 normalisations of four tensors and 36 convolutions
    assert len(arrays) == 36 * 5
    for ours, theirs in {
        "firstconv.weight": "conv1.weight",
        "firstbn.gamma": "bn1.weight",
        "firstbn.moving_variance": "bn1.running_var",
        "encoder1.2.conv2.weight": "layer1.2.conv2.weight",
        "encoder3.0.down_sample.0.weight": "layer3.0.downsample.0.weight",
        "encoder3.0.down_sample.1.beta": "layer3.0.downsample.1.bias",
        "encoder4.2.bn2.moving_mean": "layer4.2.bn2.running_mean",
    }.items():
        assert (arrays[ours] == origin(weights, theirs)).all()
    assert {n for n in report.left_out if not n.endswith("num_batches_tracked")} == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("file", "architecture", "pairs"),
    [
        ("resnet18.pth", "linknet", {"in_block.0.weight": "conv1.weight", "in_block.1.beta": "bn1.bias"}),
        (
            "resnet101-deep.pth",
            "dgcnet101",
            {
                "conv1.4.moving_mean": "conv1.4.running_mean",
                "conv1.6.weight": "conv1.6.weight",
                "bn1.gamma": "bn1.weight",
                "layer3.22.bn3.gamma": "layer3.22.bn3.weight",
                "layer4.0.down_sample.1.gamma": "layer4.0.downsample.1.weight",
            },
        ),
    ],
)
def test_resnets_into_other_networks(file, architecture, pairs):
    weights = read_torch(DATA / file)
    arrays, report = map_weights(weights, architecture, shapes(architecture))
    assert report.part == "encoder"
    assert not report.has_problems
    for ours, theirs in pairs.items():
        assert (arrays[ours] == origin(weights, theirs)).all()


@pytest.mark.parametrize("name", ["dlinknet34_old.th", "dlinknet34.pth"])
def test_original_dlinknet(name):
    weights = read_torch(DATA / name)
    arrays, report = map_weights(weights, "dlinknet34", shapes("dlinknet34"))
    assert report.part == "network"
    assert not report.has_problems
    assert len(arrays) == 266
    for ours, theirs in {
        "dblock.dilate3.bias": "module.dblock.dilate3.bias",
        "decoder2.deconv2.weight": "module.decoder2.deconv2.weight",
        "decoder1.norm3.moving_mean": "module.decoder1.norm3.running_mean",
        "encoder2.0.down_sample.1.gamma": "module.encoder2.0.downsample.1.weight",
        "finalconv3.weight": "module.finalconv3.weight",
    }.items():
        assert (arrays[ours] == origin(weights, theirs)).all()


def test_mindcv_resnet():
    wanted = shapes("deeplabv3_resnet50")
    prefix = "backbone.net."
    mindcv = {n.removeprefix(prefix): a for n, a in like(wanted).items() if n.startswith(prefix)}
    mindcv |= {"classifier.weight": np.zeros((1000, 2048), np.float32), "classifier.bias": np.zeros(1000, np.float32)}
    arrays, report = map_weights(mindcv, "deeplabv3_resnet50", wanted)
    assert (report.part, report.has_problems) == ("encoder", False)
    assert set(report.left_out) == {"classifier.weight", "classifier.bias"}
    assert all((arrays[prefix + n] == a).all() for n, a in mindcv.items() if not n.startswith("classifier"))


def test_published_mindspore_dlinknet_lacks_biases_and_has_state():
    wanted = shapes("dlinknet50")
    published = {n: a for n, a in like(wanted).items() if "deconv2.bias" not in n and n != "dblock.dilate5.bias"}
    published |= {f"moment1.{n}": a for n, a in list(published.items())[:5]}
    published |= {"scale_sense": np.float32(1), "global_step": np.int32([4])}
    arrays, report = map_weights(published, "dlinknet50", wanted)
    assert not report.has_problems
    assert set(report.filled) == {*(f"decoder{i}.deconv2.bias" for i in range(1, 5)), "dblock.dilate5.bias"}
    assert arrays["decoder4.deconv2.bias"].shape == (512,)
    assert not arrays["dblock.dilate5.bias"].any()
    assert "moment1.firstconv.weight" in report.left_out


def test_wrapped_deeplab_and_ports_of_dgcnet():
    wanted = shapes("deeplabv3_resnet50")
    wrapped = {f"network.{n}": a for n, a in like(wanted, classes=21).items()}
    arrays, report = map_weights(wrapped, "deeplabv3_resnet50", wanted)
    assert (report.part, report.has_problems, len(arrays)) == ("network", False, len(wanted))

    wanted = shapes("dgcnet50")
    port = {f"net.{n.replace('down_sample', 'downsample')}": a for n, a in like(wanted, classes=19).items()}
    port["net.dsn.0.weight"] = np.ones((512, 1024, 3, 3), np.float32)
    torch_shaped = "net.head.dualgcn.conv_wg.weight"
    port[torch_shaped] = port[torch_shaped][:, :, 0]
    arrays, report = map_weights(port, "dgcnet50", wanted)
    assert not report.has_problems
    assert arrays["head.dualgcn.conv_wg.weight"].shape == (256, 256, 1, 1)
    assert arrays["dsn.0.weight"].shape == (512, 1024, 3, 3)


def test_authors_names_of_lednet():
    weights = read_torch(DATA / "lednet.pth")
    arrays, report = map_weights(weights, "lednet", shapes("lednet"))
    assert (report.part, report.has_problems, len(arrays)) == ("network", False, 494)
    for ours, theirs in {
        "layers.0.left.0.weight": "layers.0.conv3x1_1_l.weight",
        "layers.5.left.8.moving_mean": "layers.5.bn2_l.running_mean",
        "layers.14.right.0.bias": "layers.14.conv1x3_1_r.bias",
        "layers.14.right.7.weight": "layers.14.conv3x1_2_r.weight",
        "apn.branch1.1.conv.weight": "apn.branch1.1.conv.0.weight",
        "apn.mid.0.bn.gamma": "apn.mid.0.conv.1.weight",
    }.items():
        assert (arrays[ours] == origin(weights, theirs)).all()


def test_efficientnet_into_any_decoder():
    weights = read_torch(DATA / "efficientnet-lite0.pth")
    arrays, report = map_weights(weights, "dlinknet_efficientnet_lite0", shapes("dlinknet_efficientnet_lite0"))
    assert (report.part, report.has_problems) == ("encoder", False)
    for ours, theirs in {
        "encoder.conv_stem.weight": "_conv_stem.weight",
        "encoder.bn0.moving_variance": "_bn0.running_var",
        "encoder.blocks.0.bn2.beta": "_blocks.0._bn2.bias",
        "encoder.blocks.15.depthwise_conv.weight": "_blocks.15._depthwise_conv.weight",
    }.items():
        assert (arrays[ours] == origin(weights, theirs)).all()
    head = {name for name in report.left_out if not name.endswith("num_batches_tracked")}
    assert head == {
        "conv_head.weight",
        *(f"bn1.{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")),
        "fc.weight",
        "fc.bias",
    }


def test_short_names_of_a_dlinknet_on_an_efficientnet():
    wanted = shapes("dlinknet_efficientnet_lite2")
    ours = {
        "enc.stem.weight": "encoder.conv_stem.weight",
        "enc.blocks.20.ex.0.weight": "encoder.blocks.20.expand_conv.weight",
        "enc.blocks.3.dw.weight": "encoder.blocks.3.depthwise_conv.weight",
        "enc.blocks.3.pj.weight": "encoder.blocks.3.project_conv.weight",
        "red.0.weight": "decoder.reduce.0.weight",
        "dil.3.bias": "decoder.center.dilate4.bias",
        "d4.n.3.weight": "decoder.decoder4.deconv2.weight",
        "d1.n.6.weight": "decoder.decoder1.conv3.weight",
        "f.bias": "decoder.finaldeconv1.bias",
        "f2.weight": "decoder.finalconv2.weight",
        "f3.bias": "head.bias",
    }
    norms = {
        "enc.b0": "encoder.bn0",
        "enc.blocks.20.ex.1": "encoder.blocks.20.bn0",
        "enc.blocks.0.b1": "encoder.blocks.0.bn1",
    }
    norms |= {"red.1": "decoder.reduce.1", "d3.n.1": "decoder.decoder3.norm1", "d2.n.7": "decoder.decoder2.norm3"}
    for theirs, name in norms.items():
        ours |= {f"{theirs}.weight": f"{name}.gamma", f"{theirs}.running_mean": f"{name}.moving_mean"}
    sizes = {"classes": 1, "bands": 3}
    weights = {n: np.zeros([sizes.get(size, size) for size in wanted[name]], np.float32) for n, name in ours.items()}
    _, report = map_weights(weights, "dlinknet_efficientnet_lite2", wanted, part="network")
    assert set(report.matched) == set(ours.values())
    assert not report.unexpected + report.mismatched


def test_mindcv_deeplabv3plus_has_a_module_for_the_decoder():
    wanted = shapes("deeplabv3plus_resnet50")
    own = ("conv1.", "bn1.", "last_conv.")
    mindcv = {f"decoder.{n}" if n.startswith(own) else n: a for n, a in like(wanted, classes=21).items()}
    assert "decoder.last_conv.6.weight" in mindcv
    arrays, report = map_weights(mindcv, "deeplabv3plus_resnet50", wanted)
    assert (report.part, report.has_problems, len(arrays)) == ("network", False, len(wanted))


def test_problems_are_named():
    wanted = shapes("dlinknet34")
    weights = read_torch(DATA / "extra.pth")
    del weights["layer1.0.conv1.weight"]
    weights["layer1.1.conv1.weight"] = weights["layer1.1.conv1.weight"][:, :32]
    _, report = map_weights(weights, "dlinknet34", wanted)
    assert report.missing == ("encoder1.0.conv1.weight",)
    assert report.unexpected == ("surprise.weight",)
    assert report.mismatched == ("encoder1.1.conv1.weight [64, 32, 3, 3] instead of [64, 64, 3, 3]",)
    assert "surprise.weight" in report.details()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_beyond_float32_are_refused(value):
    wanted = {"conv.weight": (1, 1, 1, 1)}
    with pytest.raises(CheckpointError, match=r"conv\.weight"):
        map_weights({"conv.weight": np.full((1, 1, 1, 1), value)}, "lednet", wanted)


def test_duplicate_names_are_refused():
    weights = {"module.conv.weight": np.ones((1, 1, 1, 1)), "conv.weight": np.ones((1, 1, 1, 1))}
    with pytest.raises(CheckpointError, match="twice"):
        map_weights(weights, "lednet", {"conv.weight": (1, 1, 1, 1)})
