"""What a country takes: tiles, blocks, bytes, processor time and memory, from blocks that a worker computes here.

The model is linear: a tile takes the same time everywhere, a block is 9 x 9 tiles, and the files of the blocks take the
same bytes per pixel. It is checked here: the time of some blocks is predicted from that of another one.

    python tests/bench/bench_country.py --area 400000 --resolution 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import rasterio
from models import bundled_model
from mosaic import write_mosaic
from rasterio.enums import Resampling
from rows import Row, show
from sample_run import open_sample
from terraspore.engine.models.registry import Model
from terraspore.engine.pipeline.block_layout import BlockIndex, choose_layout
from terraspore.engine.pipeline.request import ImageRequest
from terraspore.engine.protocol.options import ImageOptions, RoadOptions, RuntimeOptions
from terraspore.engine.tiling import make_plan
from terraspore.engine.vector.partitions.layout import PARTITION

#: A country of 400,000 km² at 1 m.
AREA_KM2, RESOLUTION = 400_000.0, 1.0
_DEMO_SIDE = 390
_DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo.tif"
#: Three blocks along a side, the last of them narrow.
_SIDE = 9000
_ARCHITECTURES = ("dlinknet_efficientnet_lite2", "lednet_binary", "dlinknet34")
#: Bytes of a pixel of the image, and bytes a second of a network file system.
_READ_BYTES, _RATE = 2.0, 500e6
#: A prediction may be wrong by this share on a busy machine.
_ERROR_AIM = 0.25


@dataclass(frozen=True)
class BlockCosts:
    """What blocks of a model take.

    Attributes:
        tile_seconds: processor time of a tile with all that comes with it: reading, blending, its share of the file.
        bytes_per_pixel: of the files of blocks.
        peak_bytes: memory of a worker.
        tile: side of a tile in pixels.
        overlap: of tiles.
        precision: in which the network computes.
    """

    tile_seconds: float
    bytes_per_pixel: float
    peak_bytes: int
    tile: int
    overlap: int
    precision: str


@dataclass(frozen=True)
class CountryCosts:
    """What a country takes.

    Attributes:
        pixels: of the raster.
        tiles: of the network.
        blocks: files of blocks.
        partitions: of the roads.
        core_hours: of processor time, for the tiles alone.
        read_bytes: of the image, with what blocks read twice.
        file_bytes: of the files of blocks.
    """

    pixels: float
    tiles: float
    blocks: float
    partitions: float
    core_hours: float
    read_bytes: float
    file_bytes: float


def estimate_country(area_km2: float, resolution: float, costs: BlockCosts) -> CountryCosts:
    """Estimate what an area takes, from the division of a square of the same size."""
    pixels = area_km2 * 1e6 / resolution**2
    side = round(pixels**0.5)
    plan = make_plan(side, side, costs.tile, costs.overlap, 32)
    layout = choose_layout(plan, 1)
    stride = costs.tile - costs.overlap
    block = layout.rows * stride
    return CountryCosts(
        pixels=pixels,
        tiles=plan.count,
        blocks=layout.count,
        partitions=(side / PARTITION) ** 2,
        core_hours=plan.count * costs.tile_seconds / 3600,
        read_bytes=pixels * _READ_BYTES * ((block + costs.overlap) / block) ** 2,
        file_bytes=pixels * costs.bytes_per_pixel,
    )


def measure_blocks(model: Model, image: Path, folder: Path) -> tuple[BlockCosts, float]:
    """Have blocks of an image computed by a worker; return what they take, and the error of a prediction.

    The first block warms the worker up, the second one predicts the time of the others.
    """
    options = ImageOptions(model=str(model.weights.parent))
    request = ImageRequest(image, options, RuntimeOptions(device="cpu", threads=1))
    with open_sample(request, folder / "roads.gpkg", RoadOptions(), PARTITION) as sample:
        sample.compute([BlockIndex(0, 0)])
        first, others = [BlockIndex(0, 1)], [BlockIndex(1, 1), BlockIndex(0, 2)]
        times = [sample.measure().seconds]
        for blocks in (first, others):
            sample.compute(blocks)
            times.append(sample.measure().seconds)
        tiles = [sample.count_tiles(blocks) for blocks in (first, others)]
        predicted = (times[1] - times[0]) * tiles[1] / tiles[0]
        error = abs(predicted / (times[2] - times[1]) - 1)
        plan = sample.layout.plan
        pixels = sum(tiles) * (plan.tile - plan.overlap) ** 2
        size = sum(sample.mean_bytes(blocks) * len(blocks) for blocks in (first, others))
        costs = BlockCosts(
            tile_seconds=(times[2] - times[0]) / sum(tiles),
            bytes_per_pixel=size / pixels,
            peak_bytes=sample.measure().peak_bytes,
            tile=plan.tile,
            overlap=plan.overlap,
            precision=sample.run.session.precision,
        )
        return costs, error


def measure_country(folder: Path, area_km2: float = AREA_KM2, resolution: float = RESOLUTION) -> list[Row]:
    """Measure blocks of the bundled road models, and return what a country takes with each."""
    with rasterio.open(_DEMO) as demo:  # gray, of 0.3 m
        gray = demo.read(1, out_shape=(_DEMO_SIDE, _DEMO_SIDE), resampling=Resampling.average)
    picture = np.repeat(gray[np.newaxis], 3, axis=0)
    image, rows = folder / "country.tif", []
    write_mosaic(image, (_SIDE, _SIDE), picture)
    for architecture in _ARCHITECTURES:
        model = bundled_model(architecture, "roads")
        if model is None:
            continue
        costs, error = measure_blocks(model, image, folder)
        country = estimate_country(area_km2, resolution, costs)
        name, place = model.card.name, f"{area_km2:,.0f} km² at {resolution:g} m"
        note = f"{country.tiles / 1e6:.2f} million tiles, {country.blocks:,.0f} blocks"
        hours = f"at {_RATE / 1e6:.0f} MB/s {country.read_bytes / _RATE / 3600:.1f} hours to read all of it"
        rows += [
            show(
                Row(f"{name}: a tile of {costs.tile} in a block", "ms", 1000 * costs.tile_seconds, note=costs.precision)
            ),
            show(Row(f"{name}: memory of a worker", "MB", costs.peak_bytes / 1e6)),
            show(Row(f"{name}: files of blocks", "bytes a pixel", costs.bytes_per_pixel)),
            show(Row(f"{name}: error of the time that a block predicts for others", "", error, _ERROR_AIM)),
            show(Row(f"{name}, {place}: processor time", "core hours", country.core_hours, note=note)),
            show(Row(f"{name}, {place}: read", "TB", country.read_bytes / 1e12, note=hours)),
            show(Row(f"{name}, {place}: files of blocks", "TB", country.file_bytes / 1e12)),
        ]
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", type=float, default=AREA_KM2, help="km²")
    parser.add_argument("--resolution", type=float, default=RESOLUTION, help="m per pixel")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure_country(Path(scratch), given.area, given.resolution)
