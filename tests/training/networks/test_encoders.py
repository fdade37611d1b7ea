from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.networks.encoders import ENCODERS, create_encoder
from terraspore.training.networks.encoders.efficientnet_lite import EfficientNetLiteEncoder
from terraspore.training.networks.encoders.resnet import ResNetEncoder, plan_stages
from terraspore.training.networks.options import NetworkOptions

pytestmark = pytest.mark.mindspore


@pytest.mark.parametrize(("depth", "count"), [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160)])
def test_weights_without_the_classifier_are_those_published(depth, count):
    assert sum(p.size for p in ResNetEncoder(depth).trainable_params()) == count


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_keeps_the_contract(name):
    encoder, dilated = (create_encoder(name, NetworkOptions(in_channels=4, output_stride=s)) for s in (32, 8))
    features = encoder.set_train(False)(ms.Tensor(np.zeros((1, 4, 64, 96), np.float32)))
    assert tuple(f.shape[1] for f in features) == encoder.out_channels
    assert [f.shape[2:] for f in features] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert (encoder.output_stride, dilated.output_stride) == (32, 8)
    names = [(p.name, p.shape) for p in encoder.get_parameters()]
    assert names == [(p.name, p.shape) for p in dilated.get_parameters()]
    assert {name.partition(".")[0] for name, _ in names} == set(ENCODERS[name].family.modules)


def test_plan_of_dilations():
    assert plan_stages(16)[2:] == ((2, (1,)), (1, (2, 4, 8)))
    assert plan_stages(8)[2:] == ((1, (2,)), (1, (4, 8, 16)))


def test_deep_stem_pools_a_last_partial_window():
    encoder = ResNetEncoder(50, stem="deep", output_stride=8)
    sizes = [f.shape[2] for f in encoder(ms.Tensor(np.zeros((1, 3, 32, 32), np.float32)))]
    assert sizes == [16, 9, 5, 5, 5]  # 16 after the stem; torch: ceil((16 + 2 - 3) / 2) + 1 = 9


@pytest.mark.parametrize("create", [lambda: ResNetEncoder(51), lambda: ResNetEncoder(50, output_stride=4)])
def test_unknown_depths_and_strides_are_refused(create):
    with pytest.raises(ParameterError):
        create()


@pytest.mark.parametrize(("number", "count"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)])
def test_efficientnets_have_the_published_number_of_weights(number, count):
    encoder = EfficientNetLiteEncoder(number)
    head = encoder.out_channels[4] * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.size for p in encoder.trainable_params()) + head == count


def test_efficientnets_are_the_published_ones():
    encoder = EfficientNetLiteEncoder(2)
    assert encoder.out_channels == (16, 24, 48, 120, 352)
    assert {cell.eps for _, cell in encoder.cells_and_names() if hasattr(cell, "eps")} == {1e-3}


@pytest.mark.parametrize(("stride", "sizes"), [(16, [32, 16, 8, 4, 4]), (8, [32, 16, 8, 8, 8])])
def test_dilated_stages_keep_their_size(stride, sizes):
    for encoder in (EfficientNetLiteEncoder(0, output_stride=stride), ResNetEncoder(50, output_stride=stride)):
        features = encoder(ms.Tensor(np.zeros((1, 3, 64, 64), np.float32)))
        assert [f.shape[2] for f in features] == sizes


def test_what_is_behind_a_stride_that_is_left_out_dilates():
    encoder = EfficientNetLiteEncoder(0, output_stride=8)
    convs = [block.depthwise_conv for block in encoder.blocks]
    dilations = [conv.dilation[-1] for conv in convs]
    # 16 blocks: 1, 2, 2, 3, 3, 4, 1; the first block of stages 4 and 6 would have strode
    assert dilations == [1] * 5 + [1, 2, 2] + [2] * 3 + [2, 4, 4, 4] + [4]
