"""Makes ``data/parity.npz`` with PyTorch: ``python tests/training/weights/make_parity.py [NETWORK ...]``.

For every case: names and shapes of the network's tensors; logits in evaluation; the losses and gradient norms of five
steps of training; logits in evaluation afterwards. All in float64, losses and norms also in float32.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from parity_cases import (
    AUXILIARY,
    CASES,
    DECAY,
    IGNORE,
    MOMENTUM,
    OHEM_KEEP,
    OHEM_THRESHOLD,
    STEPS,
    Case,
    make_batch,
    make_image,
    make_weights,
)
from torch import nn
from torch.nn import functional
from torch_networks import (
    DeepLabV3,
    DeepLabV3Plus,
    DGCNet50,
    DLinkNet34,
    DLinkNetLite2,
    EfficientNetLite0,
    LEDNet,
    LinkNet,
    LinkNet34,
)

FILE = Path(__file__).parent / "data" / "parity.npz"
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "dlinknet34": lambda _: DLinkNet34(),
    "linknet34": lambda _: LinkNet34(),
    "linknet": LinkNet,
    "lednet": LEDNet,
    "dgcnet50": DGCNet50,
    "deeplabv3_resnet50": DeepLabV3,
    "deeplabv3plus_resnet50": DeepLabV3Plus,
    "dlinknet_efficientnet_lite2": lambda _: DLinkNetLite2(),
}


def load_weights(network: nn.Module) -> nn.Module:
    """Give the network the weights that the tests make too."""
    arrays = make_weights((name, tuple(t.shape)) for name, t in network.state_dict().items())
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, strict=False)
    return network


def list_shapes(network: nn.Module) -> NDArray[np.str_]:
    """Lines of a tensor's name and sizes."""
    return np.array([" ".join([name, *map(str, tensor.shape)]) for name, tensor in network.state_dict().items()])


def compute_loss(case: Case, output: torch.Tensor | tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor):
    """Loss of a network's output as its publication has it, without ignored pixels."""
    if case.loss == "bce_dice":
        valid = labels != IGNORE
        logits, target = output[:, 0][valid], (labels[valid] == 1).to(output.dtype)
        p = logits.sigmoid()
        dice = (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
        return functional.binary_cross_entropy_with_logits(logits, target) + 1 - dice
    if case.loss == "ce":
        return functional.cross_entropy(output, labels, ignore_index=IGNORE)
    logits, auxiliary = output
    each = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none").flatten()
    valid = labels.flatten() != IGNORE
    p = torch.where(valid, (-each).exp(), 1.0).detach()
    threshold = max(OHEM_THRESHOLD, float(p.sort().values[OHEM_KEEP - 1]))
    main = each[valid & (p <= threshold)].mean()
    return main + AUXILIARY * functional.cross_entropy(auxiliary, labels, ignore_index=IGNORE)


def predict(network: nn.Module, image: NDArray[np.float32], dtype: torch.dtype) -> NDArray[np.float32]:
    """Every fourth logit of each axis."""
    with torch.no_grad():
        return network.eval()(torch.from_numpy(image).to(dtype))[:, :, ::4, ::4].float().numpy()


def run(case: Case, network: nn.Module, dtype: torch.dtype) -> dict[str, NDArray]:
    """Compute with the network in one precision."""
    network.to(dtype)
    optimizer = torch.optim.SGD(network.parameters(), lr=case.rate, momentum=MOMENTUM, weight_decay=DECAY)
    image = make_image(case.size)
    before, losses, norms = predict(network, image, dtype), [], []
    network.train()
    for step in range(STEPS):
        images, labels = (torch.from_numpy(array) for array in make_batch(case, step))
        optimizer.zero_grad()
        loss = compute_loss(case, network(images.to(dtype)), labels.long())
        loss.backward()
        norms.append(float(torch.stack([p.grad.double().square().sum() for p in network.parameters()]).sum().sqrt()))
        losses.append(loss.item())
        optimizer.step()
    after = predict(network, image, dtype)
    return {"logits": before, "losses": np.array(losses), "norms": np.array(norms), "trained": after}


def main() -> None:
    """Compute the named cases, or all, and keep what the file has of others."""
    values = dict(np.load(FILE)) if FILE.exists() else {}
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        values[f"{name}.shapes"] = list_shapes(NETWORKS[name](case.classes))
        exact, single = (
            run(case, load_weights(NETWORKS[name](case.classes)), dtype) for dtype in (torch.float64, torch.float32)
        )
        values |= {f"{name}.{key}": array for key, array in exact.items()}
        values |= {f"{name}.{key}_float32": single[key] for key in ("losses", "norms")}
        np.savez_compressed(FILE, **values)
        print(name, exact["losses"], exact["norms"], np.abs(single["losses"] / exact["losses"] - 1).max(), flush=True)
    encoder = load_weights(EfficientNetLite0())
    values["efficientnet_lite0.shapes"] = list_shapes(encoder)
    with torch.no_grad():
        values["efficientnet_lite0.features"] = encoder.eval()(torch.from_numpy(make_image())).numpy()
    np.savez_compressed(FILE, **values)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
