"""``terraspore plan``: the plan of a run, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np


def call(*arguments):
    command = [
        sys.executable,
        "-m",
        "terraspore",
        "plan",
        *map(str, arguments),
        "--device=cpu",
        "--runtime=onnxruntime",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_plan_is_that_of_the_run_and_nothing_is_written(make_raster, make_model, tmp_path):
    image = make_raster(np.zeros((3, 300, 500), np.uint8))
    arguments = [image, f"--model={make_model()}", "--tile=64", "--overlap=16"]
    before = sorted(tmp_path.rglob("*"))
    done = call(*arguments, "--task=roads", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (plan,) = [event for event in events if event["type"] == "plan"]
    assert (plan["width"], plan["height"], plan["tile"]) == (500, 300, 64)
    assert plan["tiles"] == 11 * 6
    assert plan["seconds"] > 0
    assert plan["memory_bytes"] > 0
    assert events[-1]["outputs"] == {}
    assert sorted(tmp_path.rglob("*")) == before


def test_plan_of_a_model_for_something_else(make_raster, make_model):
    done = call(make_raster(np.zeros((3, 90, 90), np.uint8)), f"--model={make_model()}", "--task=landcover")
    assert done.returncode == 2
    assert "is for roads, not for landcover" in done.stderr
