"""D-LinkNet and its LinkNet34 baseline.

Zhou, Zhang and Wu, "D-LinkNet: LinkNet with Pretrained Encoder and Dilated Convolution for High Resolution Satellite
Imagery Road Extraction", CVPR Workshops 2018; https://github.com/zlckanata/DeepGlobe-Road-Extraction-Challenge.

Differences from the publications, on purpose: the network gives logits, since the sigmoid inside the original overflows
in half precision together with its loss; the transposed convolutions and the fifth dilated convolution have the biases
that the MindSpore port lost. Parameter names are the original's, with MindSpore's names of normalisation parameters.
"""

from __future__ import annotations

from mindspore import Tensor, nn

from .decoders import DilationBlock, LinkBlock
from .encoders import ResNetEncoder
from .layers import StemPool, conv, deconv, relu


class DLinkNet(nn.Cell):
    """A ResNet encoder, a dilated centre and four decoder blocks with additive skips from three encoder stages.

    Args:
        depth: of the ResNet: 34, 50 or 101. The centre has four links at 34 and five otherwise.
        num_classes: channels of the output.
        in_channels: bands of the image.
        stem_pool: "symmetric" for weights of torchvision and of the original, "same" for MindCV's.
        dilated: False leaves the centre out and takes the head of the LinkNet34 baseline, whose convolutions are not
            padded.
    """

    size_multiple = 32

    def __init__(
        self,
        depth: int = 34,
        *,
        num_classes: int = 1,
        in_channels: int = 3,
        stem_pool: StemPool = "symmetric",
        dilated: bool = True,
    ) -> None:
        super().__init__()
        encoder = ResNetEncoder(depth, in_channels=in_channels, stem_pool=stem_pool)
        _, first, second, third, fourth = encoder.out_channels
        self.firstconv = encoder.conv1
        self.firstbn = encoder.bn1
        self.firstmaxpool = encoder.max_pool
        self.relu = relu()
        self.encoder1, self.encoder2, self.encoder3, self.encoder4 = encoder.stages
        self.dblock = DilationBlock(fourth, links=4 if depth == 34 else 5) if dilated else None
        self.decoder4 = LinkBlock(fourth, third)
        self.decoder3 = LinkBlock(third, second)
        self.decoder2 = LinkBlock(second, first)
        self.decoder1 = LinkBlock(first, first)
        if dilated:
            self.finaldeconv1 = deconv(first, 32, 4, stride=2, padding=1)
            self.finalconv2 = conv(32, 32, 3, padding=1, bias=True)
            self.finalconv3 = conv(32, num_classes, 3, padding=1, bias=True)
        else:
            self.finaldeconv1 = deconv(first, 32, 3, stride=2)
            self.finalconv2 = conv(32, 32, 3, bias=True)
            self.finalconv3 = conv(32, num_classes, 2, padding=1, bias=True)

    def construct(self, image: Tensor) -> Tensor:
        """Logits of an image.

        Args:
            image: (N, in_channels, H, W), H and W multiples of 32; the original's normalisation is
                ``value / 255 * 3.2 - 1.6``.

        Returns:
            (N, num_classes, H, W).
        """
        x = self.firstmaxpool(self.relu(self.firstbn(self.firstconv(image))))
        skip1 = self.encoder1(x)
        skip2 = self.encoder2(skip1)
        skip3 = self.encoder3(skip2)
        x = self.encoder4(skip3)
        if self.dblock is not None:
            x = self.dblock(x)
        x = self.decoder4(x) + skip3
        x = self.decoder3(x) + skip2
        x = self.decoder2(x) + skip1
        x = self.decoder1(x)
        x = self.relu(self.finaldeconv1(x))
        x = self.relu(self.finalconv2(x))
        return self.finalconv3(x)
