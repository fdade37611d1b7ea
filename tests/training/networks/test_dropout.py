"""Dropout by a key: what is dropped is random in its places, and the same for the same key."""

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from mindspore import nn
from terraspore.training.networks import create_network
from terraspore.training.networks.dropout import SeededDropout, batch_key, bind_dropout, mixed

pytestmark = pytest.mark.mindspore


def layers(*cells: SeededDropout) -> tuple[nn.SequentialCell, ms.Parameter]:
    network = nn.SequentialCell(*cells)
    network.set_train(True)
    key = bind_dropout(network)
    assert key is not None
    return network, key


def drawn(cell: nn.Cell, key: ms.Parameter, number: int, x: np.ndarray) -> np.ndarray:
    ms.ops.assign(key, ms.Tensor(number, ms.int64))
    return cell(ms.Tensor(x)).asnumpy()


def test_the_hash_is_the_published_one() -> None:
    def reference(x: int) -> int:
        for _ in range(2):
            x = ((x ^ (x >> 16)) * 0x45D9F3B) % 2**32
        return x ^ (x >> 16)

    words = [0, 1, 2, 12345, 2**31, 2**32 - 1]
    assert mixed(ms.Tensor(words, ms.int64)).asnumpy().tolist() == [reference(word) for word in words]


@pytest.mark.parametrize("probability", [0.03, 0.3, 0.7])
def test_share_and_scale_of_what_stays(probability: float) -> None:
    network, key = layers(SeededDropout(probability, channels=False))
    y = drawn(network, key, batch_key(1, 2, 0), np.ones((4, 16, 32, 32), np.float32))
    assert (y > 0).mean() == pytest.approx(1 - probability, abs=0.01)  # five standard deviations of 65536 draws
    assert np.unique(y) == pytest.approx([0, 1 / (1 - probability)])
    # Neighbours along every axis are independent of each other.
    kept = y > 0
    for axis in range(4):
        both = (kept & np.roll(kept, 1, axis)).mean()
        assert both == pytest.approx((1 - probability) ** 2, abs=0.012)


def test_whole_channels_are_dropped_and_their_gradient_too() -> None:
    network, key = layers(SeededDropout(0.5, channels=True))
    x = np.random.default_rng(0).uniform(1, 2, (8, 32, 3, 5)).astype(np.float32)
    y = drawn(network, key, 7, x)
    kept = (y != 0).all((2, 3))
    assert ((y == 0).all((2, 3)) | kept).all()
    assert np.array_equal(y[kept], 2 * x[kept])
    assert 80 < kept.sum() < 176
    gradient = ms.grad(network)(ms.Tensor(x)).asnumpy()
    assert np.array_equal(gradient, np.where(kept[:, :, None, None], np.float32(2), np.float32(0)) * np.ones_like(x))


def test_masks_follow_from_key_and_layer() -> None:
    one, two = SeededDropout(0.5, channels=False), SeededDropout(0.5, channels=False)
    _, key = layers(one, two)
    x = np.ones((2, 8, 16, 16), np.float32)
    first = drawn(one, key, batch_key(5, 0, 0), x)
    others = [drawn(one, key, batch_key(*words), x) for words in ((5, 1, 0), (5, 0, 1), (6, 0, 0))]
    others.append(drawn(two, key, batch_key(5, 0, 0), x))
    for other in others:
        assert abs(np.corrcoef(first.ravel() > 0, other.ravel() > 0)[0, 1]) < 0.08
    assert np.array_equal(drawn(one, key, batch_key(5, 0, 0), x), first)


@pytest.mark.parametrize(
    ("name", "count"), [("lednet", 13), ("dgcnet50", 1), ("deeplabv3_resnet50", 1), ("linknet", 0)]
)
def test_all_dropout_of_a_network_follows_from_the_key(name: str, count: int) -> None:
    network = create_network(name, num_classes=2)
    key = bind_dropout(network)
    cells = [cell for _, cell in network.cells_and_names()]
    layers = [cell for cell in cells if isinstance(cell, SeededDropout)]
    assert [layer.number for layer in layers] == list(range(count))
    assert all(layer.key is key for layer in layers)
    assert not any(isinstance(cell, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d) for cell in cells)
    assert "dropout_key" not in [parameter.name for parameter in network.get_parameters()]


def test_compiled_code_takes_a_new_key() -> None:
    network, key = layers(SeededDropout(0.5, channels=False))
    x = np.ones((1, 4, 8, 8), np.float32)
    compiled = ms.jit(network)
    first, second = drawn(compiled, key, 1, x), drawn(compiled, key, 2, x)
    assert not np.array_equal(first, second)
    assert np.array_equal(drawn(compiled, key, 1, x), first)
    assert np.array_equal(drawn(network, key, 2, x), second)


def test_nothing_is_dropped_in_evaluation_and_nothing_is_stored() -> None:
    network, key = layers(SeededDropout(0.9, channels=True))
    network.set_train(False)
    x = np.ones((1, 4, 2, 2), np.float32)
    assert np.array_equal(drawn(network, key, 3, x), x)
    assert list(network.get_parameters()) == []
    assert bind_dropout(nn.SequentialCell(nn.ReLU())) is None
    alone = SeededDropout(0.5, channels=True)
    alone.set_train(True)
    assert alone(ms.Tensor(np.ones((1, 64, 2, 2), np.float32))).asnumpy().max() == 2
