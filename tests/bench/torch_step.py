"""Steps of the same trainings in PyTorch, channels last: NETWORK float32|bfloat16 THREADS, see ``step_server.py``.

Runs in an environment of its own, which has PyTorch and NumPy only. bfloat16 is ``torch.autocast``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from step_server import make_batch, serve
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training" / "weights"))

from torch_networks import DLinkNet34, LEDNet


def bce_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """D-LinkNet's loss."""
    target = labels[:, None].float()
    p = logits.sigmoid()
    dice = (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, target) + 1 - dice


def make_step(network: str, precision: str, threads: int) -> Callable[[], float]:
    """Return a function that runs a step with Adam, always on the same batch."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = (
        {"dlinknet34": DLinkNet34, "lednet": partial(LEDNet, 2, dropout=True)}[network]()
        .to(memory_format=torch.channels_last)
        .train()
    )
    loss = bce_dice if network == "dlinknet34" else functional.cross_entropy
    arrays = make_batch(network)
    images = torch.from_numpy(arrays[0]).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(arrays[1])
    optimizer = torch.optim.Adam(model.parameters(), 2e-4)

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(images)
        value = loss(logits.float(), labels)
        value.backward()
        optimizer.step()
        return float(value.detach())

    return step


if __name__ == "__main__":
    serve(make_step(sys.argv[1], sys.argv[2], int(sys.argv[3])))
