"""DGCNet: a dilated ResNet with a dual graph convolution head.

Zhang, Li et al., "Dual Graph Convolutional Network for Semantic Segmentation", BMVC 2019,
https://arxiv.org/abs/1909.06121; https://github.com/lxtGH/GALD-DGCNet and the MindSpore port ``dgcnet_res101``.

Differences from the port, on purpose: batch normalisation uses its moving statistics in evaluation (the port forces
those of the batch), the auxiliary head drops whole channels as the original does, and the logits are resized to the
picture inside the network. Shortcuts are named ``down_sample`` as in every encoder here.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from .encoders import ResNetEncoder
from .layers import channel_dropout, conv, conv1d, norm, norm1d, relu, resize, same_conv, sequence


class CoordinateGraph(nn.Cell):
    """Graph convolution in a projected coordinate space: relations between places.

    On (N, C, h, w) with half = C / 2: from the keys k, queries q and values v, each (N, half, h w), the nodes'
    relations softmax(q v^T) weigh the keys; a convolution over the nodes follows.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.half = half
        self.node_k = conv(channels, half, 1, bias=True)
        self.node_v = conv(channels, half, 1, bias=True)
        self.node_q = conv(channels, half, 1, bias=True)
        self.conv_wg = conv1d(half, half)
        self.bn_wg = norm1d(half)
        self.out = sequence(conv(half, channels, 1, bias=True), norm(channels))
        self.softmax = nn.Softmax(-1)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) to the same shape."""
        batch, _, height, width = x.shape
        key = self.node_k(x).reshape((batch, self.half, height * width)).transpose((0, 2, 1))
        value = self.node_v(x).reshape((batch, self.half, height * width)).transpose((0, 2, 1))
        query = self.node_q(x).reshape((batch, self.half, height * width))
        relations = self.softmax(ops.bmm(query, value))
        mixed = ops.bmm(key, relations).transpose((0, 2, 1))
        mixed = self.bn_wg(self.conv_wg(mixed)).reshape((batch, self.half, height, width))
        return self.relu(x + self.out(mixed))


class DualGraph(nn.Cell):
    """Graph convolutions over places and over features, joined.

    Args:
        channels: of input and output: 512 in the paper.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.half, self.quarter = half, quarter
        self.phi = conv(channels, half, 1)
        self.bn_phi = norm(half)
        self.theta = conv(channels, quarter, 1)
        self.bn_theta = norm(quarter)
        self.conv_adj = conv1d(quarter, quarter)
        self.bn_adj = norm1d(quarter)
        self.conv_wg = conv1d(half, half)
        self.bn_wg = norm1d(half)
        self.conv3 = conv(half, channels, 1)
        self.bn3 = norm(channels)
        self.local = sequence(*(cell for _ in range(3) for cell in _halving(channels)))
        self.gcn_local_attention = CoordinateGraph(channels)
        self.final = sequence(conv(2 * channels, channels, 1), norm(channels))
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        places = resize(self.gcn_local_attention(self.local(x)), x.shape[2:])
        places = x * places + x
        return self.final(ops.cat((places, self.features(x)), 1))

    def features(self, x: Tensor) -> Tensor:
        """The graph convolution over features: (N, channels, H, W) to the same shape."""
        batch, _, height, width = x.shape
        phi = self.bn_phi(self.phi(x)).reshape((batch, self.half, height * width))
        theta = self.bn_theta(self.theta(x)).reshape((batch, self.quarter, height * width))
        nodes = ops.bmm(phi, theta.transpose((0, 2, 1)))
        states = self.bn_adj(self.conv_adj(nodes.transpose((0, 2, 1)))).transpose((0, 2, 1))
        states = self.bn_wg(self.conv_wg(nodes + states))
        y = ops.bmm(states, theta).reshape((batch, self.half, height, width))
        return self.relu(x + self.bn3(self.conv3(y)))


def _halving(channels: int) -> tuple[nn.Cell, nn.Cell]:
    """A depthwise 3x3 convolution of stride 2 and its norm."""
    return conv(channels, channels, 3, stride=2, padding=1, groups=channels), norm(channels)


class DualGraphHead(nn.Cell):
    """The dual graph between two convolutions, joined with the encoder's features, and the classifier.

    Args:
        in_channels: of the encoder's last feature.
        middle: channels inside.
        num_classes: channels of the output.
    """

    def __init__(self, in_channels: int, middle: int, num_classes: int) -> None:
        super().__init__()
        self.conva = sequence(same_conv(in_channels, middle, 3), norm(middle), relu())
        self.dualgcn = DualGraph(middle)
        self.convb = sequence(same_conv(middle, middle, 3), norm(middle), relu())
        self.bottleneck = sequence(
            same_conv(in_channels + middle, middle, 3),
            norm(middle),
            relu(),
            conv(middle, num_classes, 1, bias=True),
        )

    def construct(self, x: Tensor) -> Tensor:
        """(N, in_channels, h, w) to (N, num_classes, h, w)."""
        y = self.convb(self.dualgcn(self.conva(x)))
        return self.bottleneck(ops.cat((x, y), 1))


class DGCNet(nn.Cell):
    """A ResNet of deep stem and output stride 8 with the dual graph head; an auxiliary head while training.

    Args:
        depth: of the ResNet: 50 or 101.
        num_classes: channels of the output.
        in_channels: bands of the image.
    """

    def __init__(self, depth: int = 101, *, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        encoder = ResNetEncoder(depth, in_channels=in_channels, stem="deep", output_stride=8)
        third, fourth = encoder.out_channels[3:]
        self.conv1 = encoder.conv1
        self.bn1 = encoder.bn1
        self.relu = encoder.relu
        self.max_pool = encoder.max_pool
        self.layer1, self.layer2, self.layer3, self.layer4 = encoder.stages
        self.head = DualGraphHead(fourth, 512, num_classes)
        self.dsn = sequence(
            conv(third, 512, 3, padding=1, bias=True),
            norm(512),
            channel_dropout(0.1),
            conv(512, num_classes, 1, bias=True),
        )

    def construct(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W); while training, also the auxiliary head's."""
        x = self.max_pool(self.relu(self.bn1(self.conv1(image))))
        third = self.layer3(self.layer2(self.layer1(x)))
        logits = resize(self.head(self.layer4(third)), image.shape[2:])
        if self.training:
            return logits, resize(self.dsn(third), image.shape[2:])
        return logits
