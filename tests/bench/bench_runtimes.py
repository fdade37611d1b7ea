"""Compare the runtimes: the same model and the same tiles, in alternation, in one run.

    python tests/bench/bench_runtimes.py [--model NAME] [--image FILE ...] [--tile 512] [--tiles 4] [--rounds 5]

Every round times every runtime once, so that other load on the machine affects all of them equally; the shortest
time of each is used. The table also has the difference of the probabilities from those of OpenVINO in float32: its
maximum and its 99.9th percentile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import Row, write_rows
from terraspore.engine.cli.console import format_table
from terraspore.engine.errors import RuntimeUnavailableError
from terraspore.engine.models import Model, choose_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.base import Probabilities, Session, Tiles
from terraspore.engine.runtimes.cache import default_cache_folder
from terraspore.engine.runtimes.measure import probability_change, synthetic_tiles
from terraspore.engine.runtimes.registry import open_session

#: Runtime and precision; the first one is the reference. MindSpore is the last one, because the limit on instructions
#: that it needs applies to the whole process.
WAYS = (
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "float16"),
    ("onnxruntime", "float32"),
    ("mindspore-lite", "float32"),
    ("mindspore", "float32"),
)


def image_tiles(path: Path, tile: int, count: int) -> Tiles:
    """Return tiles spread over a uint8 image of three bands: (count, 3, tile, tile)."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as source:
        columns = np.linspace(0, source.width - tile, count).astype(int)
        rows = np.linspace(0, source.height - tile, count).astype(int)
        windows = [Window(column, row, tile, tile) for column, row in zip(columns, rows, strict=True)]
        return np.stack([source.read((1, 2, 3), window=window) for window in windows])


def open_all(model: Model, tile: int) -> dict[str, Session]:
    """Open a session in each available runtime and precision; reasons for failures are printed to stderr."""
    from terraspore.__main__ import create_network

    sessions = {}
    for runtime, precision in WAYS:
        try:
            session, _ = open_session(
                model,
                tile,
                RuntimeOptions("cpu", runtime, precision),
                cache=default_cache_folder(),
                network_factory=create_network,
            )
        except RuntimeUnavailableError as error:
            print(f"{runtime} {precision}: {error}", file=sys.stderr)
        else:
            sessions[f"{runtime} {precision}"] = session
    return sessions


def measure(sessions: dict[str, Session], tiles: Tiles, rounds: int) -> dict[str, float]:
    """Return the shortest time for one of ``tiles`` in each session, in seconds."""
    least = dict.fromkeys(sessions, float("inf"))
    for _ in range(rounds):
        for name, session in sessions.items():
            begin = time.perf_counter()
            session.predict(tiles)
            least[name] = min(least[name], (time.perf_counter() - begin) / len(tiles))
    return least


def compare(model: Model, tiles: Tiles, rounds: int) -> tuple[dict[str, float], dict[str, Probabilities]]:
    """Return the shortest time for a tile and the results of each runtime and precision."""
    sessions = open_all(model, tiles.shape[-1])
    results = {name: session.predict(tiles) for name, session in sessions.items()}
    least = measure(sessions, tiles, rounds)
    for session in sessions.values():
        session.close()
    return least, results


def rows_of(model: Model, least: Mapping[str, float], results: Mapping[str, Probabilities]) -> list[Row]:
    """Return the rows of the report."""
    rows = []
    reference = next(iter(least))
    for name, seconds in least.items():
        note = f"{seconds / least[reference]:.2f} times {reference}"
        if name != reference:
            change = np.abs(results[name] - results[reference])
            most, nearly = change.max(), probability_change(results[reference], results[name])
            note += f"; largest change of a probability {most:.2g}, 99.9 % below {nearly:.2g}"
        rows.append(Row(f"{model.card.name}, a tile in {name}", "ms", seconds * 1000, note=note))
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Measure the runtimes against each other.")
    parser.add_argument("--model", help="name or path; the default model unless given")
    parser.add_argument(
        "--image", type=Path, nargs="+", help="uint8 pictures with three bands; artificial tiles unless given"
    )
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--tiles", type=int, default=4, help="tiles from each picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", help="also keep the results as this part of the report")
    arguments = parser.parse_args()
    model = choose_model(arguments.model, "segmentation")
    if arguments.image:
        tiles = np.concatenate([image_tiles(path, arguments.tile, arguments.tiles) for path in arguments.image])
    else:
        tiles = synthetic_tiles(model.card, arguments.tile)
    least, results = compare(model, tiles, arguments.rounds)
    if arguments.rows:
        write_rows(arguments.rows, rows_of(model, least, results))
    reference = next(iter(least))
    rows = [
        (
            name,
            f"{least[name] * 1000:.0f}",
            f"{least[name] / least[reference]:.2f}",
            f"{np.abs(results[name] - results[reference]).max():.2g}",
            f"{probability_change(results[reference], results[name]):.2g}",
        )
        for name in least
    ]
    print(f"{model.card.name}, tiles of {arguments.tile} x {arguments.tile}, {len(tiles)} of them")
    print(format_table(("runtime", "ms per tile", "of the first", "largest change", "99.9 % below"), rows))


if __name__ == "__main__":
    main()
