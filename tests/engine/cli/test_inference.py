"""``terraspore plan``, ``extract`` and ``segment``: the plan of a run, and the options of vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import click
import numpy as np
import pyogrio
import pytest
from click.testing import CliRunner
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.cli.main import ENGINE_COMMANDS, LazyGroup
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


def list_commands(group, context, name=""):
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from list_commands(command, context, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def test_no_command_has_two_options_of_one_name():
    """An option of the vectors that has the name of another would take its value."""
    group = LazyGroup("terraspore", ENGINE_COMMANDS)
    found = dict(list_commands(group, click.Context(group)))
    assert {" extract roads", " segment", " vectorize landcover"} <= found.keys()
    for name, command in found.items():
        names = [parameter.name for parameter in command.params]
        flags = [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)]
        assert len(set(names)) == len(names), name
        assert len(set(flags)) == len(flags), name


def read_layers(path):
    """Everything in the layers of a file but the numbers of the features and the styles, which are dated."""
    layers = {}
    for name in {*pyogrio.list_layers(path)[:, 0]} - {"layer_styles"}:
        _, _, geometry, columns = pyogrio.raw.read(path, layer=name)
        layers[name] = [None if geometry is None else geometry.tolist(), *(repr(column.tolist()) for column in columns)]
    return layers


def run_line(*words):
    reporter = RecordingReporter()
    code = run([*map(str, words)], cli_context=CliContext(reporter=reporter))
    assert code == 0, reporter.events
    return reporter.events[-1]


ON_CPU = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1")


def test_roads_of_an_image_take_the_options_of_roads_of_a_raster(make_raster, make_model, tmp_path):
    pixels = np.full((3, 300, 300), 20, np.uint8)
    pixels[:, 146:155, :130] = pixels[:, 146:155, 160:] = pixels[:, :, 96:105] = 150
    pixels[:, 146:155, 40:60] = 245
    image, probability, one, two = (tmp_path / name for name in ("i.tif", "p/i.tif", "1.gpkg", "2.gpkg"))
    make_raster(pixels, image.name)
    probability.parent.mkdir()
    options = ["--gap=0", "--min-length=40", "--simplify=4", "--no-areas", "--strong=0.85", "--blur=1", "--osm-tags"]
    named = ["extract", "roads", image, f"--model={make_model()}", *ON_CPU]
    run_line(*named, "-o", one, "--probability", probability, "--threshold=0.45", *options)
    run_line("vectorize", "roads", probability, "-o", two, "--threshold=0.45", *options)
    assert read_layers(one) == read_layers(two)
    run_line(*named, "-o", two, "--threshold=0.45", "--overwrite")
    assert read_layers(one).keys() < read_layers(two).keys()


def test_strong_threshold_is_checked_against_that_of_the_model(make_raster, make_model, tmp_path):
    image, out = make_raster(np.full((3, 90, 90), 200, np.uint8)), tmp_path / "roads.gpkg"
    for threshold, strong, code in ((0.3, 0.4, 0), (0.6, 0.55, 2)):
        model = make_model(threshold=threshold)
        reporter = RecordingReporter()
        words = ["extract", "roads", image, "-o", out, f"--model={model}", f"--strong={strong}", "--overwrite", *ON_CPU]
        assert run([*map(str, words)], cli_context=CliContext(reporter=reporter)) == code
    assert "from the threshold (0.6) to 1" in reporter.events[-1].text


@pytest.mark.parametrize("command", ["landcover", "segment"])
def test_classes_of_an_image_take_the_options_of_classes_of_a_raster(make_raster, make_model, tmp_path, command):
    rng = np.random.default_rng(3)
    pixels = np.kron(rng.integers(0, 250, (3, 12, 12), np.uint8), np.ones((10, 10), np.uint8))
    image, model = make_raster(pixels), make_model(np.eye(3), task="landcover")
    classes, confidence, one, two = (tmp_path / name for name in ("c.tif", "p.tif", "one.gpkg", "two.gpkg"))
    options = ["--minimum-area=150", "--class-minimum-area=1=320", "--protect=2", "--simplify=3", "--no-smooth"]
    options += ["--regularise=2", "--regularise-error=3", "--only=1", "--only=2"]
    if command == "segment":
        words = ["segment", image, "-o", classes, "--vectors", one, "--layer=landcover"]
    else:
        words = ["extract", "landcover", image, "-o", one, "--classes", classes]
    run_line(*words, "--confidence", confidence, f"--model={model}", *ON_CPU, *options)
    run_line("vectorize", "landcover", classes, "-o", two, "--confidence", confidence, *options)
    assert read_layers(one) == read_layers(two)


def test_options_of_vectors_that_are_not_written_are_refused(make_raster, make_model, tmp_path):
    image, reporter = make_raster(np.zeros((3, 90, 90), np.uint8)), RecordingReporter()
    words = ["segment", image, "-o", tmp_path / "classes.tif", f"--model={make_model()}", "--simplify=2", *ON_CPU]
    assert run([*map(str, words)], cli_context=CliContext(reporter=reporter)) == 2
    assert "vectors" in reporter.events[-1].text


def test_help_has_the_options_of_vectors_under_a_heading():
    group = LazyGroup("terraspore", ENGINE_COMMANDS)
    text = CliRunner().invoke(group, ["extract", "roads", "--help"]).output
    first, second = text.split("Options of the vectors:")
    assert "--model" in first
    assert "--gap " in second
    assert "--model" not in second
