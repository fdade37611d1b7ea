"""Run one target in the coverage-guided fuzzer: ``python tests/fuzz/run.py TARGET FOLDER SECONDS [SEED [INPUTS]]``.

FOLDER keeps the corpus from one run to the next, and failing inputs in ``crashes``. The exit code is 0 if there are
none. Without SEED each run is different; with INPUTS it ends after so many inputs.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS

#: Limits of an input: its bytes (more where a seed is longer), the memory in MB, and the time in seconds.
MAX_BYTES, MAX_MEMORY, MAX_SECONDS = 16_384, 3072, 60


def main(name: str, folder: Path, seconds: int, seed: int = 0, inputs: int = -1) -> None:
    """Fuzz the target ``name``."""
    target = TARGETS[name]
    importlib.import_module("terraspore.engine.vector.geodesy")  # Numba compiles no instrumented functions
    with atheris.instrument_imports(include=["terraspore"]):
        module = importlib.import_module(f"terraspore.{target.module}")
        for part in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
            importlib.import_module(part.name)
    seeds = target.seeds()
    corpus, crashes = folder / name, folder / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",  # 0: from the time
        f"-runs={inputs}",
        f"-max_len={max(MAX_BYTES, *map(len, seeds))}",
        f"-rss_limit_mb={MAX_MEMORY}",
        f"-timeout={MAX_SECONDS}",
        f"-artifact_prefix={crashes}/{name}-",
        "-print_final_stats=1",
        "-verbosity=1",
        str(corpus),
    ]
    for data in seeds:
        target.check(data)  # compiles what Numba has not compiled yet, which takes longer than an input may
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *(int(number) for number in sys.argv[3:6]))
