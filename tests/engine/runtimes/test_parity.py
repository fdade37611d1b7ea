"""One checkpoint, all runtimes, the same probabilities."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import CheckpointError
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.models.registry import find_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.measure import synthetic_tiles
from terraspore.engine.runtimes.mindspore_lite import MindSporeLite
from terraspore.engine.runtimes.registry import create_runtimes, open_session

#: What the probabilities of one checkpoint may differ by between runtimes in float32.
TOLERANCE = 1e-3
TILE = 128
#: A large network with random weights, and the small models that come with the program.
MODELS = {
    "dlinknet34": lambda random_network: random_network("dlinknet34", tile=TILE),
    "roads-lednet": lambda _: find_model("roads-lednet"),
    "landcover-lednet": lambda _: find_model("landcover-lednet"),
}
#: Where `make lite` puts MindSpore Lite.
LITE_ENVIRONMENT = Path(__file__).resolve().parents[3] / ".venv-lite" / "bin" / "python"


@pytest.fixture(scope="module")
def create_network():
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    pytest.importorskip("mindspore", reason="MindSpore is not installed")
    from terraspore.training.networks import create_network

    return create_network


def predict(model, runtime, create_network):
    session, _ = open_session(
        model, TILE, RuntimeOptions("cpu", runtime, "float32", threads=2), network_factory=create_network
    )
    try:
        return session.predict(synthetic_tiles(model.card, TILE))
    finally:
        session.close()


@pytest.fixture
def lite():
    runtime = MindSporeLite()
    if any(info.reason for info in runtime.devices()):
        runtime = MindSporeLite(LITE_ENVIRONMENT)
    if any(info.reason for info in runtime.devices()):
        pytest.skip(
            "no interpreter has MindSpore Lite (TERRASPORE_LITE_PYTHON; `make lite` makes one with CPython 3.7)"
        )
    return runtime


@pytest.mark.parametrize("name", MODELS)
def test_mindspore_lite_gives_what_onnx_runtime_gives(random_network, lite, name, tmp_path):
    model = MODELS[name](random_network)
    reference = predict(model, "onnxruntime", None)
    for _ in range(2):  # the second time from the cache
        session = lite.open(model, SessionConfig("cpu", TILE, threads=2, cache=tmp_path))
        result = session.predict(synthetic_tiles(model.card, TILE))
        session.close()
        assert np.abs(result - reference).max() < TOLERANCE
    assert len(list(tmp_path.glob("*.mindir"))) == 1


def runtimes_on_the_cpu():
    """Names of the registered runtimes that offer the processor here."""
    infos = (info for runtime in create_runtimes().values() for info in runtime.devices())
    return {info.runtime for info in infos if info.device == "cpu" and not info.reason}


@pytest.mark.mindspore
@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_gives_the_same_in_all_runtimes(random_network, create_network, name):
    model = MODELS[name](random_network)
    reference = predict(model, "mindspore", create_network)
    assert np.ptp(reference) > 0.3, "the probabilities must differ for their agreement to mean anything"
    for runtime in {"onnxruntime", "openvino", *runtimes_on_the_cpu()} - {"mindspore", "mindspore-lite"}:
        assert np.abs(predict(model, runtime, create_network) - reference).max() < TOLERANCE


@pytest.mark.mindspore
def test_mindspore_refuses_a_checkpoint_of_another_network(random_network, create_network):
    model = random_network("dlinknet34", tile=TILE)
    tensors = read_checkpoint(model.weights)
    tensors.pop("firstconv.weight")
    other = model.weights.with_name("other.ckpt")
    write_checkpoint(other, tensors)
    with pytest.raises(CheckpointError, match=r"firstconv\.weight"):
        predict(replace(model, weights=other), "mindspore", create_network)
