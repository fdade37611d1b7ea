from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.networks.encoders import ResNetEncoder
from terraspore.training.networks.encoders.resnet import plan_stages

pytestmark = pytest.mark.mindspore


@pytest.mark.parametrize(("depth", "count"), [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160)])
def test_weights_without_the_classifier_are_those_published(depth, count):
    assert sum(p.size for p in ResNetEncoder(depth).trainable_params()) == count


def test_contract_of_an_encoder():
    encoder = ResNetEncoder(18, in_channels=4)
    features = encoder(ms.Tensor(np.zeros((1, 4, 64, 96), np.float32)))
    assert tuple(f.shape[1] for f in features) == encoder.out_channels == (64, 64, 128, 256, 512)
    assert [f.shape[2:] for f in features] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert encoder.output_stride == 32
    assert len(encoder.stages) == 4


def test_dilated_stages_keep_their_size():
    encoder = ResNetEncoder(50, output_stride=8)
    features = encoder(ms.Tensor(np.zeros((1, 3, 64, 64), np.float32)))
    assert [f.shape[2] for f in features] == [32, 16, 8, 8, 8]


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
