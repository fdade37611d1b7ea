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
from torch import nn
from torch_networks import DLinkNet34, EfficientNetLite0, LEDNet, ResNet

FOLDER = Path(__file__).parent / "data"


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
