"""Compute a sample of the blocks of a raster of 507,904 x 507,904 pixels, and the partitions that they are enough for.

The raster is a virtual one: a real file that is repeated 62 x 62 times. A worker computes the blocks around two
neighbouring partitions in its middle, and three at other places, and vectorizes both partitions, all by the tasks of
``extract roads --cluster``. Moved to the place of the other one, the first partition has to be equal to it, so that
copies of it stand for all others, which ``bench_join`` joins.

    python tests/bench/bench_sparse.py --make part.npz
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import rasterio
from bench_join import MovedPartition, read_partition
from degraded import degrade_coverage, draw_coverage, make_difficult_roads
from models import trivial_model
from numpy.typing import NDArray
from sample_run import SampleRun, open_sample
from terraspore.engine.pipeline.block_layout import BlockIndex
from terraspore.engine.pipeline.block_reader import BlockReader
from terraspore.engine.pipeline.partitions import ROADS
from terraspore.engine.pipeline.request import ImageRequest
from terraspore.engine.protocol.options import ImageOptions, RoadOptions, RuntimeOptions
from terraspore.engine.raster.probability import PROBABILITY_SCALE, QuantizedRaster
from terraspore.engine.vector.partitions.layout import PARTITION
from terraspore.engine.vector.partitions.tables import LineTable, NodeTable, PieceTable, PointTable

#: Side of the degraded network in pixels, of the four mirrored copies of it, and of the file that repeats them. A
#: partition is a multiple of all of them, so that all partitions have the same pixels.
_NETWORK, _CELL, _FILE = 1024, 2048, 8192
#: Partitions along a side.
COUNT = 31
_SEED = 2
_ORIGIN, _CRS = (100_000, 6_000_000), "EPSG:25832"
#: Probabilities are the values of the image, which has 255 steps.
_GRAY = 255
#: Columns in which a partition has to be equal to one that was moved; lengths depend on the place.
_COMPARED = ("key", "node", "corner", "top", "link", "row", "col", "degree", "probability", "start")


def make_cell() -> NDArray[np.uint8]:
    """Return the gray values of a degraded rural network in four mirrored copies."""
    roads = make_difficult_roads(_SEED, _NETWORK)
    probability = degrade_coverage(draw_coverage(roads), roads, _SEED)
    values = np.rint(probability * _GRAY).astype(np.uint8)
    values = np.concatenate((values, values[:, ::-1]), axis=1)
    return np.concatenate((values, values[::-1]))


def write_sparse_raster(folder: Path, cell: NDArray[np.uint8], side: int) -> Path:
    """Write a GeoTIFF that repeats ``cell``, and a virtual raster of ``side`` pixels that repeats the GeoTIFF.

    Returns:
        The virtual raster.
    """
    values = np.tile(cell, (_FILE // _CELL, _FILE // _CELL))
    profile = {"driver": "GTiff", "width": _FILE, "height": _FILE, "count": 1, "dtype": "uint8", "crs": _CRS}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    transform = rasterio.transform.from_origin(*_ORIGIN, 1, 1)
    with rasterio.open(folder / "block.tif", "w", transform=transform, **profile) as target:
        target.write(values, 1)
    size = f'xSize="{_FILE}" ySize="{_FILE}"'
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">block.tif</SourceFilename><SourceBand>1</SourceBand>'
        f'<SourceProperties RasterXSize="{_FILE}" RasterYSize="{_FILE}" DataType="Byte" BlockXSize="512"'
        f' BlockYSize="512"/><SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="{x}" yOff="{y}" {size}/></SimpleSource>'
        for y in range(0, side, _FILE)
        for x in range(0, side, _FILE)
    )
    path = folder / "sparse.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>{_CRS}</SRS>'
        f"<GeoTransform>{_ORIGIN[0]},1,0,{_ORIGIN[1]},0,-1</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1">{sources}</VRTRasterBand></VRTDataset>'
    )
    return path


def make_partition(path: Path, folder: Path, size: int, count: int) -> dict[str, Any]:
    """Compute a sample of the raster, write one partition to ``path`` and return what it took.

    Args:
        path: file of the partition.
        folder: for temporary files.
        size: side of a partition in pixels, a multiple of 8192.
        count: partitions along a side of the raster, at least 5.

    Raises:
        SystemExit: the partitions or the probabilities are not those of the raster.
    """
    cell, options = make_cell(), ImageOptions(model=str(trivial_model(folder).weights.parent))
    runtime = RuntimeOptions(device="cpu", precision="float32", threads=1)
    request = ImageRequest(write_sparse_raster(folder, cell, size * count), options, runtime)
    with open_sample(request, folder / "roads.gpkg", RoadOptions(areas=False), size) as sample:
        return _compute(sample, path, count, cell)


def _compute(sample: SampleRun, path: Path, count: int, cell: NDArray[np.uint8]) -> dict[str, Any]:
    middle, layout = count // 2 * count + count // 2, sample.layout
    numbers, last = [middle, middle + 1], layout.x.count - 1
    far = [BlockIndex(0, 0), BlockIndex(layout.y.count - 1, last), BlockIndex(1, last - 1)]
    blocks = sorted({*far, *sample.find_blocks(numbers[0]), *sample.find_blocks(numbers[1])})
    begin = sample.measure()
    sample.compute(blocks)
    computed = sample.measure()
    check_pixels(sample, [*far, blocks[len(blocks) // 2]], cell)
    sample.vectorize(numbers)
    vectorized = sample.measure()
    first, second = (sample.partitions.folder.file(number, ROADS) for number in numbers)
    compare_moved(first, second)
    shutil.copyfile(first, path)
    return {
        "blocks": len(blocks),
        "all_blocks": layout.count,
        "block_seconds": (computed.seconds - begin.seconds) / len(blocks),
        "block_bytes": sample.mean_bytes(blocks),
        "block_memory": computed.peak_bytes,
        "partition_seconds": (vectorized.seconds - computed.seconds) / len(numbers),
        "partition_bytes": path.stat().st_size,
        "partition_memory": vectorized.peak_bytes,
    }


def check_pixels(sample: SampleRun, blocks: list[BlockIndex], cell: NDArray[np.uint8]) -> None:
    """Compare the probabilities in the cores of blocks with the gray values of the raster."""
    parts, layout = sample.partitions, sample.layout
    raster = QuantizedRaster(
        sample.store.shape, parts.transform, None, "none", read_stored=BlockReader(sample.store).read_band
    )
    for index in blocks:
        (top, bottom), (left, right) = layout.y.core(index.row), layout.x.core(index.column)
        found = raster.read(top, left, bottom - top, right - left).astype(float) / PROBABILITY_SCALE
        rows, cols = np.arange(top, bottom) % _CELL, np.arange(left, right) % _CELL
        if np.abs(found - cell[np.ix_(rows, cols)] / _GRAY).max() > 0.51 / PROBABILITY_SCALE:
            sys.exit(f"{index} has other probabilities than its pixels")


def compare_moved(first: Path, second: Path) -> None:
    """Compare a partition, moved to the place of another one, with that one; positions and pixels have to be equal."""
    real = read_partition(second)
    moved = MovedPartition(read_partition(first), real.window, real.frame.shape[0])
    tables = {type(table): table for table in real.tables}
    for kind in (NodeTable, LineTable, PieceTable, PointTable):
        for name in (name for name in _COMPARED if name in kind._fields):
            if not np.array_equal(moved.read_column(kind, name), getattr(tables[kind], name)):
                sys.exit(f"{kind.__name__}.{name} differs between a partition and its copy")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path, required=True, help="file of the partition")
    parser.add_argument("--size", type=int, default=PARTITION, help="its side in pixels, a multiple of 8192")
    parser.add_argument("--count", type=int, default=COUNT, help="partitions along each side")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.make.absolute().parent) as name:
        print(json.dumps(make_partition(given.make, Path(name), given.size, given.count)))
