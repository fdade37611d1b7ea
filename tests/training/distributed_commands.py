"""``terraspore train`` and ``evaluate`` in one of several processes: OUT CONFIG [key=value ...]."""

import io
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

from mindspore import Tensor, communication, ops
from terraspore.__main__ import TRAINING_COMMANDS
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext


def command(*arguments: object) -> dict:
    """The result of a command that has to succeed."""
    out = io.StringIO()
    code = run(
        [str(word) for word in arguments] + ["--json"],
        extra_commands=TRAINING_COMMANDS,
        cli_context=CliContext(stdout=out, stderr=sys.stderr),
    )
    if code != 0:
        sys.exit(out.getvalue())
    return json.loads(out.getvalue().strip().splitlines()[-1])["summary"]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run_folder = folder / "run"
    summaries = {"train": command("train", *sys.argv[2:], "--out", run_folder)}
    # The first process writes the weights: the other waits until they are there.
    ops.AllReduce()(Tensor([1.0])).asnumpy()
    arguments = ("--checkpoint", run_folder / "best.ckpt", "--out", folder / "scores")
    summaries["evaluate"] = command("evaluate", run_folder / "config.yaml", *arguments)
    (folder / f"rank_{communication.get_rank()}.json").write_text(json.dumps(summaries), "utf-8")
