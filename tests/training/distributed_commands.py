"""``terraspore train`` and ``evaluate`` in one of several processes: OUT CONFIG [key=value ...]."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

sys.path.insert(0, str(Path(__file__).parents[1]))
from command_line import run_well
from mindspore import Tensor, communication, ops

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run_folder = folder / "run"
    summaries = {"train": run_well("train", *sys.argv[2:], "--out", run_folder)["summary"]}
    # The first process writes the weights: the other waits until they are there.
    ops.AllReduce()(Tensor([1.0])).asnumpy()
    arguments = ("--checkpoint", run_folder / "best.ckpt", "--out", folder / "scores")
    summaries["evaluate"] = run_well("evaluate", run_folder / "config.yaml", *arguments)["summary"]
    (folder / f"rank_{communication.get_rank()}.json").write_text(json.dumps(summaries), "utf-8")
