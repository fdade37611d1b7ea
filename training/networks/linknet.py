"""LinkNet as its authors published it, and two variants: the whole networks ``linknet...``.

LinkNet's decoder for any encoder (``linknet34``, ``linknet_<encoder>``) is another variant, in ``decoders/linknet.py``.

Chaurasia and Culurciello, "LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation", VCIP 2017,
https://arxiv.org/abs/1707.03718; https://github.com/e-lab/pytorch-linknet (``linknet``) and
https://github.com/e-lab/LinkNet (Torch 7: the two variants, of which the PyTorch port has none).

The network gives logits; the port has a LogSoftmax inside.
"""

from __future__ import annotations

from typing import Literal

from mindspore import Tensor, nn

from .encoders.resnet import ResNetEncoder
from .layers import StemPool, conv, deconv, deconv_double, norm, relu, resize, same_conv, sequence

Variant = Literal["port", "residual", "nobypass"]


class LinkBlock(nn.Cell):
    """1x1 convolution to a quarter of the channels, 3x3 transposed convolution, 1x1 convolution; norm and ReLU each.

    (N, in, H, W) to (N, out, stride H, stride W).

    Args:
        channels: of input and output.
        stride: 2 doubles the size, 1 keeps it.
        bias: whether the convolutions have biases (Torch 7: yes, port: no).
        eps: of the normalisation.
    """

    def __init__(self, channels: tuple[int, int], *, stride: int, bias: bool, eps: float) -> None:
        super().__init__()
        middle = channels[0] // 4
        self.conv1 = sequence(conv(channels[0], middle, 1, bias=bias), norm(middle, eps=eps), relu())
        self.tp_conv = sequence(_transposed(middle, middle, stride, bias=bias), norm(middle, eps=eps), relu())
        self.conv2 = sequence(conv(middle, channels[1], 1, bias=bias), norm(channels[1], eps=eps), relu())

    def construct(self, x: Tensor) -> Tensor:
        """Convolve."""
        return self.conv2(self.tp_conv(self.conv1(x)))


class ResidualBlock(nn.Cell):
    """3x3 transposed and 1x1 convolution with a shortcut of a 1x1 convolution and a bilinear resize.

    (N, in, H, W) to (N, out, stride H, stride W). Only the Torch 7 repository has this block.
    Arguments as of ``LinkBlock``.
    """

    def __init__(self, channels: tuple[int, int], *, stride: int, bias: bool, eps: float) -> None:
        super().__init__()
        before, after = channels
        self.main = sequence(
            _transposed(before, after, stride, bias=bias),
            norm(after, eps=eps),
            relu(),
            conv(after, after, 1, bias=bias),
            norm(after, eps=eps),
        )
        self.shortcut = sequence(conv(before, after, 1, bias=bias), norm(after, eps=eps))
        self.relu = relu()
        self.stride = stride

    def construct(self, x: Tensor) -> Tensor:
        """Convolve, and add the shortcut."""
        main = self.main(x)
        short = self.shortcut(x)
        if self.stride > 1:
            short = resize(short, main.shape[2:])
        return self.relu(main + short)


def _transposed(before: int, after: int, stride: int, *, bias: bool) -> nn.Cell:
    if stride == 2:
        return deconv_double(before, after, bias=bias)
    return deconv(before, after, 3, stride=1, padding=1, bias=bias)


class LinkNet(nn.Cell):
    """ResNet18 with four decoder blocks and additive skips from the stem and three stages.

    Args:
        num_classes: channels of the output.
        in_channels: bands of the image.
        stem_pool: "symmetric" for weights of torchvision, "same" for MindCV's.
        variant: "port" is the PyTorch port (no biases in the decoder's blocks); "residual" has Torch 7's residual
            decoder; "nobypass" is Torch 7's network without the skips. Both of the latter have biases and a larger
            epsilon in the decoder's normalisation, as Torch 7 has.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int = 3, stem_pool: StemPool = "symmetric", variant: Variant = "port"
    ) -> None:
        super().__init__()
        encoder = ResNetEncoder(18, in_channels=in_channels, stem_pool=stem_pool)
        self.in_block = sequence(encoder.conv1, encoder.bn1, encoder.relu, encoder.max_pool)
        self.encoder1, self.encoder2 = encoder.layer1, encoder.layer2
        self.encoder3, self.encoder4 = encoder.layer3, encoder.layer4
        block = ResidualBlock if variant == "residual" else LinkBlock
        bias, eps = variant != "port", 1e-5 if variant == "port" else 1e-3
        self.decoder4 = block((512, 256), stride=2, bias=bias, eps=eps)
        self.decoder3 = block((256, 128), stride=2, bias=bias, eps=eps)
        self.decoder2 = block((128, 64), stride=2, bias=bias, eps=eps)
        self.decoder1 = block((64, 64), stride=1, bias=bias, eps=eps)
        self.tp_conv1 = sequence(deconv_double(64, 32), norm(32), relu())
        self.conv2 = sequence(same_conv(32, 32, 3, bias=True), norm(32, eps=eps), relu())
        self.tp_conv2 = deconv(32, num_classes, 2, stride=2)
        self.has_skips = variant != "nobypass"

    def construct(self, image: Tensor) -> Tensor:
        """Compute logits (N, num_classes, H, W) of images (N, in_channels, H, W), H and W multiples of 32."""
        stem = self.in_block(image)
        skip1 = self.encoder1(stem)
        skip2 = self.encoder2(skip1)
        skip3 = self.encoder3(skip2)
        x = self.decoder4(self.encoder4(skip3))
        if self.has_skips:
            x = self.decoder3(x + skip3)
            x = self.decoder2(x + skip2)
            x = self.decoder1(x + skip1) + stem
        else:
            x = self.decoder1(self.decoder2(self.decoder3(x)))
        return self.tp_conv2(self.conv2(self.tp_conv1(x)))
