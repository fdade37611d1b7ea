"""Fixtures of the training tests: a tiny data set with roads, and a temporary working directory."""

import os
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
os.environ.setdefault("GLOG_v", "3")

import cv2
import numpy as np
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-network", action="store_true", help="run the slow tests for all networks, not only for small ones"
    )


def write_roads(folder: Path, count: int, seed: int = 0, size: int = 40) -> None:
    """Images with one bright line on dark ground, in the DeepGlobe layout."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        mask = np.zeros((size, size), np.uint8)
        ends = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(mask, tuple(ends[0]), tuple(ends[1]), 255, 5)
        image = np.where(mask[:, :, None] > 0, 180, 60) + rng.integers(-20, 20, (size, size, 3))
        cv2.imwrite(str(folder / f"{number:02d}_sat.jpg"), image.astype(np.uint8))
        cv2.imwrite(str(folder / f"{number:02d}_mask.png"), mask)


@pytest.fixture(scope="session")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of eight training and three test images."""
    root = tmp_path_factory.mktemp("roads")
    write_roads(root / "train", 8)
    write_roads(root / "valid", 3, seed=1)
    return root


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary working directory, because MindSpore writes files into it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
