"""Calibration of probabilities: its curve, its error and the best threshold."""

from __future__ import annotations

import numpy as np
import pytest
from terraspore.training.evaluation.calibration import (
    Calibration,
    merge_calibrations,
    plot_calibration,
    write_calibration,
)


def count(probabilities, truth):
    calibration = Calibration(is_mask=len(probabilities) == 1)
    calibration.add(truth, probabilities)
    return calibration


@pytest.fixture
def draws():
    """Probabilities (1, H, W), and foreground that is drawn with them."""
    generator = np.random.default_rng(0)
    probabilities = generator.random((1, 400, 500), np.float32)
    return probabilities, (generator.random((400, 500)) < probabilities[0]).astype(np.uint8)


def test_probabilities_that_come_true_are_calibrated(draws):
    metrics = count(*draws).metrics()
    assert metrics["calibration_error"] < 0.01
    rows = count(*draws).rows()
    assert len(rows) == 10
    for predicted, observed, pixels in rows:
        assert observed == pytest.approx(predicted, abs=0.02)
        assert pixels == pytest.approx(20_000, rel=0.05)


def test_too_sure_probabilities_have_the_error_of_their_excess(draws):
    probabilities, truth = draws
    sure = np.where(probabilities < 0.5, np.float32(0), np.float32(0.995))  # right in three quarters of both
    error = count(sure, truth).metrics()["calibration_error"]
    assert error == pytest.approx((0.25 + 0.245) / 2, abs=0.01)


def test_the_best_threshold_has_the_highest_iou_of_all(draws):
    probabilities, truth = draws
    metrics = count(probabilities, truth).metrics()
    ious = {}
    for step in range(100):
        found = probabilities[0] >= np.float32(step / 100)
        ious[step / 100] = (found & (truth == 1)).sum() / (found | (truth == 1)).sum()
    assert metrics["best_threshold_iou"] == pytest.approx(max(ious.values()), abs=1e-3)
    assert ious[metrics["best_threshold"]] == pytest.approx(max(ious.values()), abs=1e-3)


def test_of_several_classes_the_predicted_one_counts_and_ignored_pixels_do_not():
    probabilities = np.array([0.7, 0.2, 0.1], np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    calibration = count(probabilities, np.array([[0, 0], [1, 255]], np.uint8))
    ((predicted, observed, pixels),) = calibration.rows()
    assert (observed, pixels) == (pytest.approx(2 / 3), 3)
    assert predicted == pytest.approx(0.705)
    assert set(calibration.metrics()) == {"calibration_error"}


def test_nothing_counted_is_not_defined():
    assert np.isnan(Calibration().metrics()["calibration_error"])


def test_table_and_picture_by_source(draws, tmp_path):
    tables = {"here": count(*draws), "there": Calibration()}
    write_calibration(tables, tmp_path / "calibration.csv")
    lines = (tmp_path / "calibration.csv").read_text().splitlines()
    assert lines[0] == "source,predicted,observed,pixels"
    assert len(lines) == 11
    assert lines[1].startswith("here,0.0")
    plot_calibration(tables, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").stat().st_size > 5000
    assert (merge_calibrations(tables).counts == tables["here"].counts).all()
