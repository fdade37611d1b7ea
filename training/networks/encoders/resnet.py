"""ResNet encoders (He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385).

Depths 18, 34, 50 and 101, with the stride of a bottleneck on its 3x3 convolution as torchvision and MindCV have it.
Parameter names are MindCV's: ``conv1.weight``, ``bn1.gamma``, ``layer1.0.conv1.weight``,
``layer2.0.down_sample.0.weight``.
"""

from __future__ import annotations

from typing import Literal

from mindspore import Tensor, nn

from ....engine.errors import ParameterError
from ..layers import StemPool, conv, max_pool, norm, relu, same_conv, sequence, stem_max_pool
from .base import Encoder

#: depth -> (whether blocks are bottlenecks, blocks per stage)
DEPTHS: dict[int, tuple[bool, tuple[int, int, int, int]]] = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
}
WIDTHS = (64, 128, 256, 512)
#: factors of the dilations of the three blocks of a dilated last stage
MULTIGRID = (1, 2, 4)

Stem = Literal["single", "deep"]


class BasicBlock(nn.Cell):
    """Two 3x3 convolutions around a shortcut: (N, in, H, W) to (N, width, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride=stride, padding=dilation, dilation=dilation)
        self.bn1 = norm(width)
        self.conv2 = conv(width, width, 3, padding=dilation, dilation=dilation)
        self.bn2 = norm(width)
        self.relu = relu()
        self.down_sample = create_shortcut(in_channels, width, stride)

    def construct(self, x: Tensor) -> Tensor:
        """Compute the features of the block."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.down_sample is not None:
            x = self.down_sample(x)
        return self.relu(y + x)


class Bottleneck(nn.Cell):
    """1x1, 3x3 and 1x1 convolutions around a shortcut: (N, in, H, W) to (N, 4 width, H/stride, W/stride)."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 1)
        self.bn1 = norm(width)
        self.conv2 = conv(width, width, 3, stride=stride, padding=dilation, dilation=dilation)
        self.bn2 = norm(width)
        self.conv3 = conv(width, 4 * width, 1)
        self.bn3 = norm(4 * width)
        self.relu = relu()
        self.down_sample = create_shortcut(in_channels, 4 * width, stride)

    def construct(self, x: Tensor) -> Tensor:
        """Compute the features of the block."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.down_sample is not None:
            x = self.down_sample(x)
        return self.relu(y + x)


def create_shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Cell | None:
    """Create the projection of a block's shortcut; None where the input fits as it is."""
    if stride == 1 and in_channels == out_channels:
        return None
    return sequence(conv(in_channels, out_channels, 1, stride=stride), norm(out_channels))


def plan_stages(output_stride: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Choose stride and dilations (repeated over a stage's blocks) of the four stages.

    A stage that keeps its size dilates instead, and the dilations of the last stage's blocks are multiplied by the
    multigrid 1, 2, 4 (Chen et al., https://arxiv.org/abs/1706.05587).

    Raises:
        ParameterError: ``output_stride`` is not 8, 16 or 32.
    """
    if output_stride == 32:
        return ((1, (1,)), (2, (1,)), (2, (1,)), (2, (1,)))
    if output_stride == 16:
        return ((1, (1,)), (2, (1,)), (2, (1,)), (1, tuple(2 * grid for grid in MULTIGRID)))
    if output_stride == 8:
        return ((1, (1,)), (2, (1,)), (1, (2,)), (1, tuple(4 * grid for grid in MULTIGRID)))
    raise ParameterError(f"A ResNet has an output stride of 8, 16 or 32, not {output_stride}.")


class ResNetEncoder(Encoder):
    """A ResNet without its classifier.

    Args:
        depth: 18, 34, 50 or 101.
        in_channels: bands of the image.
        stem: "single" is a 7x7 convolution of stride 2; "deep" is three 3x3 ones (64, 64 and 128 channels).
        stem_pool: see ``layers.stem_max_pool``; a deep stem always pools with symmetric padding and, in a dilated
            encoder as DGCNet's, keeps a last partial window (at output stride 32 every feature has to halve exactly).
        output_stride: 32, or 16 and 8 with dilated last stages. The parameters are the same for all three.

    Raises:
        ParameterError: a depth or output stride that does not exist.
    """

    def __init__(
        self,
        depth: int,
        *,
        in_channels: int = 3,
        stem: Stem = "single",
        stem_pool: StemPool = "symmetric",
        output_stride: int = 32,
    ) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ParameterError(f"There is no ResNet{depth} here; depths are {', '.join(map(str, DEPTHS))}.")
        is_bottleneck, blocks = DEPTHS[depth]
        block = Bottleneck if is_bottleneck else BasicBlock
        width = 64 if stem == "single" else 128
        if stem == "single":
            self.conv1 = conv(in_channels, 64, 7, stride=2, padding=3)
            self.max_pool = stem_max_pool(stem_pool)
        else:
            self.conv1 = create_deep_stem(in_channels)
            self.max_pool = max_pool(3, stride=2, padding=1, ceil=output_stride < 32)
        self.bn1 = norm(width)
        self.relu = relu()
        plan = plan_stages(output_stride)
        outs = tuple(block.expansion * w for w in WIDTHS)
        self.layer1 = create_stage(block, (width, WIDTHS[0]), blocks[0], plan[0])
        self.layer2 = create_stage(block, (outs[0], WIDTHS[1]), blocks[1], plan[1])
        self.layer3 = create_stage(block, (outs[1], WIDTHS[2]), blocks[2], plan[2])
        self.layer4 = create_stage(block, (outs[2], WIDTHS[3]), blocks[3], plan[3])
        self.out_channels = (width, outs[0], outs[1], outs[2], outs[3])
        self.output_stride = output_stride

    def construct(self, image: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of the stem, in front of its pooling, and of the four stages."""
        stem = self.relu(self.bn1(self.conv1(image)))
        first = self.layer1(self.max_pool(stem))
        second = self.layer2(first)
        third = self.layer3(second)
        return stem, first, second, third, self.layer4(third)


def create_deep_stem(in_channels: int) -> nn.Cell:
    """Create three 3x3 convolutions in place of the 7x7 one, 128 channels at half the size; ``bn1`` follows."""
    return sequence(
        conv(in_channels, 64, 3, stride=2, padding=1),
        norm(64),
        relu(),
        same_conv(64, 64, 3),
        norm(64),
        relu(),
        same_conv(64, 128, 3),
    )


def create_stage(
    block: type[BasicBlock] | type[Bottleneck], channels: tuple[int, int], count: int, plan: tuple[int, tuple[int, ...]]
) -> nn.Cell:
    """Create a stage of ``count`` blocks.

    Args:
        block: the kind of block.
        channels: of the stage's input, and the blocks' width.
        count: number of blocks.
        plan: stride of the first block, and dilations that the blocks take in turn.
    """
    in_channels, width = channels
    stride, dilations = plan
    return sequence(
        *(
            block(
                in_channels if index == 0 else width * block.expansion,
                width,
                stride=stride if index == 0 else 1,
                dilation=dilations[index % len(dilations)],
            )
            for index in range(count)
        )
    )
