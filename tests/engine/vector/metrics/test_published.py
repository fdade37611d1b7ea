"""The named definitions on networks of published code, against its figures; see ``published/README.md``."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import shapely
from terraspore.engine.context import RunContext
from terraspore.engine.vector.arrays import Flags
from terraspore.engine.vector.crs import transform
from terraspore.engine.vector.io.reader import VectorLayer, read_vector_layer
from terraspore.engine.vector.metrics.definitions import DEFINITIONS, AplsRules, Definition
from terraspore.engine.vector.metrics.network import Network, build_network
from terraspore.engine.vector.metrics.roads import score_roads

FOLDER = Path(__file__).parent / "published"
COSMIQ = DEFINITIONS["cosmiq"]
#: Defaults of the command of CosmiQ/apls.
COMMAND = dataclasses.replace(COSMIQ.apls, spacing=200.0, undivided=150.0, curvature=0.12)
IMAGES = (99, 990, 991, 995, 997, 998, 999)
#: APLS of the code by image.
EVERY_50_M = (0.781, 0.612, 0.764, 0.727, 0.575, 0.660, 0.425)
BY_COMMAND = (0.734, 0.439, 0.620, 0.614, 0.563, 0.622, 0.366)


def read_layer(name: str, *columns: str) -> VectorLayer:
    return read_vector_layer(FOLDER / name, context=RunContext(), dimensions=(1,), columns=["network", *columns])


def build_networks(layer: VectorLayer, is_chosen: Flags) -> tuple[Network, Network]:
    """Networks of result and truth, noded at shared vertices only, in metres."""
    lines, network = layer.to_crs(layer.choose_metric_crs()), np.asarray(layer.columns["network"])
    result, truth = (
        build_network(lines[is_chosen & (network == side)], nodes_crossings=False) for side in ("result", "truth")
    )
    return result, truth


@cache
def read_image(image: int) -> tuple[Network, Network]:
    layer = read_layer("cosmiq_vegas.geojson", "image")
    return build_networks(layer, np.asarray(layer.columns["image"]) == image)


def score_image(image: int, rules: AplsRules) -> float:
    result, truth = read_image(image)
    return score_roads(result, truth, definition=Definition(rules, None, nodes_crossings=False)).apls


@pytest.mark.parametrize(("image", "published"), list(zip(IMAGES, EVERY_50_M, strict=True)))
def test_apls_of_cosmiq(image: int, published: float) -> None:
    assert score_image(image, COSMIQ.apls) == pytest.approx(published, abs=0.002)


@pytest.mark.parametrize(("image", "published"), list(zip(IMAGES, BY_COMMAND, strict=True)))
def test_apls_by_the_defaults_of_cosmiqs_command(image: int, published: float) -> None:
    assert score_image(image, COMMAND) == pytest.approx(published, abs=0.001)


def test_rings_that_the_code_loses_make_a_difference() -> None:
    rules = dataclasses.replace(COSMIQ.apls, has_rings=True)
    assert score_image(999, rules) == pytest.approx(0.425 - 0.019, abs=0.002)
    assert score_image(99, rules) == score_image(99, COSMIQ.apls)  # no ring hangs on one junction


def test_apls_of_sam_roads_example() -> None:
    """The code's figure is 0.388: it leaves out some control points, depending on the order of the vertices."""
    layer = read_layer("sam_road.geojson")
    result, truth = build_networks(layer, np.ones(len(layer.ids), np.bool_))
    # The code's tile: 352 m, with the upper left corner at 71 degrees west, 41 degrees north.
    tile = shapely.box(-71.0, 41.0 - 352 / 111111, -71.0 + 352 / 111111 / np.cos(np.radians(41.0)), 41.0)
    (place,) = transform(np.array([tile], object), layer.crs, layer.choose_metric_crs(), layer.name)
    extent = tuple(shapely.bounds(place).tolist())
    scores = score_roads(result, truth, definition=DEFINITIONS["sam_road"], extent=extent)
    assert scores.apls == pytest.approx(0.410, abs=0.002)
