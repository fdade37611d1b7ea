"""A tiny training in a process of its own, slow enough to be killed: OUT ROOT PAUSE [--resume] [key=value ...]."""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

import numpy as np
from mindspore import Tensor, nn
from terraspore.training.config import Config, from_mapping
from terraspore.training.config.load import merge_overrides
from terraspore.training.evaluation.evaluate import evaluate_checkpoint
from terraspore.training.networks.dropout import SeededDropout
from terraspore.training.trainer import run_training
from terraspore.training.trainer.progress import Display


class Tiny(nn.Cell):
    """Two convolutions with a batch norm and both kinds of dropout between: 300 parameters."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, pad_mode="same")
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.drop = nn.SequentialCell(SeededDropout(0.05, channels=True), SeededDropout(0.05, channels=False))
        self.last = nn.Conv2d(8, classes, 3, pad_mode="same", has_bias=True)

    def construct(self, images: Tensor) -> Tensor:
        return self.last(self.drop(self.relu(self.norm(self.first(images)))))


class SlowDisplay(Display):
    """Waits after each step."""

    pause = 0.0

    def step(self, done: int, text: str, line: bool) -> None:
        super().step(done, text, line)
        time.sleep(self.pause)


def tiny_config(root: Path, *overrides: str) -> Config:
    """A run of 30 steps on 32 x 32 crops."""
    values = {
        "seed": 5,
        "data": {"root": str(root), "holdout": 4},
        "augment": {"crop": 32, "rot90": True, "scale": [0.8, 1.25], "noise_chance": 0.5},
        "optimizer": {"name": "adamw", "lr": 0.02, "weight_decay": 1e-3, "clip": 1.0, "ema": 0.9},
        "schedule": {"name": "cosine", "warmup": 3},
        "train": {"steps": 30, "evaluate_every": 8, "save_every": 5, "log_every": 1, "batch": 2},
    }
    return from_mapping(Config, merge_overrides(values, overrides))


if __name__ == "__main__":
    words = sys.argv[1:]
    out, root, SlowDisplay.pause = Path(words[0]), Path(words[1]), float(words[2])
    config = tiny_config(root, *[word for word in words[3:] if "=" in word])
    made: list[nn.Cell] = []

    def make(chosen: Config) -> nn.Cell:
        # Without batch norm, two processes with half a batch each must do exactly what one with a whole batch does.
        classes = chosen.network.num_classes
        plain = nn.Conv2d(3, classes, 3, has_bias=True)
        made.append(plain if "--plain" in words else Tiny(classes))
        return made[-1]

    display = SlowDisplay(config.train.steps)
    run_training(config, out, resume="--resume" in words, display=display, make_network=make)
    rank = os.environ.get("RANK_ID", "0")
    values = {parameter.name: parameter.asnumpy() for parameter in made[0].get_parameters()}
    if "--evaluate" in words:
        report = evaluate_checkpoint(config, out / "best.ckpt", split="valid", make_network=make)
        values["confusion"] = report.matrix
    np.savez(out / f"weights_of_rank_{rank}.npz", **values)
