from __future__ import annotations

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.networks import architecture_name, create_network, network_names

pytestmark = pytest.mark.mindspore


def test_all_promised_networks_are_there():
    assert {
        "dlinknet34",
        "dlinknet50",
        "dlinknet101",
        "linknet34",
        "linknet",
        "linknet_residual",
        "linknet_nobypass",
        "lednet",
        "lednet_binary",
        "dgcnet50",
        "dgcnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3plus_resnet101",
    } <= set(network_names())


def test_architecture_carries_options_that_are_not_the_default():
    assert architecture_name("dlinknet34") == "dlinknet34"
    assert architecture_name("dlinknet34", stem_pool="symmetric") == "dlinknet34"
    assert architecture_name("dlinknet34", stem_pool="same") == "dlinknet34-same"
    assert architecture_name("deeplabv3_resnet50", stem_pool="symmetric", output_stride=8) == (
        "deeplabv3_resnet50-symmetric-os8"
    )
    assert create_network("deeplabv3_resnet50-os8", num_classes=2).backbone.net.output_stride == 8


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("dlinknet", {}, "dlinknet34"),
        ("dlinknet34", {"num_classes": 0}, "class"),
        ("dlinknet34", {"output_stride": 8}, "output_stride"),
        ("dlinknet34", {"stem_pool": "reflect"}, "reflect"),
        ("lednet", {"stem_pool": "same", "num_classes": 2}, "stem_pool"),
        ("lednet", {"num_classes": 1}, "lednet_binary"),
        ("lednet_binary", {"num_classes": 2}, "at most 1 class"),
        ("dlinknet34-os9", {}, "os9"),
        ("deeplabv3_resnet50-os8", {"output_stride": 16}, "output_stride"),
    ],
)
def test_what_does_not_exist_is_refused_with_a_sentence(name, options, part):
    with pytest.raises(ParameterError, match=part):
        create_network(name, **{"num_classes": 1, **options})
