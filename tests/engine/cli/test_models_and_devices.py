"""``terraspore models`` and ``terraspore devices``: tables for people, facts for programs."""

import io
import json
import shutil

import numpy as np
import pytest
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.cli.console import format_table
from terraspore.engine.cli.models import describe_choice
from terraspore.engine.models.card import read_card, write_card
from terraspore.engine.runtimes import registry as select
from terraspore.engine.runtimes.base import DeviceInfo
from terraspore.engine.runtimes.probe import ProbeResult


@pytest.fixture
def command():
    """A function that runs a command: exit code, what it printed, and its events where it printed JSON."""

    def call(*arguments):
        cli_context = CliContext(stdout=io.StringIO(), stderr=io.StringIO())
        code = run(arguments, cli_context=cli_context)
        text = cli_context.stdout.getvalue()
        events = [json.loads(line) for line in text.splitlines()] if "--json" in arguments else []
        return code, text, events

    return call


@pytest.fixture
def folder(make_model, tmp_path, monkeypatch):
    """A folder with one whole model and one whose weights were changed; only it and the bundled ones are listed."""
    for name in ("good", "broken"):
        shutil.copytree(make_model(np.eye(3)[:1], metrics={"iou": 0.512}, licence="CC0-1.0"), tmp_path / name)
        card = read_card(tmp_path / name / "card.json")
        write_card(tmp_path / name / "card.json", card.__class__(**{**vars(card), "name": name}))
    with (tmp_path / "broken" / "net.onnx").open("ab") as file:
        file.write(b"more")
    monkeypatch.setenv("TERRASPORE_MODELS", str(tmp_path))
    return tmp_path


def test_models_are_listed_with_figures_and_licence(command, folder):
    code, text, _ = command("models")
    assert code == 0
    (line,) = [line for line in text.splitlines() if line.startswith("good ")]
    assert line.split()[1:] == ["roads", "onnx", "1", "64", "0.0"]
    (paragraph,) = [part for part in text.split("\n\n") if part.startswith("good: ")]
    *facts, place = paragraph.splitlines()[1:]
    assert facts == ["  classes: class 0", "  metrics: iou 0.512", "  licence: CC0-1.0"]
    assert place == f"  folder: {folder / 'good'}"
    assert max(len(line) for line in text.splitlines() if "folder: " not in line) <= 100


def test_models_as_facts_and_faults_as_warnings(command, folder):
    code, _, events = command("models", "--json")
    assert code == 0
    (warning,) = [event for event in events if event["type"] == "message"]
    assert warning["level"] == "warning"
    assert "broken" in warning["text"]
    result = events[-1]
    assert result["outputs"]["good"] == str(folder / "good")
    assert result["summary"]["good.metrics.iou"] == 0.512
    assert result["summary"]["good.licence"] == "CC0-1.0"
    assert "broken.task" not in result["summary"]


def test_devices_are_tried_and_auto_is_named(command, monkeypatch):
    runtimes = {
        name: runtime for name, runtime in select.create_runtimes().items() if name in {"openvino", "onnxruntime"}
    }
    monkeypatch.setattr("terraspore.engine.cli.models.create_runtimes", lambda: runtimes)
    code, _, events = command("devices", "--threads", "1", "--json")
    assert code == 0
    summary = events[-1]["summary"]
    assert summary["onnxruntime on cpu.works"] == 1
    assert summary["onnxruntime on cpu.milliseconds"] > 0
    assert summary[f"{summary['auto']}.works"] == 1
    assert f"auto takes {summary['auto']}" in events[-1]["text"]


def test_the_choice_is_explained():
    slow = ProbeResult(DeviceInfo("onnxruntime", "cpu", "A CPU"), "float32", 0.002)
    fast = ProbeResult(DeviceInfo("openvino", "cpu", "A CPU"), "bfloat16", 0.001)
    dead = ProbeResult(DeviceInfo("onnxruntime", "cuda", "A GPU", "No driver."))
    text = describe_choice([slow, fast, dead], fast)
    assert text.startswith("auto takes openvino on cpu in bfloat16")
    assert "2.0 ms in onnxruntime on cpu" in text
    assert "cuda" not in text
    assert describe_choice([dead], None) == "No usable device was found."


def test_tables_are_aligned_without_trailing_blanks():
    assert format_table(("a", "bc"), [("long", "x"), ("y", "")]) == "a     bc\nlong  x\ny"
