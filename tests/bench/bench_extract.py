"""The whole command against a bare loop over the same tiles in the same runtime.

    python tests/bench/bench_extract.py [--size 8192 20000] [--image IMAGE] [--model roads-dlinknet34]

Both sides run one after the other in processes of their own, so that their ratio is worth more than the
seconds. The bare loop does nothing but call the session: no reading, blending, writing or vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import rasterio

sys.path.insert(0, str(Path(__file__).parent))
from measure import Measured, run
from mosaic import synthetic_scene, write_mosaic

BARE_LOOP = """
import sys, time, json
import numpy as np
from terraspore.engine.models.catalogue import find_model
from terraspore.engine.runtimes.select import open_session
name, tiles, tile, runtime, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
model = find_model(name)
session, _ = open_session(model, device=device, runtime=runtime, tile=tile)
random = np.random.default_rng(0)
batch = random.integers(0, 255, (session.batch, model.card.bands, tile, tile), dtype=np.uint8)
session.predict(batch)
begin = time.perf_counter()
for _ in range(-(-tiles // session.batch)):
    session.predict(batch)
print(json.dumps({"seconds": time.perf_counter() - begin, "batch": session.batch}))
"""


def events(stdout: str) -> dict[str, dict[str, object]]:
    """The last event of each type on a command's standard output."""
    return {event["type"]: event for event in map(json.loads, stdout.splitlines())}


def compare(model: str, image: Path, folder: Path) -> str:
    """Measure one image both ways and return a row of the table."""
    out = folder / "roads.gpkg"
    probability = folder / "probability.tif"
    whole = run(
        [sys.executable, "-m", "terraspore", "extract", "roads", str(image), "-o", str(out), "--model", model,
         "--probability", str(probability), "--json"]
    )  # fmt: skip
    said = events(whole.stdout)
    plan = said["plan"]
    bare = run(
        [sys.executable, "-c", BARE_LOOP, model, str(plan["tiles"]), str(plan["tile"]), str(plan["runtime"]),
         str(plan["device"])]
    )  # fmt: skip
    loop_seconds = json.loads(bare.stdout)["seconds"]
    return _row(model, image, plan, whole, loop_seconds)


def _row(model: str, image: Path, plan: dict[str, object], whole: Measured, loop_seconds: float) -> str:
    with rasterio.open(image) as source:
        size = f"{source.width} x {source.height}"
    return (
        f"{model:<20} {size:<15} {plan['runtime']:<12} {plan['tiles']:>6} tiles   whole {whole.seconds:7.1f} s"
        f"   bare loop {loop_seconds:7.1f} s   ratio {whole.seconds / loop_seconds:5.3f}"
        f"   peak {whole.peak_bytes / 1e6:6.0f} MB"
    )


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(description="The whole command against a bare loop.")
    parser.add_argument("--size", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--image", type=Path, help="repeat this image instead of a synthetic scene")
    parser.add_argument("--model", default="roads-dlinknet34")
    options = parser.parse_args()
    if options.image is None:
        tile = synthetic_scene(1024, seed=1)
    else:
        with rasterio.open(options.image) as source:
            tile = source.read()
    for size in options.size:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_mosaic(folder / "mosaic.tif", (size, size), tile)
            print(compare(options.model, folder / "mosaic.tif", folder), flush=True)


if __name__ == "__main__":
    main()
