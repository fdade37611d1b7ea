"""A tile in the default road model against the same tile in D-LinkNet34, in alternation."""

from __future__ import annotations

from bench_runtimes import measure
from rows import Row, show
from terraspore.engine.errors import RuntimeUnavailableError
from terraspore.engine.models.registry import find_model
from terraspore.engine.protocol.options import RuntimeOptions
from terraspore.engine.runtimes.base import Precision
from terraspore.engine.runtimes.cache import default_cache_folder
from terraspore.engine.runtimes.measure import synthetic_tiles
from terraspore.engine.runtimes.registry import open_session

MODEL, REFERENCE = "roads-efficientnet-lite2", "roads-dlinknet34"
#: Highest ratio of the times by precision.
AIMS: dict[Precision, float] = {"float32": 0.5, "bfloat16": 1.0}
TILE = 512


def compare_models(rounds: int) -> list[Row]:
    """Measure both models in OpenVINO, in each precision that the processor has."""
    rows = []
    models = {name: find_model(name) for name in (MODEL, REFERENCE)}
    tiles = synthetic_tiles(models[MODEL].card, TILE)
    for precision, aim in AIMS.items():
        options = RuntimeOptions("cpu", "openvino", precision)
        try:
            sessions = {
                name: open_session(model, TILE, options, cache=default_cache_folder())[0]
                for name, model in models.items()
            }
        except RuntimeUnavailableError as error:
            print(f"{precision}: {error}")
            continue
        for session in sessions.values():
            session.predict(tiles)
        least = measure(sessions, tiles, rounds)
        for session in sessions.values():
            session.close()
        note = f"{least[MODEL] * 1000:.1f} ms against {least[REFERENCE] * 1000:.1f} ms in OpenVINO"
        name = f"{MODEL}: a tile in {precision} / one of {REFERENCE}"
        rows.append(show(Row(name, "times", least[MODEL] / least[REFERENCE], aim, note=note)))
    return rows
