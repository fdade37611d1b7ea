"""DeepLabV3 and DeepLabV3+.

Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", https://arxiv.org/abs/1706.05587, and
"Encoder-Decoder with Atrous Separable Convolution", https://arxiv.org/abs/1802.02611; parameters as MindCV's
``examples/seg/deeplabv3`` has them. The rates of the pyramid stay 6, 12, 18 at output stride 8 as well, as in MindCV
(the paper doubles them); so the weights of output stride 16 and 8 are the same.
"""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import initializer

from .encoders import ResNetEncoder
from .layers import StemPool, conv, dropout, norm, relu, resize, same_conv, sequence

RATES = (6, 12, 18)


class Backbone(nn.Cell):
    """A ResNet under the name ``net``, so that parameters are called as in MindCV's files."""

    def __init__(self, net: ResNetEncoder) -> None:
        super().__init__()
        self.net = net

    def construct(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The features of the first and of the last stage."""
        features = self.net(image)
        return features[1], features[4]


class PyramidConv(nn.Cell):
    """A convolution of the pyramid with norm and ReLU.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        rate: dilation of the 3x3 kernel; 0 makes a 1x1 kernel.
    """

    def __init__(self, in_channels: int, out_channels: int, rate: int) -> None:
        super().__init__()
        cell = same_conv(in_channels, out_channels, 3, dilation=rate) if rate else conv(in_channels, out_channels, 1)
        self._aspp_conv = sequence(cell, norm(out_channels), relu())

    def construct(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h, w)."""
        return self._aspp_conv(x)


class PyramidPooling(nn.Cell):
    """The mean of the whole picture, convolved, at every place."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = sequence(conv(in_channels, out_channels, 1), norm(out_channels), relu())

    def construct(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h, w)."""
        return resize(self.conv(x.mean((2, 3), keep_dims=True)), x.shape[2:])


class AtrousPyramid(nn.Cell):
    """Atrous spatial pyramid pooling: convolutions of several rates and the global mean, joined.

    Args:
        in_channels: of the input.
        out_channels: of every part and of the output.
        drop: probability with which an element of the output is dropped while training.
    """

    def __init__(self, in_channels: int, out_channels: int = 256, *, drop: float = 0.7) -> None:
        super().__init__()
        self.aspp_convs = nn.CellList(
            [PyramidConv(in_channels, out_channels, rate) for rate in (0, *RATES)]
            + [PyramidPooling(in_channels, out_channels)]
        )
        self.conv1 = conv(5 * out_channels, out_channels, 1)
        self.bn1 = norm(out_channels)
        self.relu = relu()
        self.drop = dropout(drop)

    def construct(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h, w)."""
        parts = [part(x) for part in self.aspp_convs]
        return self.drop(self.relu(self.bn1(self.conv1(ops.cat(parts, 1)))))


class PyramidNetwork(nn.Cell):
    """What DeepLabV3 and V3+ begin with: a dilated ResNet and the atrous pyramid.

    Args:
        depth: of the ResNet: 50 or 101.
        in_channels: bands of the image.
        stem_pool: "same" for MindCV's weights, "symmetric" for torchvision's.
        output_stride: 16 or 8; the weights fit both.

    Attributes:
        fine_channels: channels of the first stage's features.
    """

    def __init__(
        self,
        depth: int = 101,
        *,
        in_channels: int = 3,
        stem_pool: StemPool = "same",
        output_stride: int = 16,
    ) -> None:
        super().__init__()
        encoder = ResNetEncoder(depth, in_channels=in_channels, stem_pool=stem_pool, output_stride=output_stride)
        self.fine_channels = encoder.out_channels[1]
        self.backbone = Backbone(encoder)
        self.aspp = AtrousPyramid(encoder.out_channels[-1])
        xavier(self.aspp)


class DeepLabV3(PyramidNetwork):
    """A dilated ResNet, the atrous pyramid and a 1x1 classifier.

    Args:
        depth: of the ResNet: 50 or 101.
        num_classes: channels of the output.
        **options: further arguments of ``PyramidNetwork``.
    """

    def __init__(self, depth: int = 101, *, num_classes: int, **options: Any) -> None:
        super().__init__(depth, **options)
        self.conv = conv(256, num_classes, 1, bias=True)
        xavier(self.conv)

    def construct(self, image: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W) of any H and W."""
        _, last = self.backbone(image)
        return resize(self.conv(self.aspp(last)), image.shape[2:])


class DeepLabV3Plus(PyramidNetwork):
    """DeepLabV3 with a decoder that takes the first stage's features in; arguments as of ``DeepLabV3``."""

    def __init__(self, depth: int = 101, *, num_classes: int, **options: Any) -> None:
        super().__init__(depth, **options)
        self.conv1 = conv(self.fine_channels, 48, 1)
        self.bn1 = norm(48)
        self.relu = relu()
        self.last_conv = sequence(
            same_conv(304, 256, 3),
            norm(256),
            relu(),
            same_conv(256, 256, 3),
            norm(256),
            relu(),
            conv(256, num_classes, 1),
        )
        xavier(self.conv1)
        xavier(self.last_conv)

    def construct(self, image: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W) of any H and W."""
        first, last = self.backbone(image)
        fine = self.relu(self.bn1(self.conv1(first)))
        coarse = resize(self.aspp(last), fine.shape[2:])
        return resize(self.last_conv(ops.cat((coarse, fine), 1)), image.shape[2:])


def xavier(cell: nn.Cell) -> None:
    """Start the kernels of ``cell`` Xavier-uniform, in place."""
    for _, part in cell.cells_and_names():
        if isinstance(part, nn.Conv2d):
            part.weight.set_data(initializer("xavier_uniform", part.weight.shape, part.weight.dtype))
