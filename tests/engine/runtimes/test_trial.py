"""Models are tried in a process of their own before they are opened in the engine's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from model_files import make_graph, write_model
from onnx import helper, numpy_helper
from terraspore.engine.errors import OutOfMemoryError, RuntimeUnavailableError
from terraspore.engine.models.card import card_text
from terraspore.engine.models.registry import read_model
from terraspore.engine.protocol.options import RUNTIME_NAMES, RuntimeOptions
from terraspore.engine.runtimes import registry, trial
from terraspore.engine.runtimes.base import DeviceInfo, SessionConfig
from terraspore.engine.runtimes.registry import create_runtimes, open_session

CONFIG = SessionConfig("cpu", 64, "float32", threads=1)


@pytest.fixture(scope="module")
def out_of_range(tmp_path_factory):
    """A model with an index far out of range, which OpenVINO does not check."""
    index = numpy_helper.from_array(np.array([[0, 0, 10**9, 10**9]], np.int64), "index")
    weights = numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["sum"]),
        helper.make_node("GatherND", ["sum", "index"], ["picked"]),
        helper.make_node("Add", ["sum", "picked"], ["scores"]),
    ]
    return read_model(write_model(tmp_path_factory.mktemp("range"), make_graph(nodes, 3, [index, weights]), 3, 1))


@pytest.mark.parametrize("runtime", RUNTIME_NAMES)
def test_an_index_out_of_range_is_an_error_and_not_the_end_of_the_process(out_of_range, runtime):
    with pytest.raises(RuntimeUnavailableError, match="The model cannot be run"):
        open_session(out_of_range, 64, RuntimeOptions("cpu", runtime, "float32", 1))


@pytest.mark.parametrize("runtime", create_runtimes().values(), ids=lambda runtime: runtime.name)
def test_a_graph_that_the_engine_would_run_itself_is_first_tried_in_a_child(runtime, identity, monkeypatch):
    """For every runtime of the registry; those that are not installed, too."""

    def fail(*_arguments):
        raise RuntimeUnavailableError("a child was started")

    monkeypatch.setattr(registry, "try_in_child", fail)
    monkeypatch.setattr(type(runtime), "devices", lambda self: [DeviceInfo(self.name, "cpu", "a processor")])
    monkeypatch.setattr(type(runtime), "open", lambda *_: pytest.fail("opened without a trial"), raising=True)
    if runtime.graph_process == "engine":
        with pytest.raises(RuntimeUnavailableError, match="a child was started"):
            open_session(identity, 64, RuntimeOptions("cpu", runtime.name, "float32", 1))
    else:
        with pytest.raises(pytest.fail.Exception):
            open_session(identity, 64, RuntimeOptions("cpu", runtime.name, "float32", 1))


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (11, RuntimeUnavailableError, "signal 11"),
        (6, RuntimeUnavailableError, "signal 6"),
        (9, OutOfMemoryError, "memory"),
    ],
)
def test_a_crash_is_told_by_its_signal(identity, monkeypatch, number, error, message):
    monkeypatch.setattr(trial, "_PROGRAM", f"import os; os.kill(os.getpid(), {number})")
    with pytest.raises(error, match=message):
        trial.try_in_child("onnxruntime", identity, CONFIG)


def test_a_model_that_works_is_tried_once(identity, tmp_path, monkeypatch):
    config = replace(CONFIG, cache=tmp_path)
    trial.try_in_child("onnxruntime", identity, config)
    monkeypatch.setattr(trial, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    trial.try_in_child("onnxruntime", identity, config)
    for other in (replace(config, tile=32), replace(config, cache=None)):
        with pytest.raises(RuntimeUnavailableError, match="signal 11"):
            trial.try_in_child("onnxruntime", identity, other)


def test_checkpoints_are_tried_where_their_folder_has_a_graph(identity, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    card = replace(identity.card, architecture="own")
    model = replace(identity, card=card, weights=tmp_path / "weights.ckpt")
    trial.try_in_child("onnxruntime", model, CONFIG)
    (tmp_path / "own.onnx").write_bytes(b"a graph from elsewhere")
    with pytest.raises(RuntimeUnavailableError, match="signal 11"):
        trial.try_in_child("onnxruntime", model, CONFIG)


def test_errors_that_the_runtime_reports_are_left_to_the_caller(identity, tmp_path):
    trial.try_in_child(
        "onnxruntime", replace(identity, weights=tmp_path / "none.onnx"), replace(CONFIG, cache=tmp_path)
    )
    assert list(tmp_path.iterdir()) == []


def test_the_process_ends_with_its_parent(hanging_model):
    """A model that computes one tile for minutes, and a stdin that ends."""
    model = read_model(hanging_model)
    job = {"runtime": "onnxruntime", "card": card_text(model.card), "weights": str(model.weights), "cache": None}
    job |= {"sha256": model.sha256, "device": "cpu", "tile": 1024, "precision": "float32", "threads": 1}
    done = subprocess.run(
        [sys.executable, "-I", "-c", trial._PROGRAM], input=json.dumps(job).encode() + b"\n", capture_output=True
    )
    assert done.returncode == 1
    assert done.stderr == b""
