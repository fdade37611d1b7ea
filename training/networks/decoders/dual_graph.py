"""DGCNet's decoder: graph convolutions over positions and over features.

Zhang, Li et al., "Dual Graph Convolutional Network for Semantic Segmentation", BMVC 2019,
https://arxiv.org/abs/1909.06121; https://github.com/lxtGH/GALD-DGCNet and the MindSpore port ``dgcnet_res101``.

Differences from the port, on purpose: batch normalisation uses its running statistics in evaluation (the port forces
those of the batch), the auxiliary head drops whole channels as the original does, and the logits are resized to the
image inside the network. Shortcuts are named ``down_sample`` as in every encoder here.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from ..encoders.base import Encoder
from ..layers import channel_dropout, conv, conv1d, norm, norm1d, relu, resize, same_conv, sequence
from ..options import NetworkOptions
from .base import Decoder


class CoordinateGraph(nn.Cell):
    """Graph convolution in a projected coordinate space: relations between positions.

    Keeps the shape (N, C, h, w). With half = C / 2: from the keys k, queries q and values v, each (N, half, h w), the
    relations of the nodes softmax(q v^T) weigh the keys; a convolution over the nodes follows.

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
        """Relate every position to every other."""
        batch, _, height, width = x.shape
        key = self.node_k(x).reshape((batch, self.half, height * width)).transpose((0, 2, 1))
        value = self.node_v(x).reshape((batch, self.half, height * width)).transpose((0, 2, 1))
        query = self.node_q(x).reshape((batch, self.half, height * width))
        relations = self.softmax(ops.bmm(query, value))
        mixed = ops.bmm(key, relations).transpose((0, 2, 1))
        mixed = self.bn_wg(self.conv_wg(mixed)).reshape((batch, self.half, height, width))
        return self.relu(x + self.out(mixed))


class DualGraph(nn.Cell):
    """Graph convolutions over positions and over features, joined; keeps the shape (N, channels, H, W).

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
        self.local = sequence(
            *(
                layer
                for _ in range(3)
                for layer in (conv(channels, channels, 3, stride=2, padding=1, groups=channels), norm(channels))
            )
        )
        self.gcn_local_attention = CoordinateGraph(channels)
        self.final = sequence(conv(2 * channels, channels, 1), norm(channels))
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Join both graph convolutions."""
        positions = resize(self.gcn_local_attention(self.local(x)), x.shape[2:])
        positions = x * positions + x
        return self.final(ops.cat((positions, self.features(x)), 1))

    def features(self, x: Tensor) -> Tensor:
        """Apply the graph convolution over features: (N, channels, H, W) to the same shape."""
        batch, _, height, width = x.shape
        phi = self.bn_phi(self.phi(x)).reshape((batch, self.half, height * width))
        theta = self.bn_theta(self.theta(x)).reshape((batch, self.quarter, height * width))
        nodes = ops.bmm(phi, theta.transpose((0, 2, 1)))
        states = self.bn_adj(self.conv_adj(nodes.transpose((0, 2, 1)))).transpose((0, 2, 1))
        states = self.bn_wg(self.conv_wg(nodes + states))
        y = ops.bmm(states, theta).reshape((batch, self.half, height, width))
        return self.relu(x + self.bn3(self.conv3(y)))


class DualGraphDecoder(Decoder):
    """The dual graph between two convolutions, joined with the encoder's last feature.

    Args:
        encoder: as published, a ResNet of deep stem and output stride 8.
        options: not needed.
    """

    def __init__(self, encoder: Encoder, options: NetworkOptions) -> None:
        super().__init__(encoder, options)
        channels, width = encoder.out_channels[-1], 512
        self.auxiliary_channels = encoder.out_channels[-2]
        self.conva = sequence(same_conv(channels, width, 3), norm(width), relu())
        self.dualgcn = DualGraph(width)
        self.convb = sequence(same_conv(width, width, 3), norm(width), relu())
        self.bottleneck = sequence(same_conv(channels + width, width, 3), norm(width), relu())
        self.out_channels = width

    def construct(self, features: tuple[Tensor, ...]) -> Tensor:
        """Decode to (N, 512, h, w) of the last feature's size."""
        x = features[4]
        y = self.convb(self.dualgcn(self.conva(x)))
        return self.bottleneck(ops.cat((x, y), 1))

    def create_auxiliary_head(self, num_classes: int) -> nn.Cell | None:
        """Create the deeply supervised head: 3x3 convolution, dropout of channels, 1x1 convolution."""
        return sequence(
            conv(self.auxiliary_channels, 512, 3, padding=1, bias=True),
            norm(512),
            channel_dropout(0.1),
            conv(512, num_classes, 1, bias=True),
        )
