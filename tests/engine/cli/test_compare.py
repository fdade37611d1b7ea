"""``terraspore compare``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from command_line import run_events
from terraspore.engine.protocol.compare_options import RoadDefinition

Writer = Callable[..., Path]


def roads() -> np.ndarray:
    mask = np.zeros((300, 300), np.uint8)
    cv2.line(mask, (-10, 100), (310, 120), 255, 7)
    cv2.line(mask, (150, 100), (150, 310), 255, 7)
    return mask


def test_comparisons_of_lines_rasters_and_coverages(tmp_path: Path, make_raster: Writer) -> None:
    raster = make_raster(roads()[None])
    run_events("vectorize", "roads", raster, "-o", tmp_path / "a.gpkg")
    code, events = run_events("compare", tmp_path / "a.gpkg", tmp_path / "a.gpkg")
    assert (code, events[-1]["summary"]["apls"]) == (0, pytest.approx(1.0))
    code, events = run_events("compare", raster, raster, "--threshold", 0.5)
    assert (code, events[-1]["summary"]["iou_1"]) == (0, 1.0)
    classes = make_raster((np.add.outer(np.arange(50), np.arange(60)).astype(np.uint8) // 30 + 1)[None], "classes.tif")
    run_events("vectorize", "landcover", classes, "-o", tmp_path / "c.gpkg")
    code, events = run_events("compare", tmp_path / "c.gpkg", classes)
    summary = events[-1]["summary"]
    assert (code, summary["is_coverage"], summary["invalid"]) == (0, True, 0)
    assert summary["agreement"] > 0.98


def test_named_definitions(tmp_path: Path, make_raster: Writer) -> None:
    """The result lacks a road; the margins belong to --extent, or a message says that they belong to the truth."""
    truth, result = make_raster(roads()[None]), roads()
    result[130:] = 0
    for name, raster in (("truth", truth), ("result", make_raster(result[None], "result.tif"))):
        run_events("vectorize", "roads", raster, "-o", tmp_path / f"{name}.gpkg")
    found = {}
    for name in get_args(RoadDefinition):
        command = ("compare", tmp_path / "result.gpkg", tmp_path / "truth.gpkg", "--definition", name)
        code, events = run_events(*command)
        assert code == 0
        assert any("--extent" in event.get("text", "") for event in events[:-1]) is (name in ("sat2graph", "sam_road"))
        found[name] = events[-1]["summary"]
    assert len({(summary["apls"], summary["topo_f1"]) for summary in found.values()}) == 4
    assert found["cosmiq"]["topo_f1"] is None
    assert found["sat2graph"]["topo_recall"] < 0.7 < found["sat2graph"]["topo_precision"]
    assert run_events("compare", tmp_path / "result.gpkg", tmp_path / "truth.gpkg", "--definition", "osm")[0] == 2
