"""One checkpoint, all runtimes, the same probabilities."""

import os
from dataclasses import replace

import numpy as np
import pytest
from terraspore.engine.errors import CheckpointError
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.runtimes.precision import artificial_tiles
from terraspore.engine.runtimes.select import open_session

#: What the probabilities of one checkpoint may differ by between runtimes in float32.
TOLERANCE = 1e-3
TILE = 128


@pytest.fixture(scope="module")
def create_network():
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    pytest.importorskip("mindspore", reason="MindSpore is not installed")
    from terraspore.training.networks import create_network

    return create_network


def predict(model, runtime, create_network):
    session, _ = open_session(
        model, runtime=runtime, device="cpu", precision="float32", tile=TILE, network_factory=create_network, threads=2
    )
    try:
        return session.predict(artificial_tiles(model.card, TILE))
    finally:
        session.close()


@pytest.mark.mindspore
def test_dlinknet34_gives_the_same_in_all_runtimes(random_network, create_network):
    model = random_network("dlinknet34", tile=TILE)
    reference = predict(model, "mindspore", create_network)
    assert reference.std() > 0.05, "the probabilities must differ for their agreement to mean anything"
    for runtime in ("onnxruntime", "openvino"):
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
