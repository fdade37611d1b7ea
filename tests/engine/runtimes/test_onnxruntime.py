"""ONNX Runtime: what its adapter says of accelerators, and what the library leaves behind."""

import os
import subprocess
import sys

import pytest
from terraspore.engine.runtimes import onnxruntime as module
from terraspore.engine.runtimes.hardware import Accelerator
from terraspore.engine.runtimes.onnxruntime import OnnxRuntime


def test_a_gpu_that_the_build_cannot_use_is_reported_with_the_reason(monkeypatch):
    monkeypatch.setattr(module, "find_accelerators", lambda: [Accelerator("cuda", "A GPU")])
    infos = {info.device: info for info in OnnxRuntime().devices()}
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build of ONNX Runtime can use a GPU")
    assert infos["cuda"].title == "A GPU"
    assert "no CUDAExecutionProvider; the package onnxruntime-gpu has it" in infos["cuda"].reason
    assert infos["cpu"].reason == ""


def test_onnxruntime_writes_nothing_to_the_home_folder_of_a_command(tmp_path):
    code = "from terraspore.engine.cli import run\nassert run(['--version']) == 0\nimport onnxruntime\n"
    environment = {k: v for k, v in os.environ.items() if k not in {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}}
    environment |= {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
