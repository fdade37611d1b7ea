"""Prediction of whole images: padding, windows, scales and flips reproduce the input of an identity network."""

import numpy as np
import pytest

pytest.importorskip("mindspore")

from terraspore.training.config import EvaluationConfig, NormalisationConfig
from terraspore.training.evaluation.predictor import Predictor, activate, window_starts

PLAIN = NormalisationConfig(scale=1 / 255, mean=(0.0,), std=(1.0,))


def identity(x: np.ndarray) -> np.ndarray:
    assert x.shape[2] % 8 == 0
    assert x.shape[3] % 8 == 0
    return x[:, :1] * 4 - 2


def image(height: int = 37, width: int = 50) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    ramp = (rows * 3 + columns * 2).astype(np.uint8)
    return np.repeat(ramp[:, :, None], 3, 2)


def expected(picture: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(picture[:, :, 0] / 255 * 4 - 2)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"flip": True},
        {"tta8": True},
        {"method": "sliding", "window": 16},
        {"method": "sliding", "window": 24, "overlap": 0.0, "tta8": True},
        {"method": "sliding", "window": 64},
    ],
)
def test_identity_network_reproduces_its_input(options: dict) -> None:
    predictor = Predictor(identity, EvaluationConfig(multiple=8, **options), PLAIN)
    picture = image()
    assert np.abs(predictor.predict(picture)[0] - expected(picture)).max() < 1e-5


def test_several_scales_stay_close_on_a_smooth_image() -> None:
    predictor = Predictor(identity, EvaluationConfig(multiple=8, scales=(0.5, 1.0, 1.5)), PLAIN)
    picture = image()
    assert np.abs(predictor.predict(picture)[0] - expected(picture)).max() < 0.02


def test_windows_cover_and_overlap() -> None:
    # DGCNet on 1024 x 2048 with tiles of 832 and a third in common: stride 555, 2 x 4 tiles.
    assert window_starts(1024, 832, 1 / 3) == [0, 192]
    assert window_starts(2048, 832, 1 / 3) == [0, 555, 1110, 1216]
    assert window_starts(10, 16, 0.5) == [0]


def test_activation() -> None:
    logits = np.log(np.array([1.0, 2.0, 5.0]))[:, None, None].astype(np.float32)
    assert activate(logits)[:, 0, 0] == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-5)
    assert activate(np.array([[[0.0, 900.0, -900.0]]], np.float32))[0, 0] == pytest.approx([0.5, 1, 0])
