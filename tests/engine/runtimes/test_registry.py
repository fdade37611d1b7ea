"""The choice of a runtime: order, trial run, fall-back, and a sentence for each."""

import numpy as np
import pytest
from terraspore.engine.errors import GraphError, InferenceError, ParameterError, RuntimeUnavailableError
from terraspore.engine.protocol.options import DEVICE_NAMES, RUNTIME_NAMES, RuntimeOptions
from terraspore.engine.runtimes import registry as module
from terraspore.engine.runtimes.base import DeviceInfo, Session
from terraspore.engine.runtimes.onnxruntime import IsolatedOnnxRuntime
from terraspore.engine.runtimes.registry import open_session, rank_devices

CPU = ["openvino cpu", "onnxruntime cpu", "mindspore cpu"]
GPU = ["onnxruntime cuda", "onnxruntime cuda:1"]
INFOS = [
    DeviceInfo("openvino", "cpu", "A CPU"),
    DeviceInfo("openvino", "gpu", "Graphics"),
    DeviceInfo("onnxruntime", "cpu", "A CPU"),
    DeviceInfo("onnxruntime", "cuda", "A GPU"),
    DeviceInfo("onnxruntime", "cuda:1", "A GPU"),
    DeviceInfo("mindspore", "cpu", "A CPU"),
    DeviceInfo("onnxruntime-isolated", "cpu", "A CPU"),
]


@pytest.mark.parametrize(
    ("device", "runtime", "expected"),
    [
        (
            "auto",
            "auto",
            [*GPU, *CPU],
        ),
        ("cpu", "auto", [*CPU, "onnxruntime-isolated cpu"]),
        ("cuda", "auto", GPU),
        ("cuda:1", "auto", ["onnxruntime cuda:1"]),
        ("auto", "onnxruntime", [*GPU, "onnxruntime cpu"]),
        ("auto", "openvino", ["openvino cpu", "openvino gpu"]),
        ("auto", "onnxruntime-isolated", ["onnxruntime-isolated cpu"]),
        ("gpu", "auto", ["openvino gpu"]),
        ("ascend", "auto", []),
    ],
)
def test_candidates_stand_in_the_known_order(device, runtime, expected):
    assert [f"{info.runtime} {info.device}" for info in rank_devices(device, runtime, INFOS)] == expected


def test_the_declared_names_are_those_of_the_registry():
    assert list(RUNTIME_NAMES) == ["auto", *module.create_runtimes()]
    assert {kind for kind, _ in module.AUTO_ORDER} < set(DEVICE_NAMES)
    assert {runtime for _, runtime in module.AUTO_ORDER} < set(RUNTIME_NAMES)


def test_auto_opens_what_works_and_says_why(identity):
    session, reason = open_session(identity, 64, RuntimeOptions(precision="float32"))
    assert session.device == "cpu"
    assert reason.endswith(".")
    assert "on cpu in float32" in reason
    assert "in the order of expected speed" in reason
    tiles = np.full((1, 3, 64, 64), 125, np.uint8)
    np.testing.assert_allclose(session.predict(tiles), 0.5, atol=1e-6)
    session.close()


def test_what_is_asked_for_is_taken(identity):
    session, reason = open_session(identity, 64, RuntimeOptions("cpu", "onnxruntime"))
    assert session.runtime == "onnxruntime"
    assert "as asked for" in reason
    session.close()


class FaultySession(Session):
    """A session which fails in one of several ways, and counts how often it is closed."""

    def __init__(self, fault, card, config):
        super().__init__("onnxruntime", "float32", card, config)
        self.fault = fault
        self.closed = 0

    def predict(self, tiles, batch=None):
        if self.fault == "predict":
            raise InferenceError("The kernel is missing.")
        shape = (1, 3, 64, 64) if self.fault == "nan" else (1, 2, 64, 64)
        return np.full(shape, np.nan, np.float32)

    def close(self):
        self.closed += 1


class FaultyRuntime:
    """A runtime whose device is there and cannot be used for one of several reasons."""

    name, title, graph_process = "onnxruntime", "Faulty", "worker"

    def __init__(self, fault):
        self.fault = fault
        self.sessions = []

    def devices(self):
        return [DeviceInfo(self.name, "cuda", "A GPU", "The driver is too old." if self.fault == "reason" else "")]

    def open(self, model, config):
        if self.fault == "open":
            raise RuntimeUnavailableError("A library is missing.")
        self.sessions.append(FaultySession(self.fault, model.card, config))
        return self.sessions[-1]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("reason", "driver is too old"),
        ("open", "library is missing"),
        ("predict", "kernel is missing"),
        ("nan", "not finite"),
        ("shape", "instead of"),
    ],
)
def test_what_does_not_work_is_closed_passed_over_and_named(identity, monkeypatch, fault, reason):
    working, faulty = module.create_runtimes()["openvino"], FaultyRuntime(fault)
    monkeypatch.setattr(module, "create_runtimes", lambda: {"onnxruntime": faulty, "openvino": working})
    session, explanation = open_session(identity, 64, RuntimeOptions(precision="float32"))
    assert session.runtime == "openvino"
    assert reason in explanation
    session.close()
    with pytest.raises(RuntimeUnavailableError, match=reason):
        open_session(identity, 64, RuntimeOptions("cuda"))
    assert len(faulty.sessions) == (0 if fault in {"reason", "open"} else 2)
    assert [session.closed for session in faulty.sessions] == [1] * len(faulty.sessions)


def test_a_worker_whose_trial_run_fails_is_ended(identity, monkeypatch):
    workers = []
    runtime = IsolatedOnnxRuntime(None)

    def open_with_wrong_card(model, config):
        session = IsolatedOnnxRuntime.open(runtime, model, config)
        workers.append(session._worker)
        monkeypatch.setattr(session, "predict", lambda tiles: np.full((1, 3, 64, 64), np.nan, np.float32))
        return session

    monkeypatch.setattr(runtime, "open", open_with_wrong_card)
    monkeypatch.setattr(module, "create_runtimes", lambda: {runtime.name: runtime})
    with pytest.raises(RuntimeUnavailableError, match="not finite"):
        open_session(identity, 64, RuntimeOptions("cpu", runtime.name, threads=1))
    (worker,) = workers
    assert not worker.is_alive()
    assert not worker.folder.exists()


def test_unknown_runtimes_and_devices_are_refused(identity):
    with pytest.raises(ParameterError, match="no runtime 'tensorflow'"):
        open_session(identity, 64, RuntimeOptions(runtime="tensorflow"))
    with pytest.raises(RuntimeUnavailableError, match="no device 'quantum'"):
        open_session(identity, 64, RuntimeOptions("quantum"))
    with pytest.raises(ParameterError, match="at least 1"):
        open_session(identity, 64, RuntimeOptions(threads=0))
    with pytest.raises(RuntimeUnavailableError, match="MindSpore"):
        open_session(identity, 64, RuntimeOptions(runtime="mindspore"))


def test_a_model_that_is_at_fault_is_no_reason_to_try_another_runtime(random_network):
    with pytest.raises(GraphError, match="multiple of 32, not of 60"):
        open_session(random_network("dlinknet34"), 60)
