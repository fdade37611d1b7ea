"""Makes ``data/small.mindir`` and ``data/small.npz`` with MindSpore: ``python tests/engine/mindir/make_data.py``."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

import mindspore as ms
import numpy as np
from mindspore import nn

FOLDER = Path(__file__).parent / "data"


class Small(nn.Cell):
    """A convolution with uneven padding, a normalisation, a pooling and a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, pad_mode="pad", padding=(0, 1, 2, 1), has_bias=True)
        self.bn = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, 1, pad_mode="pad", padding=1)
        self.up = nn.Conv2dTranspose(4, 2, 3, 2, "pad", (1, 0, 1, 0), has_bias=True)

    def construct(self, image: ms.Tensor) -> ms.Tensor:
        return self.up(self.pool(self.bn(self.conv(image))))


def main() -> None:
    generator = np.random.default_rng(5)
    network = Small()
    for parameter in network.get_parameters():
        parameter.set_data(ms.Tensor(generator.uniform(0.2, 1, parameter.shape).astype(np.float32)))
    network.set_train(False)
    image = generator.normal(size=(1, 3, 8, 10)).astype(np.float32)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "small.mindir"
    path.unlink(missing_ok=True)
    ms.export(network, ms.Tensor(image), file_name=str(path), file_format="MINDIR")
    path.chmod(0o644)
    np.savez(FOLDER / "small.npz", image=image, output=network(ms.Tensor(image)).asnumpy())


if __name__ == "__main__":
    main()
