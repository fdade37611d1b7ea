"""The adapter of MindSpore, without a network of MindSpore: activations and batches."""

import numpy as np
import pytest
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.mindspore import MindSporeSession, activate


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "none"])
def test_activations_are_exact_and_never_overflow(activation):
    scores = np.array([-1e4, -3, 0, 2, 1e4], np.float32).reshape(1, 5, 1, 1)
    with np.errstate(all="raise", under="ignore"):
        result = activate(scores, activation)
    wide = scores.astype(np.float64)
    expected = {
        "sigmoid": 1 / (1 + np.exp(-np.clip(wide, -700, 700))),
        "softmax": np.exp(wide - 1e4) / np.exp(wide - 1e4).sum(),
        "none": wide,
    }[activation]
    np.testing.assert_allclose(result, expected, atol=1e-7)
    assert result.dtype == np.float32


@pytest.mark.mindspore
def test_tiles_are_computed_in_calls_of_the_batch_asked_for(identity, monkeypatch):
    pytest.importorskip("mindspore", reason="MindSpore is not installed")
    calls = []

    def compute(self, tiles):
        calls.append(len(tiles))
        return np.asarray(tiles / 250, np.float32)

    monkeypatch.setattr(MindSporeSession, "_compute", compute)
    session = MindSporeSession("mindspore", None, identity.card, SessionConfig("cpu", 8))
    own, tiles = session.batch, np.random.default_rng(0).integers(0, 251, (5, 3, 8, 8), np.uint8)
    calls.clear()
    for given, expected in ((None, [own] * -(-5 // own)), (1, [1] * 5), (3, [3, 3]), (8, [8])):
        np.testing.assert_allclose(session.predict(tiles, given), tiles / 250, atol=1e-6)
        (streamed,) = session.predict_stream([tiles], given)
        np.testing.assert_allclose(streamed, tiles / 250, atol=1e-6)
        assert calls == expected * 2
        calls.clear()
    assert session.batch == own
