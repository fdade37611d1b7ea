"""A tiny training in a process of its own: OUT ROOT [--resume] [--hold STEP] [--plain] [--evaluate] [key=value ...].

``--hold`` stops after that step until the process is killed; ``--plain`` takes a network without batch norm;
``--evaluate`` evaluates the best weights afterwards.
"""

import argparse
import csv
import os
import threading
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

import numpy as np
import pytest
from mindspore import Tensor, nn
from terraspore.engine.context import RunContext
from terraspore.engine.errors import Cancelled
from terraspore.training.config import Config, from_mapping, merge_overrides
from terraspore.training.evaluation import evaluate_checkpoint
from terraspore.training.networks.layers import SeededDropout
from terraspore.training.trainer import run_training
from terraspore.training.trainer.progress import ProgressDisplay


class Tiny(nn.Cell):
    """Two convolutions with a batch norm and both kinds of dropout between: 300 parameters."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, pad_mode="same")
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.drop = nn.SequentialCell(SeededDropout(0.05, "channel"), SeededDropout(0.05, "element"))
        self.last = nn.Conv2d(8, classes, 3, pad_mode="same", has_bias=True)

    def construct(self, images: Tensor) -> Tensor:
        return self.last(self.drop(self.relu(self.norm(self.first(images)))))


class HoldingDisplay(ProgressDisplay):
    """Never returns from the update after step ``hold``."""

    hold = 0

    def update(self, step: int, text: str, as_line: bool) -> None:
        super().update(step, text, as_line)
        if step == self.hold:
            threading.Event().wait()


class StoppingDisplay(ProgressDisplay):
    """Cancels ``context`` after step ``last``."""

    def __init__(self, total: int, last: int) -> None:
        super().__init__(total)
        self.context, self.last = RunContext(), last

    def update(self, step: int, text: str, as_line: bool) -> None:
        super().update(step, text, as_line)
        if step == self.last:
            self.context.cancellation.cancel()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of ``steps.csv`` or ``checks.csv`` without times."""
    with path.open(newline="") as file:
        return [
            {key: value for key, value in row.items() if "seconds" not in key and key != "images_per_second"}
            for row in csv.DictReader(file)
        ]


def train_whole_and_broken(run: Callable[..., object], config: Config, folder: Path, last: int) -> None:
    """Train in ``folder / "whole"``, and in ``folder / "broken"`` with a stop after step ``last``, from which on it is
    resumed; the steps have to be equal. ``run`` has the arguments of ``run_training``."""
    run(config, folder / "whole")
    display = StoppingDisplay(config.train.steps, last)
    with pytest.raises(Cancelled, match=f"after step {last}"):
        run(config, folder / "broken", display=display, context=display.context)
    run(config, folder / "broken", resume=True)
    assert read_rows(folder / "broken" / "steps.csv") == read_rows(folder / "whole" / "steps.csv")


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
    return from_mapping(merge_overrides(values, overrides))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--hold", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args()
    config = tiny_config(arguments.root, *arguments.overrides)
    made: list[nn.Cell] = []

    def make(chosen: Config) -> nn.Cell:
        # Without batch norm, two processes with half a batch each must do exactly what one with a whole batch does.
        classes = chosen.network.num_classes
        made.append(nn.Conv2d(3, classes, 3, has_bias=True) if arguments.plain else Tiny(classes))
        return made[-1]

    display = HoldingDisplay(config.train.steps)
    display.hold = arguments.hold
    run_training(config, arguments.out, resume=arguments.resume, display=display, make_network=make)
    rank = os.environ.get("RANK_ID", "0")
    values = {parameter.name: parameter.asnumpy() for parameter in made[0].get_parameters()}
    if arguments.evaluate:
        report = evaluate_checkpoint(config, arguments.out / "best.ckpt", split="valid", make_network=make)
        values["confusion"] = report.matrix
    np.savez(arguments.out / f"weights_of_rank_{rank}.npz", **values)
