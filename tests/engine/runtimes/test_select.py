"""The choice of a runtime: order, trial run, fall-back, and a sentence for each."""

import numpy as np
import pytest
from terraspore.engine.errors import GraphError, InferenceError, ParameterError, RuntimeUnavailableError
from terraspore.engine.runtimes import registry as select
from terraspore.engine.runtimes.base import DeviceInfo
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
]


@pytest.mark.parametrize(
    ("device", "runtime", "expected"),
    [
        (
            "auto",
            "auto",
            [*GPU, *CPU],
        ),
        ("cpu", "auto", CPU),
        ("cuda", "auto", GPU),
        ("cuda:1", "auto", ["onnxruntime cuda:1"]),
        ("auto", "onnxruntime", [*GPU, "onnxruntime cpu"]),
        ("gpu", "auto", ["openvino gpu"]),
        ("ascend", "auto", []),
    ],
)
def test_candidates_stand_in_the_known_order(device, runtime, expected):
    assert [f"{info.runtime} {info.device}" for info in rank_devices(device, runtime, INFOS)] == expected


def test_auto_opens_what_works_and_says_why(identity):
    session, reason = open_session(identity, tile=64, precision="float32")
    assert session.device == "cpu"
    assert reason.endswith(".")
    assert "on cpu in float32" in reason
    assert "quickest in the known order" in reason
    tiles = np.full((1, 3, 64, 64), 125, np.uint8)
    np.testing.assert_allclose(session.predict(tiles), 0.5, atol=1e-6)
    session.close()


def test_what_is_asked_for_is_taken(identity):
    session, reason = open_session(identity, tile=64, runtime="onnxruntime", device="cpu")
    assert session.runtime == "onnxruntime"
    assert "as asked for" in reason
    session.close()


class Broken:
    """A runtime whose device is there and whose session fails in one of several ways."""

    name, title = "onnxruntime", "Broken"

    def __init__(self, fault):
        self.fault = fault

    def devices(self):
        return [DeviceInfo(self.name, "cuda", "A GPU", "The driver is too old." if self.fault == "reason" else "")]

    def open(self, model, request):
        if self.fault == "open":
            raise RuntimeUnavailableError("A library is missing.")
        return self

    def predict(self, tiles):
        if self.fault == "predict":
            raise InferenceError("The kernel is missing.")
        shape = (1, 3, 64, 64) if self.fault == "nan" else (1, 2, 64, 64)
        return np.full(shape, np.nan, np.float32)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("reason", "driver is too old"),
        ("open", "library is missing"),
        ("predict", "kernel is missing"),
        ("nan", "not finite"),
        ("shape", "instead of"),
    ],
)
def test_what_does_not_work_is_passed_over_and_named(identity, monkeypatch, fault, said):
    working = select.create_runtimes()["openvino"]
    monkeypatch.setattr(select, "create_runtimes", lambda: {"onnxruntime": Broken(fault), "openvino": working})
    session, reason = open_session(identity, tile=64, precision="float32")
    assert session.runtime == "openvino"
    assert said in reason
    session.close()
    with pytest.raises(RuntimeUnavailableError, match=said):
        open_session(identity, tile=64, device="cuda")


def test_what_is_not_there_is_said(identity):
    with pytest.raises(ParameterError, match="no runtime 'tensorflow'"):
        open_session(identity, tile=64, runtime="tensorflow")
    with pytest.raises(RuntimeUnavailableError, match="no device 'quantum'"):
        open_session(identity, tile=64, device="quantum")
    with pytest.raises(ParameterError, match="at least 1"):
        open_session(identity, tile=64, threads=0)
    with pytest.raises(RuntimeUnavailableError, match="MindSpore"):
        open_session(identity, tile=64, runtime="mindspore")


def test_a_model_that_is_at_fault_is_no_reason_to_try_another_runtime(random_network):
    with pytest.raises(GraphError, match="multiple of 32, not of 60"):
        open_session(random_network("dlinknet34"), tile=60)
