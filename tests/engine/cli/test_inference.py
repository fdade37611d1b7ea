"""``terraspore plan``: the plan of a run, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.context import RecordingReporter
from terraspore.engine.runtimes.pool import SessionPool
from waiting import wait_for


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


MESSAGE = "is being loaded; this takes a while"


class HeldPool(SessionPool):
    """Opens a model only after the person was told that it is being loaded."""

    def __init__(self, reporter):
        super().__init__()
        self.reporter = reporter

    @contextmanager
    def open(self, model, options, tile):
        wait_for(lambda: any(MESSAGE in getattr(event, "text", "") for event in list(self.reporter.events)))
        with super().open(model, options, tile) as opened:
            yield opened


@pytest.mark.parametrize("command", ["extract", "segment", "plan", "install"])
def test_a_command_says_that_its_model_is_being_loaded(command, make_raster, make_model, tmp_path):
    image, model, out = make_raster(np.full((3, 80, 80), 20, np.uint8)), make_model(), tmp_path / "out"
    arguments = {
        "extract": ["extract", "roads", image, f"--output={out}.gpkg", f"--model={model}"],
        "segment": ["segment", image, f"--output={out}.tif", f"--model={model}"],
        "plan": ["plan", image, f"--model={model}"],
        "install": ["install", model, f"--to={out}"],
    }
    reporter = RecordingReporter()
    context = CliContext(reporter=reporter, sessions=HeldPool(reporter), slow_after=0.0)
    line = [*map(str, arguments[command]), "--device=cpu", "--runtime=onnxruntime"]
    assert run(line, cli_context=context) == 0, reporter.events
    assert sum(MESSAGE in getattr(event, "text", "") for event in reporter.events) == 1


def test_a_model_that_loads_quickly_is_not_talked_of(make_raster, make_model):
    reporter = RecordingReporter()
    image = make_raster(np.full((3, 80, 80), 20, np.uint8))
    context = CliContext(reporter=reporter, slow_after=1e6)
    line = ["plan", str(image), f"--model={make_model()}", "--device=cpu", "--runtime=onnxruntime"]
    assert run(line, cli_context=context) == 0, reporter.events
    assert not any(MESSAGE in getattr(event, "text", "") for event in reporter.events)
