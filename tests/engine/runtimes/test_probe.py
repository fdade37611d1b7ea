"""The test of every device."""

import pytest
from terraspore.engine.errors import InferenceError, OutOfMemoryError
from terraspore.engine.runtimes.base import DeviceInfo
from terraspore.engine.runtimes.onnxruntime import IsolatedOnnxRuntime
from terraspore.engine.runtimes.probe import choose_default, probe_devices
from terraspore.engine.runtimes.registry import create_runtimes


def test_every_device_is_tried_and_the_first_in_order_is_preferred():
    runtimes = {name: runtime for name, runtime in create_runtimes().items() if name in {"openvino", "onnxruntime"}}
    results = probe_devices(runtimes, threads=1)
    working = {f"{result.info.runtime} {result.info.device}" for result in results if result.works}
    assert {"openvino cpu", "onnxruntime cpu"} <= working
    assert all(result.info.reason for result in results if not result.works)
    assert choose_default(results).works
    assert choose_default([]) is None


@pytest.mark.parametrize("error", [InferenceError("The kernel is missing."), OutOfMemoryError("No memory.")])
def test_a_device_which_fails_is_reported_and_its_worker_ended(monkeypatch, error):
    runtime, workers = IsolatedOnnxRuntime(None), []

    def open_failing(model, config):
        session = IsolatedOnnxRuntime.open(runtime, model, config)
        workers.append(session._worker)

        def fail(tiles):
            raise error

        monkeypatch.setattr(session, "predict", fail)
        return session

    monkeypatch.setattr(runtime, "open", open_failing)
    monkeypatch.setattr(runtime, "devices", lambda: [DeviceInfo(runtime.name, "cpu", "A CPU")])
    (result,) = probe_devices({runtime.name: runtime}, threads=1)
    assert not result.works
    assert result.info.reason == error.text
    (worker,) = workers
    assert not worker.is_alive()
