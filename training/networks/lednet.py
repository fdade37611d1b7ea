"""LEDNet in the variant of the Tecorigin model zoo, as a whole network.

Wang et al., "LEDNet: A Lightweight Encoder-Decoder Network for Real-time Semantic Segmentation", ICIP 2019,
https://arxiv.org/abs/1905.02423. Against the authors' code this variant splits the k x k convolutions of the attention
pyramid into k x 1 and 1 x k and takes images of any size.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from .layers import channel_dropout, conv, halving_max_pool, norm, relu, resize, same_conv, sequence

#: epsilon of the normalisation, also in the attention pyramid of upstream's weights
EPS = 1e-3
#: dilations of the last eight blocks
DILATIONS = (1, 2, 5, 9, 2, 5, 9, 17)


class Downsampler(nn.Cell):
    """A 3x3 convolution of stride 2 and a 2x2 pooling, concatenated and normalised.

    (N, in, H, W) to (N, out, ceil(H / 2), ceil(W / 2)); the pooling takes a last odd row or column by itself.

    Args:
        in_channels: of the input.
        out_channels: of the output; the convolution gives what the pooling does not.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels - in_channels, 3, stride=2, padding=1, bias=True)
        self.pool = halving_max_pool()
        self.bn = norm(out_channels, eps=EPS)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        return self.relu(self.bn(ops.cat((self.conv(x), self.pool(x)), 1)))


class SplitShuffleBlock(nn.Cell):
    """SS-nbt: two branches of one-dimensional convolutions on half the channels each, a shortcut, a channel shuffle.

    Keeps the shape (N, channels, H, W).

    Args:
        channels: of input and output, even.
        dropout: probability of dropping a channel of a branch while training.
        dilation: of the second pair of convolutions.
    """

    def __init__(self, channels: int, *, dropout: float, dilation: int = 1) -> None:
        super().__init__()
        half = channels // 2
        self.half = half
        self.left = _branch(half, ((3, 1), (1, 3)), dilation)
        self.right = _branch(half, ((1, 3), (3, 1)), dilation)
        self.dropout = channel_dropout(dropout)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Apply the block."""
        both = ops.cat((self.left(x[:, : self.half]), self.right(x[:, self.half :])), 1)
        return shuffle(self.relu(self.dropout(both) + x))


def _branch(channels: int, kernels: tuple[tuple[int, int], tuple[int, int]], dilation: int) -> nn.Cell:
    first, second = kernels
    return sequence(
        same_conv(channels, channels, first, bias=True),
        relu(),
        same_conv(channels, channels, second, bias=True),
        norm(channels, eps=EPS),
        relu(),
        same_conv(channels, channels, first, dilation=dilation, bias=True),
        relu(),
        same_conv(channels, channels, second, dilation=dilation, bias=True),
        norm(channels, eps=EPS),
    )


def shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels: 0, c/2, 1, c/2 + 1, ..."""
    batch, channels, height, width = x.shape
    pairs = x.reshape((batch, 2, channels // 2, height, width)).transpose((0, 2, 1, 3, 4))
    return pairs.reshape((batch, channels, height, width))


class AttentionPyramid(nn.Cell):
    """The decoder: a pyramid of three scales and one channel weighs the class scores; a global average is added.

    Args:
        channels: of the input.
        num_classes: channels of the output.
        eps: of the normalisation.
    """

    def __init__(self, channels: int, num_classes: int, *, eps: float) -> None:
        super().__init__()
        # The average has no weights; an identity in its place keeps the names of published weights.
        self.branch1 = sequence(nn.Identity(), ConvUnit(channels, num_classes, eps=eps))
        self.mid = sequence(ConvUnit(channels, num_classes, eps=eps))
        self.down1 = sequence(*_separable(channels, 7, stride=2, eps=eps))
        self.down2 = sequence(*_separable(1, 5, stride=2, eps=eps))
        self.down3 = sequence(*_separable(1, 3, stride=2, eps=eps), *_separable(1, 3, eps=eps))
        self.conv2 = sequence(*_separable(1, 5, eps=eps))
        self.conv1 = sequence(*_separable(1, 7, eps=eps))

    def construct(self, x: Tensor) -> Tensor:
        """Score (N, channels, h, w): (N, num_classes, h, w)."""
        average = self.branch1(x.mean((2, 3), keep_dims=True))
        first = self.down1(x)
        second = self.down2(first)
        third = self.down3(second)
        y = resize(third, second.shape[2:]) + self.conv2(second)
        y = resize(y, first.shape[2:]) + self.conv1(first)
        y = resize(y, x.shape[2:]) * self.mid(x)
        return y + average


class ConvUnit(nn.Cell):
    """1x1 convolution, norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, eps: float) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels, 1, bias=True)
        self.bn = norm(out_channels, eps=eps)
        self.relu = relu()

    def construct(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        return self.relu(self.bn(self.conv(x)))


def _separable(in_channels: int, kernel: int, *, eps: float, stride: int = 1) -> tuple[nn.Cell, ...]:
    """Create a kernel x 1 and a 1 x kernel convolution to one channel, norm and ReLU."""
    padding = (kernel - 1) // 2
    return (
        conv(in_channels, 1, (kernel, 1), stride=(stride, 1), padding=(padding, 0), bias=True),
        conv(1, 1, (1, kernel), stride=(1, stride), padding=(0, padding), bias=True),
        norm(1, eps=eps),
        relu(),
    )


class LEDNetFeatures(nn.Cell):
    """The encoder, base of the networks below: two blocks with the names of published weights.

    Args:
        in_channels: bands of the image, fewer than 32.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.initial_block = Downsampler(in_channels, 32)
        # The downsamplers are numbers 3 and 6.
        self.layers = sequence(
            *(SplitShuffleBlock(32, dropout=0.03) for _ in range(3)),
            Downsampler(32, 64),
            *(SplitShuffleBlock(64, dropout=0.03) for _ in range(2)),
            Downsampler(64, 128),
            *(SplitShuffleBlock(128, dropout=0.3, dilation=dilation) for dilation in DILATIONS),
        )

    def features(self, image: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to features (N, 128, H / 8, W / 8), sizes rounded up."""
        return self.layers(self.initial_block(image))


class LEDNetEncoder(LEDNetFeatures):
    """The encoder with a classifier of its own: what LEDNet's first phase of training trains.

    Its parameters have the names that they have in ``LEDNet``; ``output_conv`` is used in this phase only. The authors
    train this phase on labels at an eighth of the size; here the scores are resized to the image instead, so that
    every network has one interface.

    Args:
        num_classes: channels of the output.
        in_channels: bands of the image, fewer than 32.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3) -> None:
        super().__init__(in_channels)
        self.output_conv = conv(128, num_classes, 1, bias=True)

    def construct(self, image: Tensor) -> Tensor:
        """Compute logits (N, num_classes, H, W) of images (N, in_channels, H, W)."""
        return resize(self.output_conv(self.features(image)), image.shape[2:])


class LEDNet(LEDNetFeatures):
    """LEDNet: the encoder (output stride 8) and the attention pyramid.

    As published, the scores are sums and products of ReLU outputs and never negative, which suits a softmax only;
    ``LEDNetBinary`` is for a sigmoid.

    Args:
        num_classes: channels of the output, 2 or more.
        in_channels: bands of the image, fewer than 32.
        pyramid_eps: epsilon of the normalisation in the attention pyramid.
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, pyramid_eps: float = EPS) -> None:
        super().__init__(in_channels)
        self.apn = AttentionPyramid(128, num_classes, eps=pyramid_eps)

    def construct(self, image: Tensor) -> Tensor:
        """Compute logits (N, num_classes, H, W) of images (N, in_channels, H, W) of any H and W."""
        return resize(self.apn(self.features(image)), image.shape[2:])


class LEDNetBinary(LEDNet):
    """LEDNet for one class against the background, e.g. roads.

    LEDNet's scores are never negative, so a sigmoid of a single one is never below 0.5 and nothing would be background.
    Here LEDNet has two scores, background and class, and the logit is their difference: its sigmoid is the class's
    share of the softmax of the two. Apart from ``apn`` the parameters are those of ``LEDNet``.

    Args:
        num_classes: 1.
        in_channels: bands of the image, fewer than 32.
        pyramid_eps: epsilon of the normalisation in the attention pyramid.
    """

    def __init__(self, *, num_classes: int = 1, in_channels: int = 3, pyramid_eps: float = EPS) -> None:
        if num_classes != 1:
            raise ValueError(f"one class, not {num_classes}")
        super().__init__(num_classes=2, in_channels=in_channels, pyramid_eps=pyramid_eps)

    def construct(self, image: Tensor) -> Tensor:
        """Compute logits (N, 1, H, W) of images (N, in_channels, H, W) of any H and W."""
        scores = self.apn(self.features(image))
        return resize(scores[:, 1:2] - scores[:, 0:1], image.shape[2:])
