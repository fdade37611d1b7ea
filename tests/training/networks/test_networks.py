"""Every network: size, shape, gradients, saving, and the engine's graph of it against MindSpore."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
import pytest
from mindspore import nn, ops
from onnx import numpy_helper
from terraspore.training.checkpoint_io import load_checkpoint
from terraspore.training.export.graphs import list_graphs
from terraspore.training.networks import create_network, network_entry

GRAPHS = Path(__file__).resolve().parents[3] / "resources" / "graphs"

pytestmark = pytest.mark.mindspore


def trainable(network: nn.Cell, part: str | None = None) -> int:
    """Number of trainable weights, of those with ``part`` in their name."""
    return sum(p.size for p in network.trainable_params() if part is None or part in p.name.split("."))


def create_with_statistics(name: str, **options) -> nn.Cell:
    """Create a network in evaluation mode with random statistics, scales and biases."""
    ms.set_seed(7)
    network = create_network(name, **options)
    generator = np.random.default_rng(7)
    for parameter in network.get_parameters():
        if parameter.name.endswith("moving_mean"):
            parameter.set_data(ms.Tensor(generator.normal(0, 0.1, parameter.shape).astype(np.float32)))
        elif parameter.name.endswith(("moving_variance", "gamma")):
            parameter.set_data(ms.Tensor(generator.uniform(0.7, 1.3, parameter.shape).astype(np.float32)))
        elif parameter.name.endswith(("beta", "bias")):
            parameter.set_data(ms.Tensor(generator.normal(0, 0.05, parameter.shape).astype(np.float32)))
    network.set_train(False)
    return network


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def open_session(graph: onnx.ModelProto, network: nn.Cell) -> onnxruntime.InferenceSession:
    """Open the graph without weights, with the network's weights loaded."""
    weights = {p.name: p.asnumpy() for p in network.get_parameters()}
    for value in list(graph.graph.input)[1:]:
        graph.graph.initializer.append(numpy_helper.from_array(weights[value.name], value.name))
    del graph.graph.input[1:]
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


class NetworkTests:
    """Tests of every network; a subclass names one."""

    name: str
    classes = 3
    #: published numbers of trainable weights, by number of classes
    counts: ClassVar[dict[int, int]] = {}
    #: architectures of the graphs to compare
    graphs: tuple[str, ...] = ()

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls) -> nn.Cell:
        return create_with_statistics(cls.name, num_classes=cls.classes)

    def test_has_the_published_number_of_weights(self):
        for classes, count in self.counts.items():
            assert trainable(create_network(self.name, num_classes=classes)) == count

    def test_takes_images_of_any_multiple(self, network):
        multiple = network_entry(self.name).multiple
        size = (45, 67) if multiple == 1 else (2 * multiple, 5 * multiple)
        logits = network(ms.Tensor(noise(1, 3, *size)))
        assert logits.shape == (1, self.classes, *size)
        assert np.isfinite(logits.asnumpy()).all()

    def test_every_weight_gets_a_finite_gradient(self):
        network = create_with_statistics(self.name, num_classes=self.classes)
        network.set_train()
        weights = network.trainable_params()
        target = ms.Tensor(np.arange(2 * 64 * 64).reshape(2, 64, 64) % self.classes, ms.int32)

        def loss(image):
            outputs = network(image)
            if self.classes == 1:
                return outputs.abs().mean()
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            return sum(ops.cross_entropy(output, target) for output in outputs)

        gradients = ms.value_and_grad(loss, None, weights)(ms.Tensor(noise(2, 3, 64, 64)))[1]
        dead = [w.name for w, g in zip(weights, gradients, strict=True) if not np.abs(g.asnumpy()).max() > 0]
        assert all(np.isfinite(g.asnumpy()).all() for g in gradients)
        assert not [name for name in dead if not self.may_be_dead(name)]

    def may_be_dead(self, name: str) -> bool:
        """Whether a weight's gradient vanishes in principle: biases in front of a normalisation."""
        return name.endswith("bias")

    def test_is_the_same_after_saving_and_loading(self, network, tmp_path):
        ms.save_checkpoint(network, str(tmp_path / "weights.ckpt"))
        other = create_network(self.name, num_classes=self.classes)
        count, skipped = load_checkpoint(other, tmp_path / "weights.ckpt")
        assert count == len(list(network.get_parameters()))
        assert not skipped
        other.set_train(False)
        image = ms.Tensor(noise(1, 3, 64, 64))
        np.testing.assert_array_equal(network(image).asnumpy(), other(image).asnumpy())

    def test_the_engines_graph_computes_the_same(self, network):
        for architecture in self.graphs:
            cell = network
            if architecture != self.name:
                spec = list_graphs()[architecture]
                options = network_entry(spec.network).graph_options(spec.options)
                cell = create_network(spec.network, num_classes=self.classes, **options)
                ms.load_param_into_net(cell, {p.name: p for p in network.get_parameters()}, True)
                cell.set_train(False)
            session = open_session(onnx.load(GRAPHS / f"{architecture}.onnx"), cell)
            for shape in ((1, 3, 64, 128), (2, 3, 96, 32)):
                image = noise(*shape)
                wanted = cell(ms.Tensor(image)).asnumpy()
                np.testing.assert_allclose(session.run(None, {"image": image})[0], wanted, atol=1e-3)
                assert np.abs(wanted).max() > 0.01, "nothing to compare"


class TestDLinkNet34(NetworkTests):
    name = "dlinknet34"
    classes = 1
    counts: ClassVar[dict[int, int]] = {1: 31_096_129}
    graphs = ("dlinknet34", "dlinknet34-same")

    def test_every_weight_gets_a_finite_gradient(self):
        network = create_with_statistics(self.name, num_classes=1)
        network.set_train()
        weights = network.trainable_params()
        loss = ms.value_and_grad(lambda x: network(x).abs().mean(), None, weights)
        assert all(np.isfinite(g.asnumpy()).all() for g in loss(ms.Tensor(noise(2, 3, 64, 64)))[1])

    def test_has_the_names_that_published_weights_have(self, network):
        names = {p.name for p in network.get_parameters()}
        assert {
            "firstconv.weight",
            "firstbn.moving_variance",
            "encoder1.0.conv1.weight",
            "encoder2.0.down_sample.0.weight",
            "encoder4.2.bn2.gamma",
            "dblock.dilate4.bias",
            "decoder4.norm1.beta",
            "decoder1.deconv2.weight",
            "decoder1.conv3.bias",
            "finaldeconv1.bias",
            "finalconv2.weight",
            "finalconv3.bias",
        } <= names
        assert len(names) == 266

    def test_its_centre_starts_with_biases_of_zero(self):
        network = create_network("dlinknet34", num_classes=1)
        biases = [p for p in network.get_parameters() if p.name.startswith("dblock") and p.name.endswith("bias")]
        assert len(biases) == 4
        assert not any(p.asnumpy().any() for p in biases)


class TestDLinkNetEfficientNetLite2(NetworkTests):
    name = "dlinknet_efficientnet_lite2"
    counts: ClassVar[dict[int, int]] = {1: 6_896_861}
    graphs = ("dlinknet_efficientnet_lite2",)


class TestLinkNet34(NetworkTests):
    name = "linknet34"
    counts: ClassVar[dict[int, int]] = {1: 21_642_401}
    graphs = ("linknet34",)


class TestLinkNet(NetworkTests):
    name = "linknet"
    counts: ClassVar[dict[int, int]] = {20: 11_535_828}
    graphs = ("linknet",)


class TestLinkNetResidual(NetworkTests):
    name = "linknet_residual"
    counts: ClassVar[dict[int, int]] = {20: 13_062_932, 12: 13_061_900}
    graphs = ("linknet_residual",)


class TestLinkNetNoBypass(NetworkTests):
    name = "linknet_nobypass"
    counts: ClassVar[dict[int, int]] = {20: 11_536_820, 12: 11_535_788}
    graphs = ("linknet_nobypass",)


def with_lively_scores(network: nn.Cell) -> nn.Cell:
    """A LEDNet whose scores are not all 0."""
    for parameter in network.get_parameters():
        if parameter.name.startswith("apn.") and parameter.name.endswith("beta"):
            parameter.set_data(ms.ops.ones_like(parameter))
    return network


class TestLEDNet(NetworkTests):
    name = "lednet"
    counts: ClassVar[dict[int, int]] = {6: 913_981, 19: 917_387}
    graphs = ("lednet", "lednet-eps1e-05")

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls):
        return with_lively_scores(create_with_statistics(cls.name, num_classes=cls.classes))

    def may_be_dead(self, name):
        return name.endswith("bias") or name.startswith("apn.")  # a one-channel ReLU may be off everywhere

    def test_scores_are_as_published_never_negative(self, network):
        assert network(ms.Tensor(noise(1, 3, 64, 64))).asnumpy().min() >= 0

    def test_its_first_phase_trains_the_same_encoder(self, network):
        encoder = create_network("lednet_encoder", num_classes=3)
        shared = {p.name for p in encoder.get_parameters()} & {p.name for p in network.get_parameters()}
        own = {p.name for p in encoder.get_parameters()} - shared
        assert own == {"output_conv.weight", "output_conv.bias"}
        assert {p.name for p in network.get_parameters() if not p.name.startswith("apn.")} == shared


class TestLEDNetBinary(NetworkTests):
    name = "lednet_binary"
    classes = 1
    counts: ClassVar[dict[int, int]] = {1: 912_933}
    graphs = ("lednet_binary",)

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls):
        return with_lively_scores(create_with_statistics(cls.name, num_classes=1))

    def may_be_dead(self, name):
        return name.endswith("bias") or name.startswith("apn.")  # a one-channel ReLU may be off everywhere

    def test_its_logit_is_the_difference_of_two_scores(self, network):
        plain = create_with_statistics("lednet", num_classes=2)
        ms.load_param_into_net(plain, {p.name: p for p in network.get_parameters()}, strict_load=True)
        image = ms.Tensor(noise(1, 3, 45, 67))
        scores, logits = plain(image).asnumpy(), network(image).asnumpy()
        np.testing.assert_allclose(logits[:, 0], scores[:, 1] - scores[:, 0], atol=1e-4)
        assert np.abs(logits).max() > 0.01, "nothing to compare"


class TestDGCNet50(NetworkTests):
    name = "dgcnet50"
    counts: ClassVar[dict[int, int]] = {19: 53_514_470}
    graphs = ("dgcnet50",)

    def test_has_an_auxiliary_head_while_training_only(self, network):
        image = ms.Tensor(noise(2, 3, 33, 33))
        network.set_train()
        outputs = network(image)
        network.set_train(False)
        assert [output.shape for output in outputs] == [(2, 3, 33, 33)] * 2
        assert network(image).shape == (2, 3, 33, 33)


class TestDeepLabV3(NetworkTests):
    name = "deeplabv3_resnet50"
    graphs = ("deeplabv3_resnet50", "deeplabv3_resnet50-os8")

    def test_output_strides_share_weights_but_not_results(self, network):
        other = create_network(self.name, num_classes=self.classes, output_stride=8)
        ms.load_param_into_net(other, {p.name: p for p in network.get_parameters()}, True)
        other.set_train(False)
        image = ms.Tensor(noise(1, 3, 64, 64))
        assert other.encoder(image)[4].shape[2:] == (8, 8)
        assert network.encoder(image)[4].shape[2:] == (4, 4)
        assert np.abs(other(image).asnumpy() - network(image).asnumpy()).max() > 1e-3


class TestDeepLabV3Plus(NetworkTests):
    name = "deeplabv3plus_resnet50"
    graphs = ("deeplabv3plus_resnet50",)


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("dlinknet50", 1, 217_645_089),
        ("dlinknet101", 1, 236_637_217),
        ("dgcnet101", 19, 72_506_598),
        ("deeplabv3_resnet101", 21, 58_040_661),
    ],
)
def test_large_networks_have_the_published_number_of_weights(name, classes, count):
    assert trainable(create_network(name, num_classes=classes)) == count


def test_parts_of_dgcnet_have_the_published_number_of_weights():
    network = create_network("dgcnet101", num_classes=19)
    assert trainable(network, "dsn") == 4_729_875
    assert trainable(network, "head") == 25_152_787
    assert trainable(network, "dualgcn") == 1_547_008
    assert len(network.trainable_params()) == 375


def test_deeplabv3_has_the_published_tensors():
    network = create_network("deeplabv3_resnet101", num_classes=21)
    moving = [p for p in network.get_parameters() if "moving" in p.name]
    assert len(network.trainable_params()) == 332
    assert sum(p.size for p in moving) == 108_416
    names = {p.name for p in network.get_parameters()}
    assert {
        "backbone.net.conv1.weight",
        "backbone.net.layer4.2.conv2.weight",
        "aspp.aspp_convs.3._aspp_conv.1.gamma",
        "aspp.aspp_convs.4.conv.0.weight",
        "aspp.conv1.weight",
        "aspp.bn1.beta",
        "conv.bias",
    } <= names
