"""Road masks that tests draw, and the networks that are extracted from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import networkx as nx
import numpy as np
import pyogrio
import shapely
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.layer_names import name_road_layers
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.roads.extract import RoadSummary, vectorize_roads

CROSS = [[(200, -10), (200, 410)], [(-10, 150), (410, 150)], [(200, 300), (320, 300)]]


def draw_roads(lines: list[list[tuple[float, float]]], size: int = 400, width: int = 7) -> np.ndarray:
    """Draw lines (x, y) on a mask of 0 and 255."""
    mask = np.zeros((size, size), np.uint8)
    for line in lines:
        cv2.polylines(mask, [np.array(line, np.int32).reshape(-1, 1, 2)], False, 255, thickness=width)
    return mask


def extract_roads(raster: Path, output: Path, options: RoadOptions | None = None, **arguments: object) -> RoadSummary:
    """Extract a road network; ``arguments`` are further ones of ``vectorize_roads``."""
    context = arguments.pop("context", RunContext())
    layer, crs = arguments.pop("layer", None), arguments.pop("crs", None)
    options = options or RoadOptions()
    names = name_road_layers(layer, areas=options.areas, changes="existing" in arguments)
    target = VectorTarget(output, names, crs, {"model": "test"})
    return vectorize_roads(raster, target, options, context=context, **arguments)


def read_layer(path: Path, layer: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read the geometries and columns of a layer."""
    meta, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], fields, strict=True))


def read_network(path: Path) -> tuple[nx.MultiGraph, dict[tuple[float, float], int]]:
    """Build the graph that a router makes of the lines: nodes are equal end coordinates, nothing else."""
    graph, ids = nx.MultiGraph(), {}
    lines, fields = read_layer(path, "roads")
    for line, length in zip(lines, fields["length"], strict=True):
        ends = [ids.setdefault(line.coords[k], len(ids)) for k in (0, -1)]
        graph.add_edge(*ends, weight=length)
    return graph, ids
