"""``terraspore convert`` from a file to a checkpoint."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from command_line import run_last
from terraspore.engine.models.checkpoint import read_checkpoint

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
