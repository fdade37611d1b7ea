from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.networks import NETWORKS, create_network, network_entry, network_name, read_options
from terraspore.training.networks.decoders import DECODERS
from terraspore.training.networks.encoders import ENCODERS
from terraspore.training.networks.registry import rename

pytestmark = pytest.mark.mindspore


def test_all_names_are_documented():
    page = (Path(__file__).parents[3] / "docs" / "networks.md").read_text("utf-8")
    assert [name for name in (*NETWORKS, *DECODERS, *ENCODERS) if f"`{name}`" not in page] == []


def test_the_tables_need_no_mindspore():
    code = "import sys, terraspore.training.networks; sys.exit('mindspore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_options_that_change_the_graph_are_listed():
    def changed(name: str, **options: object) -> dict[str, str | int]:
        return network_entry(name).changed_options(read_options(name, options))

    assert changed("dlinknet34") == changed("dlinknet34", stem_pool="symmetric", in_channels=4) == {}
    assert changed("dlinknet34", stem_pool="same") == {"stem_pool": "same"}
    both = {"stem_pool": "symmetric", "output_stride": 8}
    assert changed("deeplabv3_resnet50", **both) == both
    assert changed("deeplabv3_resnet50", stem_pool="same", output_stride=16) == {}


def test_pairs_have_one_name():
    assert network_name("dlinknet", "resnet34") == "dlinknet34"
    assert network_entry("dlinknet_resnet34") is network_entry("dlinknet34")
    assert network_name("dual_graph", "efficientnet_lite1") == "dual_graph_efficientnet_lite1"
    assert network_entry("dual_graph_efficientnet_lite1").training_only == ("auxiliary_head.",)
    assert network_entry("linknet_efficientnet_lite0").multiple == 32


def test_an_efficientnet_has_a_light_decoder_by_default():
    options = read_options("dlinknet_efficientnet_lite2", {"last_channels": 32})
    assert (options.center_channels, options.last_channels, options.finest_skip) == (256, 32, True)
    assert read_options("dlinknet34", {}).center_channels == 0


def test_options_reach_the_encoder():
    assert create_network("deeplabv3_resnet50", num_classes=2, output_stride=8).encoder.output_stride == 8
    assert create_network("deeplabv3_resnet50", num_classes=2).encoder.output_stride == 16


def test_the_longest_prefix_of_a_parameter_is_renamed():
    names = {"decoder": "", "head": "last", "encoder": "net", "encoder.conv1": "stem"}
    renamed = {
        name: rename(name, names) for name in ("encoder.conv1.weight", "encoder.conv10.weight", "decoder.a.bias")
    }
    assert list(renamed.values()) == ["stem.weight", "net.conv10.weight", "a.bias"]
    assert rename("heads.weight", names) == "heads.weight"


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("dlinknet", {}, "dlinknet34"),
        ("dlinknet34", {"num_classes": 0}, "at least 1"),
        ("dlinknet34", {"in_channels": 0}, "bands"),
        ("dlinknet34", {"output_stride": 8}, "output_stride"),
        ("dlinknet34", {"stem_pool": "reflect"}, "reflect"),
        ("lednet", {"stem_pool": "same", "num_classes": 2}, "stem_pool"),
        ("lednet", {"num_classes": 1}, "lednet_binary"),
        ("lednet_binary", {"num_classes": 2}, "at most 1, not 2"),
        ("dlinknet34-same", {}, "dlinknet34-same"),
        ("deeplabv3_resnet50", {"output_stride": 32}, "16 or 8"),
    ],
)
def test_invalid_names_and_options_are_refused(name, options, part):
    with pytest.raises(ParameterError, match=part):
        create_network(name, **{"num_classes": 1, **options})
