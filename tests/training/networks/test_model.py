"""Any encoder with any decoder."""

from __future__ import annotations

from itertools import product

import mindspore as ms
import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.engine.mindir import convert
from terraspore.training.config import Config, NetworkConfig
from terraspore.training.export.graphs import export_mindir
from terraspore.training.networks import create_configured_network, create_network
from terraspore.training.networks.decoders import DECODERS
from terraspore.training.networks.encoders import ENCODERS
from terraspore.training.networks.layers import bind_dropout
from terraspore.training.networks.lednet import Downsampler, shuffle

pytestmark = pytest.mark.mindspore


#: the smallest encoder of each kind, which stands first in the table
KINDS = {(spec.family, *spec.choices): name for name, spec in reversed(ENCODERS.items())}.values()


@pytest.mark.parametrize(("decoder", "encoder"), list(product(DECODERS, KINDS)))
def test_any_decoder_on_any_encoder(decoder, encoder):
    network = create_network(f"{decoder}_{encoder}", num_classes=3, in_channels=4)
    network.set_train(False)
    size = (61, 83) if DECODERS[decoder].multiple == 1 else (64, 96)
    image = np.random.default_rng(0).normal(size=(1, 4, *size)).astype(np.float32)
    logits = network(ms.Tensor(image))
    assert logits.shape == (1, 3, *size)
    assert np.isfinite(logits.asnumpy()).all()


@pytest.mark.parametrize("decoder", [name for name, spec in DECODERS.items() if "output_stride" in spec.choices])
def test_decoders_of_dilated_encoders_take_odd_images(decoder):
    network = create_network(f"{decoder}_efficientnet_lite0", num_classes=2, output_stride=8)
    network.set_train(False)
    image = ms.Tensor(np.random.default_rng(0).normal(size=(1, 3, 61, 83)).astype(np.float32))
    assert network(image).shape == (1, 2, 61, 83)
    assert network.encoder(image)[4].shape[2:] == (8, 11)


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("absent_resnet34", {}, "no network named"),
        ("resnet34", {}, "no network named"),
        ("dlinknet_vgg", {}, "no network named"),
        ("dlinknet_resnet18", {"output_stride": 8}, "no option 'output_stride'"),
        ("deeplabv3_resnet34", {"output_stride": 4}, "16 or 8 or 32, not 4"),
        ("dlinknet_efficientnet_lite0", {"stem_pool": "same"}, "no option 'stem_pool'"),
        ("dlinknet_efficientnet_lite0", {"last_channels": 0}, "last_channels"),
        ("dlinknet_efficientnet_lite0", {"block_bias": 1}, "true or false"),
        ("deeplabv3_efficientnet_lite0", {"last_channels": 8}, "no option 'last_channels'"),
    ],
)
def test_pairs_and_options_that_do_not_exist_are_refused(name, options, part):
    with pytest.raises(ParameterError, match=part):
        create_network(name, num_classes=1, **options)


def test_options_of_the_decoder_shape_it():
    light = create_network("dlinknet_efficientnet_lite0", num_classes=1)
    options = {"center_channels": 0, "block_channels": 1, "block_bias": True, "finest_skip": False, "last_channels": 32}
    published = create_network("dlinknet_efficientnet_lite0", num_classes=1, **options)
    shapes = [{p.name: p.shape for p in network.get_parameters()} for network in (light, published)]
    added = {"decoder.decoder1.conv1.bias", "decoder.decoder4.deconv2.bias", "decoder.decoder4.conv3.bias"}
    assert set(shapes[0]) - set(shapes[1]) == {
        f"decoder.reduce.{name}" for name in ("0.weight", "1.gamma", "1.beta", "1.moving_mean", "1.moving_variance")
    }
    assert added < set(shapes[1]) - set(shapes[0])
    assert [shape["decoder.finalconv2.weight"] for shape in shapes] == [(16, 16, 3, 3), (32, 32, 3, 3)]
    assert [shape["decoder.center.dilate1.weight"][0] for shape in shapes] == [256, 320]
    assert [shape["decoder.decoder1.conv1.weight"][0] for shape in shapes] == [16, 6]
    # As published, the last block has the width of the first stage; with the skip, that of the finest feature.
    assert [shape["decoder.decoder1.conv3.weight"][0] for shape in shapes] == [16, 24]
    image = ms.Tensor(np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32))
    without = create_network("dlinknet_efficientnet_lite0", num_classes=1)
    without.decoder.has_finest_skip = False
    ms.load_param_into_net(without, {p.name: p for p in light.get_parameters()}, True)
    logits = [network.set_train(False)(image).asnumpy() for network in (light, without)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


def test_shuffle_interleaves_the_halves_of_the_channels():
    x = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    assert shuffle(ms.Tensor(x)).asnumpy().ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_downsampler_puts_the_pooling_behind_the_convolution():
    cell = Downsampler(2, 5)
    cell.set_train(False)
    x = np.abs(np.random.default_rng(13).normal(size=(1, 2, 4, 6)).astype(np.float32))
    pooled = x.reshape(1, 2, 2, 2, 3, 2).max(axis=(3, 5)) / np.sqrt(1 + 1e-3)
    result = cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (1, 5, 2, 3)
    np.testing.assert_allclose(result[:, 3:], pooled, rtol=1e-5)
    assert cell(ms.Tensor(np.zeros((1, 2, 5, 7), np.float32))).shape == (1, 5, 3, 4)


def configured(name="dlinknet_efficientnet_lite0", **dropout):
    return create_configured_network(Config(network=NetworkConfig(name, 1, **dropout)))


def test_paths_are_dropped_by_sample_and_more_often_in_later_blocks():
    network = configured(drop_path=0.6)
    blocks = list(network.encoder.blocks)
    rates = [block.drop_path.probability for block in blocks]
    assert rates == pytest.approx(np.linspace(0, 0.6, len(blocks)))
    key = bind_dropout(network)
    network.set_train(True)
    shares = []
    assert not blocks[-1].has_shortcut
    for index in [i for i, block in enumerate(blocks) if block.has_shortcut]:
        block = blocks[index]
        channels = block.project_conv.weight.shape[0]
        x = ms.Tensor(np.random.default_rng(0).normal(size=(64, channels, 4, 4)).astype(np.float32))
        ms.ops.assign(key, ms.Tensor(index, ms.int64))
        branch = block(x).asnumpy() - x.asnumpy()
        kept = (branch != 0).any((1, 2, 3))
        assert (branch[kept] != 0).mean() > 0.9
        shares.append(1 - kept.mean())
        # Five standard deviations of 64 draws.
        assert shares[-1] == pytest.approx(rates[index], abs=0.31)
    assert shares[0] < shares[-1]


def test_channels_are_dropped_in_front_of_the_head():
    features = [
        ms.Tensor(np.random.default_rng(0).normal(size=(8, channels, 64 // stride, 64 // stride)).astype(np.float32))
        for channels, stride in zip((16, 24, 40, 112, 320), (2, 4, 8, 16, 32), strict=True)
    ]
    dropped = []
    for probability in (0.0, 0.5):
        network = configured(decoder_dropout=probability)
        network.set_train(True)
        dropped.append((network.decoder(tuple(features)).asnumpy() == 0).all((2, 3)).mean())
    assert dropped[0] < 0.1
    assert 0.3 < dropped[1] < 0.75


def test_dropout_changes_neither_weights_nor_predictions_nor_the_graph():
    plain, dropping = configured(), configured(drop_path=0.3, decoder_dropout=0.3)
    assert bind_dropout(plain) is None
    key = bind_dropout(dropping)
    assert key is not None
    names = [[parameter.name for parameter in network.get_parameters()] for network in (plain, dropping)]
    assert names[0] == names[1]
    for one, other in zip(plain.get_parameters(), dropping.get_parameters(), strict=True):
        other.set_data(one.value())
    image = ms.Tensor(np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32))
    for network in (plain, dropping):
        network.set_train(False)
    assert np.array_equal(plain(image).asnumpy(), dropping(image).asnumpy())
    graphs = [convert(export_mindir(network, (1, 3, 64, 64))).graph for network in (plain, dropping)]
    assert [node.op_type for node in graphs[0].node] == [node.op_type for node in graphs[1].node]
    dropping.set_train(True)
    outputs = []
    for number in (1, 2):
        ms.ops.assign(key, ms.Tensor(number, ms.int64))
        outputs.append(dropping(image).asnumpy())
    assert not np.array_equal(*outputs)


@pytest.mark.parametrize(
    ("name", "dropout"),
    [
        ("dlinknet_resnet18", {"drop_path": 0.1}),
        ("deeplabv3_efficientnet_lite0", {"decoder_dropout": 0.1}),
        ("lednet_binary", {"drop_path": 0.1}),
        ("lednet_binary", {"decoder_dropout": 0.1}),
        ("linknet", {"decoder_dropout": 0.1}),
    ],
)
def test_dropout_that_a_network_does_not_have_is_refused(name, dropout):
    with pytest.raises(ParameterError, match=f"network.{next(iter(dropout))}"):
        configured(name, **dropout)


@pytest.mark.parametrize("name", ["linknet_resnet18", "linknet34", "dlinknet34"])
def test_every_pair_with_a_linknet_decoder_has_its_dropout(name):
    assert configured(name, decoder_dropout=0.1).decoder.dropout.probability == 0.1
