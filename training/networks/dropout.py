"""Dropout whose masks follow from a number, so that a resumed run drops what an unbroken one would have dropped.

MindSpore keeps the state of its random numbers inside its kernels, from where it can neither be saved nor put back.
Here whether an element is dropped is computed from its place, the number of its layer and a key, by an integer hash
that gives the same on every device. The trainer sets the key before each batch; it follows from the run's seed, the
step and the process.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

#: the odd factor of the hash: "lowbias" by Ellis (https://nullprogram.com/blog/2018/07/31/, public domain); below
#: 2**31, so that its product with 32 bits stays within 63
_FACTOR = 0x45D9F3B
_WORD = 0xFFFFFFFF
#: distance of the places of two layers in the hash's input
_LAYER = 0x9E3779B1


class SeededDropout(nn.Cell):
    """Drops elements, or whole channels, with a probability while training; what stays is scaled up.

    A layer that is used twice in one pass drops the same both times. Until a trainer gives it a key (``bind_dropout``)
    the masks are MindSpore's own random ones.

    Args:
        probability: with which an element or a channel is dropped, 0 to 1 (1 excluded).
        channels: whether whole channels are dropped, (N, C, H, W), rather than single elements of any shape.
    """

    def __init__(self, probability: float, *, channels: bool) -> None:
        super().__init__()
        self.probability = probability
        self.channels = channels
        self.number = 0
        self._set_key(None)

    def bind(self, key: Parameter, number: int) -> None:
        """Take the masks from ``key``, an int64 scalar; ``number`` tells the layers of a network apart."""
        self.number = number
        self._set_key(key)

    def _set_key(self, key: Parameter | None) -> None:
        # Past nn.Cell, which would make the key a parameter of the network: no checkpoint should hold it.
        object.__setattr__(self, "key", key)

    def construct(self, x: Tensor) -> Tensor:
        """Tensor of the shape and type of ``x``."""
        if not self.training or self.probability == 0:
            return x
        if self.key is None:
            return ops.dropout2d(x, self.probability) if self.channels else ops.dropout(x, self.probability)
        shape = (x.shape[0], x.shape[1], 1, 1) if self.channels else x.shape
        count = 1
        for size in shape:
            count = count * size
        places = ops.arange(0, count, dtype=ms.int64) + ((self.number + 1) * _LAYER & _WORD)
        words = mixed(ops.bitwise_xor(mixed(ops.bitwise_and(places, _WORD)), self.key))
        kept = ops.cast(words >= int(self.probability * 2**32), x.dtype) / (1.0 - self.probability)
        return x * kept.reshape(shape)


def mixed(words: Tensor) -> Tensor:
    """A hash of 32-bit numbers, one to one: int64 (n) of values 0 to 2**32 - 1 to the same."""
    for _ in range(2):
        words = ops.bitwise_and(ops.bitwise_xor(words, _high(words)) * _FACTOR, _WORD)
    return ops.bitwise_xor(words, _high(words))


def _high(words: Tensor) -> Tensor:
    return ops.bitwise_right_shift(words, Tensor(16, ms.int64))


def bind_dropout(network: nn.Cell) -> Parameter | None:
    """Give all dropout layers of a network one key, which is returned; None where it has no such layer."""
    layers = [cell for _, cell in network.cells_and_names() if isinstance(cell, SeededDropout)]
    if not layers:
        return None
    key = Parameter(Tensor(0, ms.int64), name="dropout_key", requires_grad=False)
    for number, layer in enumerate(layers):
        layer.bind(key, number)
    return key


def batch_key(seed: int, batch: int, rank: int) -> int:
    """The key of a batch, 0 to 2**32 - 1: another one for every batch (counted over the run) and process."""
    return int(np.random.SeedSequence([seed, 13, batch, rank]).generate_state(1)[0])
