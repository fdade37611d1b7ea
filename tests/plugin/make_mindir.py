"""Makes ``data/road.mindir`` with MindSpore: ``python tests/plugin/make_mindir.py``. A 1x1 convolution, 3 to 1."""

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

TARGET = Path(__file__).parent / "data" / "road.mindir"


class Road(nn.Cell):
    """Half of each band."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1, has_bias=True)
        self.conv.weight.set_data(ms.Tensor(np.full((1, 3, 1, 1), 0.5, np.float32)))
        self.conv.bias.set_data(ms.Tensor(np.zeros(1, np.float32)))

    def construct(self, image: ms.Tensor) -> ms.Tensor:
        return self.conv(image)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    image = ms.Tensor(np.zeros((1, 3, 64, 64), np.float32))
    ms.export(Road().set_train(False), image, file_name=str(TARGET), file_format="MINDIR")
    TARGET.chmod(0o644)
