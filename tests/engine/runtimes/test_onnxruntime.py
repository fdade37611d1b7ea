"""The adapter of ONNX Runtime: what it says of accelerators."""

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
