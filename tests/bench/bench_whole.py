"""Measure whole commands: time against a bare loop over the same tiles and gdal_translate, memory and start-up.

The bare loop calls the same session with the same number of tiles of the same size, without reading, blending,
writing or vectors. Both run in separate processes, one after the other, so the ratio is more reliable than the
seconds.
"""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measure import Measured, run, terraspore, terraspore_command
from models import bundled_model, trivial_model, untrained_model
from mosaic import write_mosaic
from numpy.typing import NDArray
from rows import Row, show
from terraspore.engine.models.registry import Model

Picture = NDArray[np.uint8]
#: Aims for the whole command against the bare loop, by architecture.
AIMS = {"dlinknet34": 1.05, "lednet_binary": 1.3}
TRANSLATE_AIM, FIRST_TILE_AIM, CANCEL_AIM, FLAT_AIM = 1.5, 2.0, 2.0, 1.10
#: Seconds that the QGIS plugin Deepness took on two cores of another machine for 8192 x 8192 pixels, and how many
#: times faster TerraSpore should be.
PEER = {"trivial": (10.5, 5.0), "dlinknet34": (66.0, 2.8)}
PEER_SIZE = 8192

BARE_LOOP = """
import sys, time, json
import numpy as np
from terraspore.engine.models.registry import find_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.cache import default_cache_folder
from terraspore.engine.runtimes.registry import open_session
name, tiles, tile, runtime, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
model = find_model(name)
session, _ = open_session(model, tile, RuntimeOptions(device, runtime), cache=default_cache_folder())
random = np.random.default_rng(0)
batch = random.integers(0, 255, (session.batch, model.card.bands, tile, tile), dtype=np.uint8)
session.predict(batch)
begin, used = time.perf_counter(), time.process_time()
for result in session.predict_stream(batch for _ in range(-(-tiles // session.batch))):
    pass
print(json.dumps({"seconds": time.perf_counter() - begin, "cpu": time.process_time() - used}))
"""
TRANSLATE = "-q -co TILED=YES -co BLOCKXSIZE=512 -co BLOCKYSIZE=512 -co COMPRESS=DEFLATE -co ZLEVEL=1 -co PREDICTOR=2"


def models_of(folder: Path) -> dict[str, tuple[Model, bool]]:
    """Return the models by architecture, and whether they are trained; only then their vectors are meaningful."""
    found: dict[str, tuple[Model, bool]] = {"trivial": (trivial_model(folder), False)}
    for architecture in AIMS:
        bundled = bundled_model(architecture, "roads")
        found[architecture] = (bundled, True) if bundled else (untrained_model(folder, architecture), False)
    return found


@contextmanager
def mosaic(folder: Path, size: tuple[int, int], picture: Picture) -> Iterator[Path]:
    """Write a raster of ``size`` (height, width) and remove it at the end of the block."""
    path = folder / f"mosaic-{size[1]}x{size[0]}.tif"
    write_mosaic(path, size, picture)
    try:
        yield path
    finally:
        path.unlink()


def whole_commands(folder: Path, picture: Picture, sizes: Sequence[int]) -> list[Row]:
    """Measure every model at every size."""
    rows = []
    models = models_of(folder)
    for architecture, (model, _) in models.items():  # work done once per machine is not measured
        with mosaic(folder, (600, 600), picture) as image:
            _segment(model, image, folder)
        print(f"  warmed up {architecture}", flush=True)
    for size in sizes:
        with mosaic(folder, (size, size), picture) as image:
            rows += _trivial(models["trivial"][0], image, folder, size)
            for architecture in AIMS:
                rows += _network(architecture, *models[architecture], image, folder, size)
    return rows


def _segment_arguments(model: Model, image: Path, folder: Path) -> tuple[str | Path, ...]:
    return ("segment", image, "-o", folder / "classes.tif", "--overwrite", "--model", model.weights.parent)


def _segment(model: Model, image: Path, folder: Path) -> Measured:
    return terraspore(*_segment_arguments(model, image, folder))


def _trivial(model: Model, image: Path, folder: Path, size: int) -> list[Row]:
    """Compare the trivial network with gdal_translate of the same raster to the same kind of file."""
    whole = _segment(model, image, folder)
    title = f"trivial network, {size} x {size}"
    rows = [_peak(title, whole, "trivial", size), *_against_peer("trivial", title, whole.seconds, size)]
    if shutil.which("gdal_translate"):
        out = folder / "translated.tif"
        seconds = {}
        for bands in ("", "-b 1"):
            seconds[bands] = run(["gdal_translate", *TRANSLATE.split(), *bands.split(), str(image), str(out)]).seconds
            out.unlink()
        note = (
            f"{whole.seconds:.1f} s against {seconds['']:.1f} s for its three bands ({seconds['-b 1']:.1f} s for one)"
        )
        ratio = whole.seconds / seconds[""]
        name = f"{title}: whole command / gdal_translate"
        rows.insert(0, Row(name, "times", ratio, TRANSLATE_AIM, ratio, note, "trivial / gdal_translate", size))
    return [show(row) for row in rows]


def _network(architecture: str, model: Model, trained: bool, image: Path, folder: Path, size: int) -> list[Row]:
    """Compare a network with the bare loop: to the vectors if it is trained, and to a raster."""
    name = model.card.name if trained else f"{architecture} (untrained)"
    title = f"{name}, {size} x {size}"
    wholes = {}
    if trained:
        command = ("extract", "roads", image, "-o", folder / "roads.gpkg", "--overwrite")
        command += ("--model", model.weights.parent)
        wholes["to the vectors"] = terraspore(*command)
        wholes["to the vectors and a saved raster"] = terraspore(*command, "--probability", folder / "probability.tif")
    else:
        wholes["to the raster"] = _segment(model, image, folder)
    first = next(iter(wholes.values()))
    plan = next(event for _, event in first.events() if event["type"] == "plan")
    arguments = [str(plan[key]) for key in ("tiles", "tile", "runtime", "device")]
    loop = json.loads(run([sys.executable, "-c", BARE_LOOP, str(model.weights.parent), *arguments]).stdout)
    rows = []
    for what, whole in wholes.items():
        ratio = whole.seconds / loop["seconds"]
        note = (
            f"{whole.seconds:.1f} s against {loop['seconds']:.1f} s for {plan['tiles']} tiles in {plan['runtime']}; "
            f"processor time {whole.cpu:.1f} s against {loop['cpu']:.1f} s"
        )
        series = name if whole is first else f"{name}, with a saved raster"
        title_of = f"{title}: {what} / bare loop"
        rows.append(Row(title_of, "times", ratio, AIMS[architecture], ratio, note, series, size))
    rows.append(_peak(title, first, name, size))
    return [show(row) for row in (*rows, *_against_peer(architecture, title, first.seconds, size))]


def _peak(title: str, whole: Measured, name: str, size: int) -> Row:
    return Row(f"{title}: peak memory", "MB", whole.peak_bytes / 1e6, series=f"memory: {name}, square", x=size)


def _against_peer(architecture: str, title: str, seconds: float, size: int) -> list[Row]:
    if size != PEER_SIZE or architecture not in PEER:
        return []
    peer, times = PEER[architecture]
    note = f"{peer / seconds:.1f} times faster than Deepness on another machine with two cores ({peer:g} s)"
    return [Row(f"{title}: whole command, against Deepness", "s", seconds, peer / times, seconds / peer, note)]


def memory(folder: Path, picture: Picture, heights: Sequence[int], width: int = 8192) -> list[Row]:
    """Measure the peak memory of rasters of one width and increasing height, relative to the first height."""
    model = trivial_model(folder)
    rows: list[Row] = []
    for height in heights:
        with mosaic(folder, (height, width), picture) as image:
            peak = _segment(model, image, folder).peak_bytes / 1e6
        first = rows[0].measured if rows else peak
        goal = first * FLAT_AIM if rows else None
        name = f"peak memory, {width} columns x {height} rows"
        note = f"{peak / first:.2f} times that of {heights[0]} rows" if rows else "trivial network"
        rows.append(show(Row(name, "MB", peak, goal, peak / first, note, f"memory: {width} columns", height)))
    return rows


def startup(folder: Path, picture: Picture, runs: int) -> list[Row]:
    """Measure the seconds from the start of the process to the result of the first tile, with a warm cache."""
    rows = []
    with mosaic(folder, (2048, 2048), picture) as image:
        for architecture, (model, trained) in models_of(folder).items():
            _segment(model, image, folder)
            first = [
                next(seconds for seconds, event in _segment(model, image, folder).events() if event.get("done"))
                for _ in range(runs)
            ]
            name = model.card.name if trained else architecture
            note = f"median of {runs}, from {min(first):.2f} to {max(first):.2f} s"
            rows.append(
                show(Row(f"{name}: start to first tile", "s", statistics.median(first), FIRST_TILE_AIM, note=note))
            )
    return rows


def cancel(folder: Path, picture: Picture, runs: int) -> list[Row]:
    """Measure the seconds from SIGTERM at the first progress to the end of the process.

    Raises:
        SystemExit: a run ended before it was cancelled.
    """
    rows = []
    with mosaic(folder, (4096, 4096), picture) as image:
        for architecture, (model, trained) in models_of(folder).items():
            if architecture == "trivial":
                continue
            seconds = [_time_cancel(terraspore_command(*_segment_arguments(model, image, folder))) for _ in range(runs)]
            name = model.card.name if trained else architecture
            note = f"median of {runs}, from {min(seconds):.2f} to {max(seconds):.2f} s"
            rows.append(show(Row(f"{name}: cancel to end", "s", statistics.median(seconds), CANCEL_AIM, note=note)))
    return rows


def _time_cancel(command: Sequence[str]) -> float:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        next((line for line in process.stdout if json.loads(line)["type"] == "progress"), None)
        begin = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        seconds = time.perf_counter() - begin
    if process.returncode != 3:
        sys.exit(f"{' '.join(command)} was not cancelled: exit code {process.returncode}")
    return seconds
